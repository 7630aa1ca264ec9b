"""Chapter 5: locks and queues. Its C++ twin: 05_locks_and_queues.cpp. Needs Python 3.13."""
# SPDX-License-Identifier: MIT
import asyncio


# [lock]
class Account:
    def __init__(self, balance):
        self.balance = balance
        self.lock = asyncio.Lock()

    async def withdraw(self, who, amount):
        async with self.lock:
            if self.balance < amount:
                print(f"{who}: no")
                return
            await asyncio.sleep(0.01)  # ask the bank: without the lock, others would look now
            self.balance -= amount
            print(f"{who}: yes, {self.balance} left")


async def lock():
    account = Account(100)
    await asyncio.gather(account.withdraw("Ann", 70), account.withdraw("Ben", 70))
# [/lock]


# [semaphore]
async def download(limit, active, number):
    async with limit:
        active.append(number)
        await asyncio.sleep(0.01)
        print(f"{number}: {len(active)} at a time")
        active.remove(number)


async def semaphore():
    limit = asyncio.Semaphore(2)
    active = []
    await asyncio.gather(*(download(limit, active, number) for number in range(3)))
# [/semaphore]


# [event]
async def runner(name, start):
    await start.wait()
    print(f"{name} runs")


async def event():
    start = asyncio.Event()
    runners = [asyncio.create_task(runner(name, start)) for name in ("Ann", "Ben")]
    await asyncio.sleep(0.01)
    print("go")
    start.set()
    await asyncio.gather(*runners)
# [/event]


# [condition]
async def consume(condition, items):
    async with condition:
        await condition.wait_for(lambda: len(items) >= 2)
        print("took", items)
        items.clear()


async def condition():
    changed = asyncio.Condition()
    items = []
    consumer = asyncio.create_task(consume(changed, items))
    for item in (1, 2):
        await asyncio.sleep(0.01)
        async with changed:
            items.append(item)
            changed.notify()
    await consumer
# [/condition]


# [queue]
async def worker(name, queue):
    try:
        while True:
            job = await queue.get()
            print(f"{name} has job {job}")
            await asyncio.sleep(0.01)
    except asyncio.QueueShutDown:
        print(f"{name} goes home")


async def queue():
    jobs = asyncio.Queue(2)
    async with asyncio.TaskGroup() as group:
        group.create_task(worker("Ann", jobs))
        group.create_task(worker("Ben", jobs))
        for job in range(4):
            await jobs.put(job)  # waits while two are in it
        jobs.shutdown()  # what is in it is still given out
# [/queue]


async def main():
    for part in (lock, semaphore, event, condition, queue):
        print(f"-- {part.__name__}")
        await part()


asyncio.run(main())
