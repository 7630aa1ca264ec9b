#!/usr/bin/env python3
"""CPython's asyncio does the work of `coordination`, and prints the same metrics.

    coordination.py [GROUP...]      groups: locks queues groups timeouts sleepers

A hundredth of the times, because it takes a hundred times as long; what is printed is per
operation.

SPDX-License-Identifier: MIT
"""
import asyncio
import os
import sys
import time

FEWER = 100
LOCK_TIMES = 1_000_000 // FEWER
HANDOVER_TASKS = 10
HANDOVER_TIMES = 20_000 // FEWER
QUEUE_ITEMS = 500_000 // FEWER
GROUP_SIZE = 1_000
GROUP_TIMES = 200 // FEWER
TIMEOUT_TIMES = 200_000 // FEWER
SLEEPERS = 100_000 // FEWER


class Measured:
    """`with Measured(metric, operations):` prints the CPU nanoseconds of each operation."""

    def __init__(self, metric, operations):
        self.metric, self.operations = metric, operations

    def __enter__(self):
        self.start = time.process_time_ns()

    def __exit__(self, *_):
        print(f"{self.metric}={(time.process_time_ns() - self.start) / self.operations:.2f}")


async def do_nothing():
    pass


async def add_one(x):
    return x + 1


async def lock_often(lock, times):
    for _ in range(times):
        await lock.acquire()
        await asyncio.sleep(0)
        lock.release()


async def measure_locks():
    lock = asyncio.Lock()
    with Measured("lock_ns", LOCK_TIMES):
        for _ in range(LOCK_TIMES):
            await lock.acquire()
            lock.release()
    tasks = [asyncio.create_task(lock_often(lock, HANDOVER_TIMES)) for _ in range(HANDOVER_TASKS)]
    with Measured("lock_handover_ns", HANDOVER_TASKS * HANDOVER_TIMES):
        for task in tasks:
            await task


async def produce(queue):
    for i in range(QUEUE_ITEMS):
        await queue.put(i)


async def consume(queue):
    return sum([await queue.get() for _ in range(QUEUE_ITEMS)])


async def measure_queue(metric, capacity):
    queue = asyncio.Queue(capacity)
    producer, consumer = asyncio.create_task(produce(queue)), asyncio.create_task(consume(queue))
    with Measured(metric, QUEUE_ITEMS):
        await producer
        total = await consumer
    assert total == QUEUE_ITEMS * (QUEUE_ITEMS - 1) // 2


async def measure_queues():
    await measure_queue("queue_cap1_ns", 1)
    await measure_queue("queue_cap1024_ns", 1024)


async def measure_groups():
    with Measured("gather_1000_ns", GROUP_TIMES * GROUP_SIZE):
        for _ in range(GROUP_TIMES):
            await asyncio.gather(*[add_one(j) for j in range(GROUP_SIZE)])
    with Measured("taskgroup_1000_ns", GROUP_TIMES * GROUP_SIZE):
        for _ in range(GROUP_TIMES):
            async with asyncio.TaskGroup() as group:
                for _ in range(GROUP_SIZE):
                    group.create_task(do_nothing())


async def measure_timeouts():
    result = 0
    with Measured("timeout_ns", TIMEOUT_TIMES):
        for _ in range(TIMEOUT_TIMES):
            async with asyncio.timeout(10):
                result = await add_one(result)
    with Measured("await_ns", TIMEOUT_TIMES):
        for _ in range(TIMEOUT_TIMES):
            result = await add_one(result)
    loop = asyncio.get_running_loop()
    with Measured("clock_ns", TIMEOUT_TIMES):
        for _ in range(TIMEOUT_TIMES):
            loop.time()


async def measure_sleepers():
    tasks = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(SLEEPERS)]
    await asyncio.sleep(0)
    with Measured("cancel_sleeping_ns", SLEEPERS):
        for task in tasks:
            task.cancel()
        while not tasks[-1].done():
            await asyncio.sleep(0)
    assert all(task.cancelled() for task in tasks)


GROUPS = {
    "locks": measure_locks,
    "queues": measure_queues,
    "groups": measure_groups,
    "timeouts": measure_timeouts,
    "sleepers": measure_sleepers,
}


def main():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    for group in sys.argv[1:] or GROUPS:
        if group not in GROUPS:
            sys.exit(f"{sys.argv[0]}: no group '{group}'; there are: {' '.join(GROUPS)}")
        asyncio.run(GROUPS[group]())


if __name__ == "__main__":
    main()
