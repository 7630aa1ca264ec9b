# Rule: gather gives the first error at once and leaves the others running; duplicates share; a child's cancel is an error.
# SPDX-License-Identifier: MIT
import asyncio

async def work(name, delay, fail=False):
    try:
        await asyncio.sleep(delay)
    except asyncio.CancelledError as error:
        print(name, repr(error))
        raise
    print(name, "ends")
    if fail:
        raise RuntimeError(name)
    return name

async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: print("handler:", context["message"]))
    group = asyncio.gather(work("a", 0.06), work("b", 0.02, True), work("c", 0.04, True))
    try:
        await group
    except RuntimeError as error:
        print(repr(error), group.done(), group.cancel())
    await asyncio.sleep(0.1)
    print("the later error was not reported")
    del group

    shared = asyncio.create_task(work("shared", 0.02))
    first, second, third = await asyncio.gather(shared, work("own", 0), shared)
    print(first, second, third)

    child = asyncio.create_task(work("cancelled child", 10))
    group = asyncio.gather(child, work("sibling", 0.04))
    await asyncio.sleep(0.02)
    child.cancel("child")
    try:
        await group
    except asyncio.CancelledError as error:
        print("child's", repr(error), group.cancelled(), asyncio.current_task().cancelling())
    await asyncio.sleep(0.06)

    child = asyncio.create_task(work("cancelled child", 10))
    group = asyncio.gather(child, work("sibling", 0.04), return_exceptions=True)
    await asyncio.sleep(0.02)
    child.cancel("child")
    first, second = await group
    print(repr(first), second)

    done = loop.create_future()
    done.set_result("done")
    failed = loop.create_future()
    failed.set_exception(RuntimeError("failed before"))
    group = asyncio.gather(done, failed, return_exceptions=True)
    print(group.done())
    first, second = await group
    print(first, repr(second))

asyncio.run(main())
