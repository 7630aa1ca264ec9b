# Rule: a task cancelled after what it waits for is done, and before it runs, gets CancelledError: the value is lost to it.
# SPDX-License-Identifier: MIT
import asyncio

async def waits(awaitable, name):
    try:
        print(name, "got", await awaitable)
    except asyncio.CancelledError as error:
        print(name, repr(error))
        raise

async def report(task):
    try:
        await task
    except asyncio.CancelledError as error:
        print("main", repr(error), task.cancelled(), task.cancelling())

async def value():
    await asyncio.sleep(0)
    return 7

async def main():
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    task = asyncio.create_task(waits(future, "future"))
    await asyncio.sleep(0)
    future.set_result(1)
    print(task.cancel("late"), future.cancelled())
    await report(task)
    print("the future keeps it:", future.result())

    child = asyncio.create_task(value())
    task = asyncio.create_task(waits(child, "task"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    print(child.done(), task.done(), task.cancel("late"))
    await report(task)
    print("the task keeps it:", child.result())

    future = loop.create_future()
    future.set_result(2)
    async def does_not_notice():
        asyncio.current_task().cancel("pending")
        print("a done future does not look", await future)
        await asyncio.sleep(0)
        print("not reached")
    await report(asyncio.create_task(does_not_notice()))

    event = asyncio.Event()
    task = asyncio.create_task(waits(event.wait(), "event"))
    await asyncio.sleep(0)
    event.set()
    print(task.cancel("late"), event.is_set())
    await report(task)

    lock = asyncio.Lock()
    await lock.acquire()
    task = asyncio.create_task(waits(lock.acquire(), "lock"))
    await asyncio.sleep(0)
    lock.release()
    task.cancel("late")
    await report(task)
    print("the lock is free:", not lock.locked())

asyncio.run(main())
