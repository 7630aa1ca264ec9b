# Rule: a time limit and a group, whichever is inside, take back their own requests and nobody else's, and both wait for slow cleanups.
# SPDX-License-Identifier: MIT
import asyncio

def count():
    return asyncio.current_task().cancelling()

async def child(name, delay, fails=False, cleanup=0):
    try:
        await asyncio.sleep(delay)
    except asyncio.CancelledError as error:
        print(name, repr(error), count())
        if cleanup > 0:
            await asyncio.sleep(cleanup)
            print(name, "is clean")
        raise
    print(name, "ends")
    if fails:
        raise RuntimeError(name)

async def report(what, awaitable):
    try:
        await awaitable
        print(what, "ends", count())
    except (asyncio.CancelledError, TimeoutError, RuntimeError, ExceptionGroup) as error:
        print(what, repr(error), count())
    await asyncio.sleep(0)

async def group_in_limit(limit, fails_after, cleanup=0, fails=True):
    async with asyncio.timeout(limit) as timeout:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(child("slow", 10, cleanup=cleanup))
                await child("body", fails_after)
                if fails:
                    raise RuntimeError("body")
        finally:
            print("group is over", timeout.expired(), count())

async def limit_in_group(limit, fails_after):
    async with asyncio.TaskGroup() as group:
        group.create_task(child("fails", fails_after, True))
        try:
            async with asyncio.timeout(limit):
                await child("body", 10)
        except TimeoutError as error:
            print("limit", repr(error), count())
            await child("after the limit", 10)

async def children_with_limits():
    async def limited(name, limit, delay):
        async with asyncio.timeout(limit):
            await child(name, delay)
    async with asyncio.TaskGroup() as group:
        group.create_task(limited("in time", 10, .01))
        group.create_task(limited("late", .03, 10))
        group.create_task(limited("other", 10, 10))
        await child("body", .02)

async def swallows_the_limit():
    async with asyncio.timeout(.01) as timeout:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError as error:
            print("swallowed", repr(error), count())
        print("goes on", timeout.expired(), count())
        await asyncio.sleep(.01)
    print("after", timeout.expired(), count())

async def fails_in_cleanup():
    try:
        async with asyncio.timeout(.01):
            async with asyncio.TaskGroup() as group:
                group.create_task(child("slow", 10))
                try:
                    await asyncio.sleep(10)
                except asyncio.CancelledError:
                    raise RuntimeError("cleanup")
    except ExceptionGroup as error:
        print("fails", repr(error), count())
        raise

async def twice(limit):
    async with asyncio.timeout(limit):
        async with asyncio.TaskGroup() as outer:
            outer.create_task(child("outer child", 10))
            async with asyncio.TaskGroup() as inner:
                inner.create_task(child("inner child", .02, True))

async def main():
    print("== a group in a limit that expires")
    await report("limit", group_in_limit(.02, 10))
    print("== in one that expires while the group waits")
    await report("limit", group_in_limit(.02, .01, fails=False))
    print("== in one that expires while a child cleans up after an error")
    await report("limit", group_in_limit(.02, .01, cleanup=.03))
    print("== and while it cleans up after the limit")
    await report("limit", group_in_limit(.01, 10, cleanup=.03))
    print("== a group that fails in time")
    await report("limit", group_in_limit(10, .01))
    print("== a limit in a group, the limit first")
    await report("group", limit_in_group(.01, .03))
    print("== the group first")
    await report("group", limit_in_group(.03, .01))
    print("== children with limits of their own")
    await report("group", children_with_limits())
    print("== swallowed")
    await report("limit", swallows_the_limit())
    print("== an error instead")
    await report("limit", fails_in_cleanup())
    print("== groups in a limit, a child fails first")
    await report("limit", twice(.05))
    print("== the limit first")
    await report("limit", twice(.01))
    print("== cancelled from outside while it cleans up after the limit")
    task = asyncio.create_task(group_in_limit(.01, 10, cleanup=.03))
    await asyncio.sleep(.02)
    task.cancel("outside")
    await report("main", task)
    print(task.cancelled(), task.cancelling())

asyncio.run(main())
