# Rule: how many iterations of the loop each kind of await takes.
# SPDX-License-Identifier: MIT
import asyncio

async def instant():
    return 1

async def count(name, make):
    loop = asyncio.get_running_loop()
    ticks = 0
    running = True
    def tick():
        nonlocal ticks
        if running:
            ticks += 1
            loop.call_soon(tick)
    loop.call_soon(tick)
    await asyncio.sleep(0)
    ticks = 0
    await make()
    running = False
    print(name, ticks)
    await asyncio.sleep(0)

async def empty_group():
    async with asyncio.TaskGroup():
        pass

async def group_of_one():
    async with asyncio.TaskGroup() as group:
        group.create_task(instant())

async def handed_over():
    lock = asyncio.Lock()
    await lock.acquire()
    asyncio.get_running_loop().call_soon(lock.release)
    await lock.acquire()

async def uncontended():
    lock = asyncio.Lock()
    async with lock:
        pass

async def from_queue(ready):
    queue = asyncio.Queue()
    if ready:
        queue.put_nowait(1)
    else:
        asyncio.get_running_loop().call_soon(queue.put_nowait, 1)
    await queue.get()

async def event(ready):
    flag = asyncio.Event()
    if ready:
        flag.set()
    else:
        asyncio.get_running_loop().call_soon(flag.set)
    await flag.wait()

async def future_from_callback():
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, 1)
    await future

async def main():
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    done.set_result(1)
    async def await_done():
        await done
    await count("done future", await_done)
    await count("coroutine", instant)
    await count("sleep(0)", lambda: asyncio.sleep(0))
    await count("task", lambda: asyncio.create_task(instant()))
    await count("gather of two", lambda: asyncio.gather(instant(), instant()))
    await count("gather of nothing", lambda: asyncio.gather(*[]))
    await count("wait_for coroutine", lambda: asyncio.wait_for(instant(), 1))
    await count("wait_for task", lambda: asyncio.wait_for(asyncio.create_task(instant()), 1))
    await count("empty group", empty_group)
    await count("group of one", group_of_one)
    await count("uncontended lock", uncontended)
    await count("lock handed over", handed_over)
    await count("item in the queue", lambda: from_queue(True))
    await count("item comes", lambda: from_queue(False))
    await count("event set", lambda: event(True))
    await count("event comes", lambda: event(False))
    await count("future set by a callback", future_from_callback)

asyncio.run(main())
