# Rule: a getter or putter cancelled after it was woken passes the wake-up on, and no item is lost.
# SPDX-License-Identifier: MIT
import asyncio

async def getter(queue, name):
    try:
        item = await queue.get()
        print(name, "got", item)
    except asyncio.CancelledError:
        print(name, "cancelled")
        raise

async def putter(queue, name):
    try:
        await queue.put(name)
        print(name, "is in")
    except asyncio.CancelledError:
        print(name, "cancelled")
        raise

async def main():
    queue = asyncio.Queue()
    tasks = [asyncio.create_task(getter(queue, name)) for name in ("g1", "g2", "g3")]
    await asyncio.sleep(0)
    queue.put_nowait("x")
    tasks[0].cancel()
    await asyncio.sleep(0.02)
    print(queue.qsize(), [task.done() for task in tasks])
    tasks[1].cancel()
    queue.put_nowait("y")
    await asyncio.sleep(0.02)
    print(queue.qsize(), [task.done() for task in tasks])

    only = asyncio.create_task(getter(queue, "only"))
    await asyncio.sleep(0)
    queue.put_nowait("kept")
    only.cancel()
    await asyncio.sleep(0.02)
    print("the item stays", queue.qsize(), queue.get_nowait())

    queue = asyncio.Queue(1)
    queue.put_nowait("first")
    tasks = [asyncio.create_task(putter(queue, name)) for name in ("p1", "p2", "p3")]
    await asyncio.sleep(0)
    print(queue.get_nowait())
    tasks[0].cancel()
    await asyncio.sleep(0.02)
    print(queue.full(), [task.done() for task in tasks])
    print(queue.get_nowait())
    await asyncio.sleep(0.02)
    print(queue.get_nowait(), queue.empty())

    queue = asyncio.Queue(1)
    waiting = asyncio.create_task(getter(queue, "waits"))
    await asyncio.sleep(0)
    queue.put_nowait("stolen")
    print("whoever runs first takes it:", await queue.get())
    await asyncio.sleep(0)
    print(waiting.done())
    await queue.put("second")
    await waiting
    print(queue.qsize(), queue.full())

asyncio.run(main())
