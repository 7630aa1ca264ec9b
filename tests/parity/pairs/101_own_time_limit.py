# Rule: with cancel(), cancelling() and uncancel() a program can write a time limit of its own, which nests and lets cancellations of others pass.
# SPDX-License-Identifier: MIT
import asyncio

async def limited(name, delay, awaitable):
    task = asyncio.current_task()
    before = task.cancelling()
    is_up = False

    def time_up():
        nonlocal is_up
        is_up = True
        task.cancel(name)

    handle = asyncio.get_running_loop().call_later(delay, time_up)
    error = None
    result = None
    try:
        result = await awaitable
    except asyncio.CancelledError as caught:
        error = caught
    finally:
        handle.cancel()
    if is_up:
        left = task.uncancel()
        print(name, "is up,", left, "left,", repr(error))
        if error is not None and left <= before:
            raise TimeoutError
    if error is not None:
        raise error
    return result

async def work(name, delay):
    await asyncio.sleep(delay)
    print(name, "ends")
    return 1

async def cleans_up(name, delay, cleanup):
    try:
        await asyncio.sleep(delay)
    except asyncio.CancelledError as error:
        print(name, repr(error))
        await asyncio.sleep(cleanup)
        print(name, "is clean")
        raise
    return 2

async def refuses(name):
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError as error:
        print(name, repr(error))
    return 3

async def report(what, awaitable):
    try:
        print(what, "gave", await awaitable)
    except TimeoutError as error:
        print(what, repr(error))
    except asyncio.CancelledError as error:
        print(what, repr(error))
    print("requests:", asyncio.current_task().cancelling())
    await asyncio.sleep(0)

async def cancelled_from_outside(delay, awaitable):
    task = asyncio.create_task(awaitable)
    await asyncio.sleep(delay)
    task.cancel("outside")
    await report("outside", task)
    print(task.cancelled(), task.cancelling())

async def main():
    print("== in time")
    await report("quick", limited("long", 10, work("quick", .01)))
    print("== out of time")
    await report("slow", limited("short", .01, work("slow", 10)))
    print("== the inner one first")
    await report("nested", limited("outer", .03, limited("inner", .01, work("slow", 10))))
    print("== the outer one first")
    await report("nested", limited("outer", .01, limited("inner", .03, work("slow", 10))))
    print("== both, one after the other")
    await report("nested", limited("outer", .03, limited("inner", .01, cleans_up("slow", 10, 5))))
    print("== around a library's limit")
    await report("library", limited("own", .03, asyncio.wait_for(cleans_up("slow", 10, 5), .01)))
    print("== inside a library's limit")
    await report("library", asyncio.wait_for(limited("own", .01, cleans_up("slow", 10, 5)), .03))
    print("== a result all the same")
    await report("refused", limited("short", .01, refuses("stubborn")))
    print("== cancelled before")
    await cancelled_from_outside(.01, limited("long", 10, cleans_up("work", 10, .01)))
    print("== cancelled while it cleans up")
    await cancelled_from_outside(.02, limited("short", .01, cleans_up("work", 10, 5)))
    print("== out of time while it cleans up")
    await cancelled_from_outside(.01, limited("short", .02, cleans_up("work", 10, 5)))

asyncio.run(main())
