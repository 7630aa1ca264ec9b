# Rule: a cancellation from outside goes through nested groups: all children are cancelled and awaited, then it goes on up.
# SPDX-License-Identifier: MIT
import asyncio

async def leaf(name, clean=0):
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError as error:
        print(name, repr(error))
        if clean:
            await asyncio.sleep(clean)
            print(name, "cleaned up")
        raise

async def inner(name):
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(leaf(name + ".child", 0.02))
    except asyncio.CancelledError as error:
        print(name, "group", repr(error), asyncio.current_task().cancelling())
        raise

async def outer():
    async with asyncio.TaskGroup() as group:
        group.create_task(inner("one"))
        group.create_task(leaf("two"))
        try:
            await inner("body")
        except asyncio.CancelledError as error:
            print("body", repr(error))
            raise
    print("not reached")

async def fails_meanwhile():
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(leaf("a"))
            async def bad_cleanup():
                try:
                    await asyncio.sleep(10)
                except asyncio.CancelledError:
                    await asyncio.sleep(0.02)
                    raise ValueError("cleanup")
            group.create_task(bad_cleanup())
    except ExceptionGroup as error:
        print(repr(error), asyncio.current_task().cancelling())
    print("goes on until the next await")
    try:
        await asyncio.sleep(0)
        print("not reached")
    except asyncio.CancelledError as error:
        print("then", repr(error), asyncio.current_task().cancelling())
        raise

async def report(task):
    try:
        await task
    except asyncio.CancelledError as error:
        print("main", repr(error), task.cancelled(), task.cancelling())

async def main():
    task = asyncio.create_task(outer())
    await asyncio.sleep(0.02)
    task.cancel("outside")
    await report(task)

    task = asyncio.create_task(outer())
    await asyncio.sleep(0.02)
    task.cancel("first")
    await asyncio.sleep(0.01)
    task.cancel("second")
    await report(task)

    task = asyncio.create_task(fails_meanwhile())
    await asyncio.sleep(0.02)
    task.cancel("outside")
    await report(task)

asyncio.run(main())
