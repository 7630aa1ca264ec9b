# Rule: uncancel() down to 0 withdraws a cancellation that was not delivered yet, and only such a one.
# SPDX-License-Identifier: MIT
import asyncio

async def work(name):
    print(name, "runs")
    try:
        await asyncio.sleep(0)
        print(name, "ends", asyncio.current_task().cancelling())
    except asyncio.CancelledError as error:
        print(name, repr(error), asyncio.current_task().cancelling())
        raise
    return name

async def report(task):
    try:
        print("value", await task)
    except asyncio.CancelledError as error:
        print("main", repr(error), task.cancelled())

async def twice():
    me = asyncio.current_task()
    me.cancel("one")
    me.cancel("two")
    print(me.uncancel())
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError as error:
        print("one of two left", repr(error))
    print(me.uncancel(), me.uncancel())
    await asyncio.sleep(0)
    return "goes on"

async def returns_at_once():
    asyncio.current_task().cancel("self")
    return "thrown away"

async def returns_uncancelled():
    me = asyncio.current_task()
    me.cancel("self")
    me.uncancel()
    return "kept"

async def main():
    task = asyncio.create_task(work("a"))
    task.cancel("before it starts")
    print(task.uncancel())
    await report(task)

    task = asyncio.create_task(work("b"))
    task.cancel("once")
    task.cancel("twice")
    print(task.uncancel())
    await report(task)

    task = asyncio.create_task(asyncio.sleep(10, "slept"))
    await asyncio.sleep(0)
    task.cancel("too late to withdraw: the sleep is cancelled")
    print(task.uncancel())
    await report(task)

    await report(asyncio.create_task(twice()))
    await report(asyncio.create_task(returns_at_once()))
    await report(asyncio.create_task(returns_uncancelled()))

asyncio.run(main())
