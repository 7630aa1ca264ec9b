# Rule: the factory is asked for each task of nested gathers, and an eager tree runs depth first, as if it were calls.
# SPDX-License-Identifier: MIT
import asyncio

lazy_tasks = 0
eager_tasks = 0

def counting(coroutine, *, eager_start=False, **options):
    global lazy_tasks, eager_tasks
    if eager_start:
        eager_tasks += 1
    else:
        lazy_tasks += 1
    return asyncio.Task(coroutine, eager_start=eager_start, **options)

def lazy_factory(loop, coroutine, **options):
    return counting(coroutine, loop=loop, **options)

async def chain(depth):
    return 0 if depth == 0 else 1 + await chain(depth - 1)

async def tree(name, depth):
    print(name, "down")
    if depth > 0:
        left, right = await asyncio.gather(tree(name + "l", depth - 1), tree(name + "r", depth - 1))
        print(name, "up", left + right)
        return left + right
    return 1

async def waiting_tree(name, depth):
    print(name, "down")
    if depth > 0:
        left = asyncio.create_task(waiting_tree(name + "l", depth - 1))
        right = asyncio.create_task(waiting_tree(name + "r", depth - 1))
        print(name, "made", left.done(), right.done())
        left, right = await left, await right
        print(name, "up", left + right)
        return left + right
    await asyncio.sleep(0)
    print(name, "up")
    return 1

async def give(future, value):
    future.set_result(value)

async def same_task(seen):
    seen.append(asyncio.current_task())
    await asyncio.sleep(0)
    seen.append(asyncio.current_task())
    await asyncio.sleep(0.01)
    seen.append(asyncio.current_task())

async def run_all(factory):
    global lazy_tasks, eager_tasks
    loop = asyncio.get_running_loop()
    lazy_tasks = eager_tasks = 0
    loop.set_task_factory(factory)
    print(await chain(100), lazy_tasks, eager_tasks)
    print("leaves:", await tree("t", 2), lazy_tasks, eager_tasks)
    print("leaves:", await waiting_tree("w", 2), lazy_tasks, eager_tasks)

    future = loop.create_future()
    task = asyncio.create_task(give(future, "given"))
    print(task.done(), future.done(), await future)
    print(task.cancel("too late for an eager one"), task.cancelled())
    await asyncio.wait([task])
    print(task.cancelled(), task.cancelling())

    task = asyncio.create_task(asyncio.sleep(10))
    print(task.cancel("at once"), task.done())
    try:
        await task
    except asyncio.CancelledError as error:
        print(repr(error))

    seen = []
    task = asyncio.create_task(same_task(seen))
    await task
    print(len(seen), all(each is task for each in seen), asyncio.current_task() is task)
    print("tasks:", lazy_tasks, eager_tasks)

async def main():
    print("== lazy")
    await run_all(lazy_factory)
    print("== eager")
    await run_all(asyncio.create_eager_task_factory(counting))

asyncio.run(main())
