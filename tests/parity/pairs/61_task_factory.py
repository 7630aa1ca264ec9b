# Rule: everything that makes a task asks the loop's task factory, once, with what it was given.
# SPDX-License-Identifier: MIT
import asyncio

calls = 0

def factory(loop, coroutine, **options):
    global calls
    calls += 1
    print("factory:", calls, loop is asyncio.get_running_loop())
    return asyncio.Task(coroutine, loop=loop, **options)

async def work(value):
    print("work", value)
    await asyncio.sleep(0)
    return value

async def main():
    loop = asyncio.get_running_loop()
    print(loop.get_task_factory() is None)
    loop.set_task_factory(factory)
    print(loop.get_task_factory() is None)

    task = asyncio.create_task(work(1), name="mine")
    print(task.get_name(), await task)
    print(await asyncio.create_task(work(2)))
    print(await loop.create_task(work(3)))
    task = asyncio.ensure_future(work(4))
    print(asyncio.ensure_future(task) is task, await task)
    print(*await asyncio.gather(work(5), task, work(6)))
    async with asyncio.TaskGroup() as group:
        group.create_task(work(7))
        group.create_task(work(8), name="in a group")
    print(await asyncio.shield(work(9)))
    print(await asyncio.wait_for(work(10), 1))
    print(await work(11))
    for next_one in asyncio.as_completed([work(12)]):
        print(await next_one)

    loop.set_task_factory(asyncio.create_eager_task_factory(
        lambda coroutine, **options: factory(coroutine=coroutine, **options)))
    task = asyncio.create_task(work(13))
    print(task.done(), await task)
    loop.set_task_factory(None)
    print(loop.get_task_factory() is None, await asyncio.create_task(work(14), name="last"))

asyncio.run(main())
