#!/usr/bin/env python3
"""The tasks of process_pool.cpp by CPython's ProcessPoolExecutor, and both beside each other.

usage: pool_bench.py [PATH_OF_process_pool] [TASKS]

Without a program: CPython alone. Run it on a quiet machine of two processors at least.
"""
# SPDX-License-Identifier: MIT
import concurrent.futures
import multiprocessing
import multiprocessing.shared_memory
import array
import subprocess
import sys
import time


def add_one(x):
    return x + 1


def spin(seed):
    for _ in range(600_000):
        seed = (seed * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
    return seed


def first_and_size(numbers):
    return len(numbers)


def size_shared(name):
    memory = multiprocessing.shared_memory.SharedMemory(name)
    size = memory.size
    memory.close()
    return size


def pool_of(workers):
    pool = concurrent.futures.ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("forkserver"))
    list(pool.map(add_one, range(50)))
    return pool


def seconds_of(fn):
    begin = time.perf_counter()
    fn()
    return time.perf_counter() - begin


def python(tasks):
    figures = {}
    with pool_of(2) as pool:
        seconds = seconds_of(lambda: [pool.submit(add_one, i).result() for i in range(tasks // 10)])
        figures["round trips, one at a time"] = tasks / 10 / seconds
        seconds = seconds_of(lambda: [future.result() for future in
                                      [pool.submit(add_one, i) for i in range(tasks)]])
        figures["small tasks, submitted at once"] = tasks / seconds
        seconds = seconds_of(lambda: list(pool.map(add_one, range(tasks), chunksize=100)))
        figures["small tasks, map in chunks of 100"] = tasks / seconds
        alone = seconds_of(lambda: [spin(i) for i in range(40)])
        together = seconds_of(lambda: list(pool.map(spin, range(40))))
        figures["speed-up over two processes"] = alone / together
    with pool_of(1) as pool:
        numbers = array.array("d", [1.0]) * (4 << 20)
        figures["32 MiB, copied (ms)"] = 1e3 * min(
            seconds_of(lambda: pool.submit(first_and_size, numbers).result()) for _ in range(10))
        memory = multiprocessing.shared_memory.SharedMemory(create=True, size=32 << 20)
        figures["32 MiB, shared (ms)"] = 1e3 * min(
            seconds_of(lambda: pool.submit(size_shared, memory.name).result()) for _ in range(10))
        memory.close()
        memory.unlink()
    return figures


def main():
    tasks = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    print(f"CPython {sys.version.split()[0]}:")
    for name, value in python(tasks).items():
        print(f"{name}: {value:.2f}")
    if len(sys.argv) > 1:
        print("asyncio::processes:", flush=True)
        subprocess.run([sys.argv[1], str(tasks * 5)], check=True)


if __name__ == "__main__":
    main()
