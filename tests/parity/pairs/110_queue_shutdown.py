# Rule: shutdown() refuses puts at once and gets when nothing is left; at once and for all if immediate, and then join() returns.
# SPDX-License-Identifier: MIT
import asyncio

async def noting(name, awaitable):
    try:
        result = await awaitable
        print(name, "gives", result)
    except BaseException as error:
        print(name, "raises", type(error).__name__)

def start(name, awaitable):
    return asyncio.create_task(noting(name, awaitable))

def now(name, call):
    try:
        print(name, "gives", call())
    except Exception as error:
        print(name, "raises", type(error).__name__)

async def drained():
    queue = asyncio.Queue(2)
    queue.put_nowait(1)
    queue.put_nowait(2)
    tasks = [start("put 3", queue.put(3)), start("put 4", queue.put(4)), start("join", queue.join())]
    await asyncio.sleep(0)
    print("shut down")
    queue.shutdown()
    queue.shutdown()
    now("put_nowait", lambda: queue.put_nowait(5))
    await asyncio.sleep(0.01)
    await noting("put", queue.put(6))
    await noting("get", queue.get())
    now("get_nowait", queue.get_nowait)
    now("get_nowait", queue.get_nowait)
    await noting("get", queue.get())
    queue.task_done()
    await asyncio.sleep(0.01)
    print("one left")
    queue.task_done()
    await asyncio.gather(*tasks)
    now("task_done", queue.task_done)

async def immediate():
    queue = asyncio.Queue()
    for i in range(3):
        queue.put_nowait(i)
    print("got", await queue.get())
    tasks = [start("join", queue.join())]
    await asyncio.sleep(0)
    queue.shutdown(immediate=True)
    print("left", queue.qsize())
    await asyncio.sleep(0.01)
    await noting("get", queue.get())
    queue.task_done()
    await asyncio.gather(*tasks)
    now("task_done", queue.task_done)

async def waiting_getters():
    queue = asyncio.Queue()
    tasks = [start(f"get {i}", queue.get()) for i in range(3)]
    await asyncio.sleep(0)
    queue.put_nowait("last")
    tasks[1].cancel()
    queue.shutdown()
    print("nobody ran yet", queue.qsize())
    await asyncio.gather(*tasks, return_exceptions=True)
    print("empty", queue.empty())

async def later_immediate():
    queue = asyncio.Queue(1)
    queue.put_nowait("a")
    task = start("put b", queue.put("b"))
    await asyncio.sleep(0)
    queue.shutdown()
    queue.shutdown(immediate=True)
    await task
    await noting("join", queue.join())
    await noting("get", queue.get())

async def main():
    for part in (drained, immediate, waiting_getters, later_immediate):
        print("--", part.__name__)
        await part()

asyncio.run(main())
