#!/usr/bin/env python3
"""The workloads without input and output, with CPython's asyncio, or uvloop if LOOP says so.

    [LOOP=uvloop] tasks.py WORKLOAD SIZE TIMES      ../../workloads.toml says what they are

SPDX-License-Identifier: MIT
"""

import asyncio
import json
import os
import sys
import time


def resident_bytes():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


class Job:
    def __init__(self, workload, size, times):
        self.workload, self.size, self.times = workload, size, times

    def print(self, value, name=None, unit="ns"):
        print(json.dumps({"workload": name or self.workload, "size": self.size,
                          "value": round(value, 3), "unit": unit}))


class Stopwatch:
    """CPU time since it was made."""

    def __init__(self):
        self.start = time.process_time_ns()

    def ns(self):
        return time.process_time_ns() - self.start


async def do_nothing():
    pass


async def yield_often(turns):
    for _ in range(turns):
        await asyncio.sleep(0)


async def measure_switch(job):
    tasks = [asyncio.create_task(yield_often(job.times)) for _ in range(job.size)]
    watch = Stopwatch()
    for task in tasks:
        await task
    job.print(watch.ns() / (job.size * job.times))


async def measure_spawn_batch(job):
    watch = Stopwatch()
    for _ in range(job.times):
        tasks = [asyncio.create_task(do_nothing()) for _ in range(job.size)]
        for task in tasks:
            await task
    job.print(watch.ns() / (job.size * job.times))


async def measure_spawn_seq(job):
    watch = Stopwatch()
    for _ in range(job.times):
        await asyncio.create_task(do_nothing())
    job.print(watch.ns() / job.times)


async def measure_suspended(job):
    event = asyncio.Event()
    tasks = [None] * job.size
    memory = resident_bytes()
    watch = Stopwatch()
    for i in range(job.size):
        tasks[i] = asyncio.create_task(event.wait())
    await asyncio.sleep(0)
    grown = resident_bytes() - memory
    event.set()
    woken = 0
    for task in tasks:
        woken += await task
    del tasks, task
    job.print(watch.ns() / job.size)
    job.print(grown / job.size, "suspended_memory", "bytes")
    assert woken == job.size


async def measure_ping_pong(job):
    loop = asyncio.get_running_loop()
    here, there = loop.create_future(), loop.create_future()

    async def ping():
        nonlocal here
        for _ in range(job.times):
            there.set_result(None)
            await here
            here = loop.create_future()

    async def pong():
        nonlocal there
        for _ in range(job.times):
            await there
            there = loop.create_future()
            here.set_result(None)

    tasks = asyncio.create_task(ping()), asyncio.create_task(pong())
    watch = Stopwatch()
    for task in tasks:
        await task
    job.print(watch.ns() / job.times)


async def measure_queue(job):
    queue = asyncio.Queue(job.size)

    async def produce():
        for i in range(job.times):
            await queue.put(i)

    async def consume():
        total = 0
        for _ in range(job.times):
            total += await queue.get()
        return total

    producer, consumer = asyncio.create_task(produce()), asyncio.create_task(consume())
    watch = Stopwatch()
    await producer
    total = await consumer
    job.print(watch.ns() / job.times)
    assert total == job.times * (job.times - 1) // 2


async def measure_cancel(job):
    event = asyncio.Event()
    tasks = [asyncio.create_task(event.wait()) for _ in range(job.size)]
    await asyncio.sleep(0)
    watch = Stopwatch()
    for task in tasks:
        task.cancel()
    while not tasks[-1].done():
        await asyncio.sleep(0)
    job.print(watch.ns() / job.size)
    assert all(task.cancelled() for task in tasks)


def main():
    if len(sys.argv) != 4:
        sys.exit(f"usage: {sys.argv[0]} WORKLOAD SIZE TIMES")
    measure = globals().get("measure_" + sys.argv[1])
    if measure is None:
        sys.exit(3)
    if os.environ.get("LOOP") == "uvloop":
        import uvloop  # pylint: disable=import-outside-toplevel
        uvloop.install()
    asyncio.run(measure(Job(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))


if __name__ == "__main__":
    main()
