# Rule: a lock is handed on in order; a waiter that is cancelled, woken or not, passes its turn on.
# SPDX-License-Identifier: MIT
import asyncio

async def holder(lock, name, hold=0):
    try:
        async with lock:
            print(name, "has it")
            for _ in range(hold):
                await asyncio.sleep(0)
    except asyncio.CancelledError:
        print(name, "cancelled")
        raise
    print(name, "gave it back")

async def main():
    lock = asyncio.Lock()
    await lock.acquire()
    tasks = [asyncio.create_task(holder(lock, name, 2)) for name in "abcd"]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.sleep(0)
    print("released", lock.locked())
    lock.release()
    print(lock.locked())
    await asyncio.sleep(0)
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(lock.locked())

    await lock.acquire()
    woken = asyncio.create_task(holder(lock, "woken"))
    after = asyncio.create_task(holder(lock, "after"))
    await asyncio.sleep(0)
    lock.release()
    woken.cancel()
    late = asyncio.create_task(holder(lock, "newcomer"))
    await asyncio.gather(woken, after, late, return_exceptions=True)
    print(lock.locked())

    event = asyncio.Event()
    async def waits(name):
        try:
            print(name, await event.wait())
        except asyncio.CancelledError:
            print(name, "cancelled")
            raise
    tasks = [asyncio.create_task(waits(name)) for name in "xyz"]
    await asyncio.sleep(0)
    tasks[1].cancel()
    event.set()
    event.clear()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(event.is_set())

asyncio.run(main())
