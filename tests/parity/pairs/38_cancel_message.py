# Rule: cancel() travels down to what the task waits for, and the message comes up through every await.
# SPDX-License-Identifier: MIT
import asyncio

async def leaf(name):
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError as error:
        print(name, repr(error), asyncio.current_task().cancelling())
        raise

async def through_task(task):
    try:
        await task
    except asyncio.CancelledError as error:
        print("through task", repr(error), task.cancelled())
        raise

async def through_gather(*children):
    try:
        await asyncio.gather(*children)
    except asyncio.CancelledError as error:
        print("through gather", repr(error), [child.cancelled() for child in children])
        raise

async def replaces(task):
    try:
        await task
    except asyncio.CancelledError:
        raise asyncio.CancelledError("another message")

async def report(task):
    try:
        await task
    except asyncio.CancelledError as error:
        print("main", repr(error), task.cancelled(), task.cancelling())

async def main():
    inner = asyncio.create_task(leaf("leaf"))
    outer = asyncio.create_task(through_task(asyncio.create_task(through_task(inner))))
    await asyncio.sleep(0.02)
    outer.cancel("deep")
    print("requested", outer.cancelling(), inner.cancelling(), inner.done())
    await report(outer)
    print(inner.cancelled(), inner.cancelling())

    children = [asyncio.create_task(leaf(name)) for name in "ab"]
    outer = asyncio.create_task(through_gather(*children))
    await asyncio.sleep(0.02)
    outer.cancel("wide")
    await report(outer)
    print([child.cancelling() for child in children])

    inner = asyncio.create_task(leaf("inner"))
    outer = asyncio.create_task(through_task(inner))
    await asyncio.sleep(0.02)
    inner.cancel("only the inner one")
    await report(outer)

    inner = asyncio.create_task(leaf("quiet"))
    outer = asyncio.create_task(replaces(inner))
    await asyncio.sleep(0.02)
    outer.cancel("first message")
    await report(outer)

    outer = asyncio.create_task(leaf("no message"))
    await asyncio.sleep(0)
    outer.cancel()
    await report(outer)

asyncio.run(main())
