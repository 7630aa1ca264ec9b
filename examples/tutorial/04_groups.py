"""Chapter 4: groups and timeouts. Its C++ twin: 04_groups.cpp. Needs Python 3.13."""
# SPDX-License-Identifier: MIT
import asyncio
import errno


# [group]
async def fetch(name, delay):
    await asyncio.sleep(delay)
    return f"{name}'s page"


async def group():
    async with asyncio.TaskGroup() as tasks:
        a = tasks.create_task(fetch("a", 0.02))
        b = tasks.create_task(fetch("b", 0.01))
    print(a.result(), "and", b.result())
# [/group]


# [failure]
async def fail(delay, error):
    await asyncio.sleep(delay)
    raise error


async def slow():
    try:
        await asyncio.sleep(3600)
    finally:
        print("slow is cancelled")


async def failure():
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(slow())
            tasks.create_task(fail(0.01, ValueError("first")))
            tasks.create_task(fail(0.01, OSError(errno.ENOENT, "second")))
    except* ValueError as group:
        for error in group.exceptions:
            print("values:", repr(error))
    except* OSError as group:
        print("system:", len(group.exceptions))
# [/failure]


# [timeout]
async def limits():
    try:
        async with asyncio.timeout(0.05):
            print(await fetch("quick", 0.01))
            print(await fetch("slow", 3600))
    except TimeoutError:
        print("too slow")
    try:
        print(await asyncio.wait_for(fetch("another", 3600), 0.01))
    except TimeoutError:
        print("too slow as well")
# [/timeout]


# [reschedule]
async def patience():
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(0.05) as limit:
        for page in ("one", "two", "three"):
            print(await fetch(page, 0.03))
            limit.reschedule(loop.time() + 0.05)  # 50 ms for each page, not for all
    print("expired:", limit.expired())
# [/reschedule]


async def main():
    for part in (group, failure, limits, patience):
        print(f"-- {part.__name__}")
        await part()


asyncio.run(main())
