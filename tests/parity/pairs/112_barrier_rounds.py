# Rule: a barrier lets a full party through before it takes the next; cancel takes one out, reset() and abort() break who waits.
# SPDX-License-Identifier: MIT
import asyncio

async def comes(barrier, name, rounds=1):
    try:
        for _ in range(rounds):
            index = await barrier.wait()
            print(name, "passes as", index)
    except BaseException as error:
        print(name, type(error).__name__, *error.args)
        raise

def state(barrier):
    print("parties", barrier.parties, "waiting", barrier.n_waiting, "broken", barrier.broken)

async def settle(tasks):
    results = await asyncio.gather(*tasks, return_exceptions=True)
    print([type(result).__name__ for result in results])

async def rounds():
    barrier = asyncio.Barrier(3)
    tasks = [asyncio.create_task(comes(barrier, name, 2)) for name in "abc"]
    await asyncio.sleep(0)
    state(barrier)
    await settle(tasks)
    state(barrier)

async def more_than_fit():
    barrier = asyncio.Barrier(2)
    tasks = [asyncio.create_task(comes(barrier, name)) for name in "abcde"]
    await asyncio.sleep(0.01)
    state(barrier)
    tasks.append(asyncio.create_task(comes(barrier, "f")))
    await settle(tasks)

async def one_is_cancelled():
    barrier = asyncio.Barrier(2)
    tasks = [asyncio.create_task(comes(barrier, "a"))]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.sleep(0)
    state(barrier)
    tasks += [asyncio.create_task(comes(barrier, name)) for name in "bc"]
    await settle(tasks)

async def is_reset():
    barrier = asyncio.Barrier(3)
    tasks = [asyncio.create_task(comes(barrier, name)) for name in "ab"]
    await asyncio.sleep(0)
    await barrier.reset()
    state(barrier)
    tasks += [asyncio.create_task(comes(barrier, name)) for name in "cde"]
    await settle(tasks)
    state(barrier)

async def is_aborted():
    barrier = asyncio.Barrier(3)
    tasks = [asyncio.create_task(comes(barrier, name)) for name in "ab"]
    await asyncio.sleep(0)
    await barrier.abort()
    state(barrier)
    tasks.append(asyncio.create_task(comes(barrier, "late")))
    await settle(tasks)
    await barrier.reset()
    state(barrier)
    await settle([asyncio.create_task(comes(barrier, name)) for name in "xyz"])

async def in_a_block(barrier, name):
    async with barrier as position:
        print(name, "is in as", position)

async def misuse():
    try:
        asyncio.Barrier(0)
    except ValueError as error:
        print(error)
    barrier = asyncio.Barrier(2)
    await asyncio.gather(in_a_block(barrier, "a"), in_a_block(barrier, "b"))

async def main():
    for part in (rounds, more_than_fit, one_is_cancelled, is_reset, is_aborted, misuse):
        print("--", part.__name__)
        await part()

asyncio.run(main())
