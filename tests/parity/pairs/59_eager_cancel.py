# Rule: a request to cancel that comes in the first, eager step is delivered at the first wait.
# SPDX-License-Identifier: MIT
import asyncio

def eager(coroutine):
    loop = asyncio.get_running_loop()
    return asyncio.Task(coroutine, loop=loop, eager_start=True)

async def report(name, awaitable):
    try:
        print(name, "got", await awaitable)
    except (asyncio.CancelledError, RuntimeError, TimeoutError) as error:
        print(name, repr(error))

async def cancels_itself_and_waits():
    print(asyncio.current_task().cancel("own"))
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError as error:
        print("at the first wait", repr(error))
        raise

async def cancels_itself_and_ends():
    asyncio.current_task().cancel("own")
    return 1

async def cancels_itself_and_takes_it_back():
    asyncio.current_task().cancel("own")
    print(asyncio.current_task().uncancel())
    await asyncio.sleep(0)
    return 2

async def cancels(other):
    print("cancels the other:", other.cancel("by the child"), other.cancelling())
    await asyncio.sleep(0)
    return 3

async def is_cancelled_by_its_child():
    child = eager(cancels(asyncio.current_task()))
    print("after the child's first step", asyncio.current_task().cancelling())
    try:
        await child
    except asyncio.CancelledError as error:
        print("the maker", repr(error), child.cancelled(), child.done())
    await report("child", child)

async def waits(name):
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError as error:
        print(name, repr(error))
        raise

async def with_timeout():
    async with asyncio.timeout(0.01):
        await asyncio.sleep(10)

async def with_timeout_passed():
    async with asyncio.timeout(-1):
        print("in the block")
        await asyncio.sleep(0)
        print("not reached")

async def with_group():
    async with asyncio.TaskGroup() as group:
        group.create_task(waits("child of a group"))
        group.create_task(cancels(asyncio.current_task()))
        print("body")

async def main():
    task = eager(cancels_itself_and_waits())
    print(task.done(), task.cancelling())
    await report("waits", task)
    task = eager(cancels_itself_and_ends())
    print(task.done(), task.cancelled())
    await report("ends", task)
    await report("took back", eager(cancels_itself_and_takes_it_back()))
    await report("parent", eager(is_cancelled_by_its_child()))

    task = eager(waits("cancelled at once"))
    print(task.cancel("outside"), task.done())
    await report("outside", task)
    task = eager(asyncio.sleep(0, 4))
    print(task.cancel("before the second step"), task.done())
    await report("second step", task)

    await report("timeout", eager(with_timeout()))
    await report("timeout passed", eager(with_timeout_passed()))
    task = eager(with_group())
    print("group", task.done())
    await report("group", task)

asyncio.run(main())
