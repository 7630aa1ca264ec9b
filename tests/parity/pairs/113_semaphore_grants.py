# Rule: release() grants a permit to the first who waits; nobody overtakes him, and if he is cancelled it goes to the next.
# SPDX-License-Identifier: MIT
import asyncio

async def holder(semaphore, name, turns):
    try:
        async with semaphore:
            print(name, "in")
            for _ in range(turns):
                await asyncio.sleep(0)
            print(name, "leaves")
    except asyncio.CancelledError:
        print(name, "cancelled")
        raise

async def settle(tasks):
    results = await asyncio.gather(*tasks, return_exceptions=True)
    print([type(result).__name__ for result in results])

async def in_order():
    semaphore = asyncio.Semaphore(2)
    await settle([asyncio.create_task(holder(semaphore, name, turns))
                  for name, turns in (("a", 3), ("b", 1), ("c", 2), ("d", 0), ("e", 1))])
    print(semaphore.locked())

async def no_overtaking():
    semaphore = asyncio.Semaphore(1)
    await semaphore.acquire()
    tasks = [asyncio.create_task(holder(semaphore, name, 1)) for name in "ab"]
    await asyncio.sleep(0)
    semaphore.release()
    print("granted, so locked:", semaphore.locked())
    tasks.append(asyncio.create_task(holder(semaphore, "me", 0)))
    await settle(tasks)

async def cancelled_when_granted():
    semaphore = asyncio.Semaphore(1)
    await semaphore.acquire()
    tasks = [asyncio.create_task(holder(semaphore, name, 0)) for name in "abc"]
    await asyncio.sleep(0)
    semaphore.release()
    tasks[0].cancel()
    await asyncio.sleep(0)
    await settle(tasks)
    print(semaphore.locked())

async def several_releases():
    semaphore = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(holder(semaphore, name, 0)) for name in "abcd"]
    await asyncio.sleep(0)
    for _ in range(3):
        semaphore.release()
    tasks[1].cancel()
    tasks[3].cancel()
    await settle(tasks)
    print(semaphore.locked())

async def bounds():
    try:
        asyncio.Semaphore(-1)
    except ValueError as error:
        print(error)
    bounded = asyncio.BoundedSemaphore(1)
    try:
        bounded.release()
    except ValueError as error:
        print(error)
    async with bounded:
        print(bounded.locked())
    print(bounded.locked())

async def main():
    for part in (in_order, no_overtaking, cancelled_when_granted, several_releases, bounds):
        print("--", part.__name__)
        await part()

asyncio.run(main())
