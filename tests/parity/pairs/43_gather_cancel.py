# Rule: cancelling a gather cancels its children and ends, when all are done, in CancelledError, also with return_exceptions.
# SPDX-License-Identifier: MIT
import asyncio

async def work(name, on_cancel="raise"):
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError as error:
        print(name, repr(error))
        if on_cancel == "linger":
            await asyncio.sleep(0.03)
            print(name, "cleaned up")
        if on_cancel == "swallow":
            return name
        if on_cancel == "fail":
            raise RuntimeError(name)
        raise

async def report(awaitable):
    try:
        result = await awaitable
        print("value", result)
    except (RuntimeError, asyncio.CancelledError) as error:
        print("main", repr(error))

async def main():
    group = asyncio.gather(work("a"), work("b", "linger"), return_exceptions=True)
    await asyncio.sleep(0.02)
    print(group.cancel("everything"), group.done())
    await report(group)
    print(group.cancelled(), group.cancel("again"))

    group = asyncio.gather(work("c", "swallow"), work("d", "linger"))
    await asyncio.sleep(0.02)
    group.cancel("swallowed by one")
    await report(group)

    group = asyncio.gather(work("e", "fail"), work("f"))
    await asyncio.sleep(0.02)
    group.cancel("one fails")
    await report(group)

    group = asyncio.gather(work("g", "fail"), work("h", "linger"), return_exceptions=True)
    await asyncio.sleep(0.02)
    group.cancel("return_exceptions")
    await report(group)

    children = [asyncio.create_task(asyncio.sleep(0, i)) for i in range(2)]
    group = asyncio.gather(*children)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    print("all children done:", children[0].done(), children[1].done(), group.done(), group.cancel())
    print(*await group)

    async def inside():
        return await asyncio.gather(work("i", "swallow"), work("j", "linger"), return_exceptions=True)
    task = asyncio.create_task(inside())
    await asyncio.sleep(0.02)
    task.cancel("the task that waits")
    await report(task)
    print(task.cancelled(), task.cancelling())

asyncio.run(main())
