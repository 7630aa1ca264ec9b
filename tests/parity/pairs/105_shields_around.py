# Rule: a shield keeps a cancellation from what is below it, in a gather, a group, a limit, or around them; who waits ends at once.
# SPDX-License-Identifier: MIT
import asyncio

async def work(name, delay, fails=False):
    try:
        await asyncio.sleep(delay)
    except asyncio.CancelledError as error:
        print(name, repr(error))
        raise
    print(name, "ends")
    if fails:
        raise RuntimeError(name)
    return name

async def report(what, awaitable):
    try:
        print(what, "gave", await awaitable)
    except (asyncio.CancelledError, TimeoutError, RuntimeError, ExceptionGroup) as error:
        print(what, repr(error))

async def shielded(task):
    return await asyncio.shield(task)

async def in_group(task, fails):
    async with asyncio.TaskGroup() as group:
        group.create_task(shielded(task))
        if fails:
            group.create_task(work("sibling", .01, True))
    return "group"

async def insists(task):
    while True:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError as error:
            print("insists", repr(error), asyncio.current_task().cancelling())
            if task.done():
                raise

async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: print("handler:", repr(context["exception"])))

    print("== a shield around a gather")
    children = [loop.create_future() for _ in range(2)]
    gathered = asyncio.gather(*children)
    outer = asyncio.shield(gathered)
    print(outer.cancel("outer"), outer.cancelled(), gathered.done())
    await asyncio.sleep(0)
    children[0].set_result(1)
    children[1].set_result(2)
    await asyncio.sleep(0)
    print(*gathered.result())

    print("== shields in a gather")
    children = [loop.create_future() for _ in range(2)]
    shields = [asyncio.shield(child) for child in children]
    gathered = asyncio.gather(*shields)
    print(gathered.cancel("all"), gathered.done(), shields[0].cancelled(), shields[1].cancelled())
    await asyncio.sleep(0)
    print(gathered.done(), gathered.cancelled(), children[0].done(), children[1].done())
    await report("gather", gathered)
    children[0].set_result(1)
    children[1].cancel()
    await asyncio.sleep(0)

    print("== one child of a gather is shielded")
    task = asyncio.create_task(work("shielded", .03))
    gathered = asyncio.gather(asyncio.shield(task), work("other", 10))
    await asyncio.sleep(.01)
    gathered.cancel("all")
    await report("gather", gathered)
    print(task.done(), await task)

    print("== in a time limit, and asked again")
    task = asyncio.create_task(work("slow", .03))
    await report("limit", asyncio.wait_for(asyncio.shield(task), .01))
    print(task.done(), task.cancelling())
    await report("limit", asyncio.wait_for(asyncio.shield(task), 10))
    await report("no time", asyncio.wait_for(asyncio.shield(task), 0))

    print("== in a group that is cancelled")
    task = asyncio.create_task(work("shielded", .03))
    group = asyncio.create_task(in_group(task, False))
    await asyncio.sleep(.01)
    group.cancel("the group")
    await report("group", group)
    print(task.done(), await task)

    print("== in a group that fails")
    task = asyncio.create_task(work("shielded", .03))
    await report("group", in_group(task, True))
    print(task.done(), await task)

    print("== who insists")
    task = asyncio.create_task(work("slow", .03))
    waiting = asyncio.create_task(insists(task))
    await asyncio.sleep(.01)
    waiting.cancel("one")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel("two")
    await report("insists", waiting)
    print(waiting.cancelled(), waiting.cancelling(), task.cancelling())

    print("== the inner one is cancelled by another")
    task = asyncio.create_task(work("inner", 10))
    waiting = asyncio.create_task(insists(task))
    await asyncio.sleep(.01)
    task.cancel("inner")
    await report("insists", waiting)
    print(waiting.cancelled(), waiting.cancelling())

asyncio.run(main())
