# Rule: a child's or the body's error cancels the rest; a child that is only cancelled does not; nothing costs no iteration.
# SPDX-License-Identifier: MIT
import asyncio

async def leaf(name):
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError as error:
        print(name, repr(error))
        raise

async def fail(name, delay):
    await asyncio.sleep(delay)
    raise RuntimeError(name)

async def value(name, delay):
    await asyncio.sleep(delay)
    return name

async def cancels_itself():
    asyncio.current_task().cancel("itself")
    await asyncio.sleep(0)

async def deep():
    async with asyncio.TaskGroup() as group:
        group.create_task(leaf("deep.leaf"))
        group.create_task(fail("deep", 0.02))

async def main():
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(value("first", 0.04))
        lost = group.create_task(cancels_itself())
        second = group.create_task(value("second", 0.02))
    print(first.result(), second.result(), lost.cancelled())

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(leaf("sibling"))
            await asyncio.sleep(0)
            raise ValueError("body")
    except ExceptionGroup as error:
        print(repr(error), asyncio.current_task().cancelling())

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(leaf("outer.leaf"))
            group.create_task(deep())
    except ExceptionGroup as error:
        print(repr(error))
        print(len(error.exceptions), error.message)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail("child", 0.02))
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                raise ValueError("body, while cancelled")
    except ExceptionGroup as error:
        print(sorted(repr(one) for one in error.exceptions))

    loop.call_soon(lambda: print("an empty group does not yield"))
    async with asyncio.TaskGroup():
        pass
    print("empty group left")
    await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        done = group.create_task(value("done", 0))
        await done
        await asyncio.sleep(0)
        loop.call_soon(lambda: print("nor does one whose children are done"))
    print("finished group left", done.result())
    await asyncio.sleep(0)

    try:
        async with asyncio.TaskGroup() as group:
            raise asyncio.CancelledError("raised by the body")
    except asyncio.CancelledError as error:
        print(repr(error), asyncio.current_task().cancelling())

asyncio.run(main())
