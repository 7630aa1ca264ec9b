# Rule: a task may swallow cancellations and go on; it is not cancelled then, but the count stays until uncancel().
# SPDX-License-Identifier: MIT
import asyncio

async def stubborn():
    me = asyncio.current_task()
    for i in range(3):
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError as error:
            print("swallowed", i, repr(error), me.cancelling())
    return "stubborn"

async def turns_into_error():
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError:
        raise RuntimeError("instead")

async def waits_again(task):
    for i in range(2):
        try:
            print("value", await task)
            return "patient"
        except asyncio.CancelledError as error:
            print("waits again", repr(error), task.done())
    return "gave up"

async def raises_by_itself():
    await asyncio.sleep(0)
    raise asyncio.CancelledError("nobody asked")

async def main():
    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    for message in ("one", "two", "three"):
        task.cancel(message)
        await asyncio.sleep(0.02)
    print(await task, task.cancelled(), task.cancelling(), task.cancel("too late"), task.cancelling())

    task = asyncio.create_task(turns_into_error())
    await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except RuntimeError as error:
        print(repr(error), task.cancelled(), task.cancelling())

    inner = asyncio.create_task(stubborn())
    outer = asyncio.create_task(waits_again(inner))
    await asyncio.sleep(0.02)
    for message in ("first", "second", "third"):
        outer.cancel(message)
        await asyncio.sleep(0.02)
    print(await outer, outer.cancelling(), inner.cancelling())

    task = asyncio.create_task(raises_by_itself())
    try:
        await task
    except asyncio.CancelledError as error:
        print(repr(error), task.cancelled(), task.cancelling())

asyncio.run(main())
