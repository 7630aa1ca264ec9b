# Rule: a queue gives the oldest, the smallest or the newest; join() returns when all that was put is done, and counts anew then.
# SPDX-License-Identifier: MIT
import asyncio

async def drain(queue):
    items = []
    while not queue.empty():
        items.append(await queue.get())
    print(items)

async def orders():
    for kind in (asyncio.Queue, asyncio.PriorityQueue, asyncio.LifoQueue):
        queue = kind()
        for item in (3, 1, 2, 3, 0):
            await queue.put(item)
        print(queue.get_nowait(), queue.qsize())
        queue.put_nowait(2)
        await drain(queue)

async def producer(queue, items):
    for item in items:
        await queue.put(item)
        print("put", item, "size", queue.qsize())

async def bounded_orders():
    for kind in (asyncio.Queue, asyncio.PriorityQueue, asyncio.LifoQueue):
        queue = kind(2)
        task = asyncio.create_task(producer(queue, [2, 3, 1]))
        await asyncio.sleep(0)
        print(queue.full(), queue.maxsize)
        print("get", await queue.get())
        await task
        await drain(queue)

async def joins(queue, name):
    await queue.join()
    print(name, "joined")

async def join():
    queue = asyncio.Queue()
    await joins(queue, "empty")
    for i in range(3):
        queue.put_nowait(i)
    tasks = [asyncio.create_task(joins(queue, name)) for name in "ab"]
    for i in range(3):
        await asyncio.sleep(0)
        queue.get_nowait()
        print("done", i)
        queue.task_done()
    queue.put_nowait("again")
    tasks.append(asyncio.create_task(joins(queue, "c")))
    await asyncio.sleep(0.01)
    print([task.done() for task in tasks])
    tasks.append(asyncio.create_task(joins(queue, "cancelled")))
    await asyncio.sleep(0)
    tasks[3].cancel()
    queue.task_done()
    await asyncio.gather(*tasks, return_exceptions=True)
    print([task.cancelled() for task in tasks])

async def fails():
    queue = asyncio.Queue(1)
    for call in (queue.get_nowait, queue.task_done):
        try:
            call()
        except (asyncio.QueueEmpty, ValueError) as error:
            print(type(error).__name__, error)
    queue.put_nowait(1)
    try:
        queue.put_nowait(2)
    except asyncio.QueueFull as error:
        print(type(error).__name__, error)
    try:
        await asyncio.wait_for(queue.put(3), 0.01)
    except TimeoutError:
        print("full", queue.qsize(), queue.get_nowait(), queue.qsize())

async def main():
    for part in (orders, bounded_orders, join, fails):
        print("--", part.__name__)
        await part()

asyncio.run(main())
