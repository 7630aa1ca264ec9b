# Rule: wait_for waits for what it cancelled: if that returns a value or raises, this counts, not the timeout.
# SPDX-License-Identifier: MIT
import asyncio

async def inner(name, on_cancel, clean=0.0):
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError as error:
        print(name, repr(error))
        if clean:
            await asyncio.sleep(clean)
        if on_cancel == "return":
            return name
        if on_cancel == "raise":
            raise ValueError(name)
        raise

async def report(what, awaitable):
    try:
        print(what, await awaitable)
    except asyncio.CancelledError as error:
        print(what, repr(error), asyncio.current_task().cancelling())
    except Exception as error:
        print(what, repr(error), asyncio.current_task().cancelling())

async def main():
    loop = asyncio.get_running_loop()
    await report("coroutine returns:", asyncio.wait_for(inner("a", "return"), 0.02))
    await report("coroutine raises:", asyncio.wait_for(inner("b", "raise"), 0.02))
    await report("coroutine ends:", asyncio.wait_for(inner("c", "end", 0.03), 0.02))
    task = asyncio.create_task(inner("d", "return", 0.03))
    await report("task returns:", asyncio.wait_for(task, 0.02))
    task = asyncio.create_task(inner("e", "raise"))
    await report("task raises:", asyncio.wait_for(task, 0.02))
    task = asyncio.create_task(inner("f", "end", 0.03))
    await report("task ends:", asyncio.wait_for(task, 0.02))
    print(task.cancelled())

    task = asyncio.create_task(inner("g", "return"))
    await asyncio.sleep(0)
    await report("no time at all:", asyncio.wait_for(task, 0))
    print(task.result())
    task = asyncio.create_task(inner("h", "end"))
    await asyncio.sleep(0)
    await report("negative time:", asyncio.wait_for(task, -1))
    print(task.cancelled())

    outer = asyncio.create_task(asyncio.wait_for(inner("i", "return"), 5))
    await asyncio.sleep(0.02)
    outer.cancel("outside")
    await report("cancelled, inner returns:", outer)
    outer = asyncio.create_task(asyncio.wait_for(inner("j", "end"), 5))
    await asyncio.sleep(0.02)
    outer.cancel("outside")
    await report("cancelled, inner ends:", outer)
    outer = asyncio.create_task(asyncio.wait_for(inner("k", "end", 0.04), 0.02))
    await asyncio.sleep(0.04)
    outer.cancel("outside, after the timeout")
    await report("timed out, then cancelled:", outer)

    future = loop.create_future()
    await report("future:", asyncio.wait_for(future, 0.02))
    print(future.cancelled())
    future = loop.create_future()
    loop.call_later(0.02, future.set_result, "result")
    await report("in time:", asyncio.wait_for(future, 1))
    await report("None:", asyncio.wait_for(asyncio.sleep(0.02, "slept"), None))
    me = asyncio.current_task()
    async def same_task():
        return asyncio.current_task() is me
    print(await asyncio.wait_for(same_task(), 1))

asyncio.run(main())
