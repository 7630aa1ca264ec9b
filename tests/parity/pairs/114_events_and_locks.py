# Rule: set() wakes who waits at that moment, whatever happens before they run; release() hands a lock on only when its heir runs.
# SPDX-License-Identifier: MIT
import asyncio

async def waits(event, name):
    try:
        print(name, await event.wait(), event.is_set())
    except asyncio.CancelledError:
        print(name, "cancelled")
        raise

async def settle(tasks):
    results = await asyncio.gather(*tasks, return_exceptions=True)
    print([type(result).__name__ for result in results])

async def set_and_cleared():
    event = asyncio.Event()
    tasks = [asyncio.create_task(waits(event, name)) for name in "abc"]
    await asyncio.sleep(0)
    event.set()
    event.clear()
    tasks[1].cancel()
    tasks.append(asyncio.create_task(waits(event, "late")))
    await asyncio.sleep(0.01)
    print([task.done() for task in tasks])
    event.set()
    event.set()
    await settle(tasks)
    await waits(event, "at once")

async def locks(lock, name):
    async with lock:
        print(name, "has it")
        await asyncio.sleep(0)

async def heirs():
    lock = asyncio.Lock()
    await lock.acquire()
    tasks = [asyncio.create_task(locks(lock, name)) for name in "ab"]
    await asyncio.sleep(0)
    lock.release()
    print("free until the heir runs:", lock.locked())
    tasks.append(asyncio.create_task(locks(lock, "new")))
    await lock.acquire()
    print("queued behind", [task.done() for task in tasks])
    lock.release()
    await settle(tasks)

async def heir_cancelled():
    lock = asyncio.Lock()
    await lock.acquire()
    tasks = [asyncio.create_task(locks(lock, name)) for name in "abc"]
    await asyncio.sleep(0)
    tasks[1].cancel()
    lock.release()
    tasks[0].cancel()
    await settle(tasks)
    print(lock.locked())

async def misuse():
    lock = asyncio.Lock()
    try:
        lock.release()
    except RuntimeError as error:
        print(error)
    async with lock:
        try:
            await asyncio.wait_for(lock.acquire(), 0.01)
        except TimeoutError:
            print("does not nest")
    print(lock.locked())

async def main():
    for part in (set_and_cleared, heirs, heir_cancelled, misuse):
        print("--", part.__name__)
        await part()

asyncio.run(main())
