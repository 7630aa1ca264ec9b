# Rule: an eager task's first step runs inside create_task(), as the current task, nested or not.
# SPDX-License-Identifier: MIT
import asyncio

def me():
    task = asyncio.current_task()
    return task.get_name() if task else "no task"

def eager(coroutine, name):
    loop = asyncio.get_running_loop()
    return asyncio.Task(coroutine, loop=loop, name=name, eager_start=True)

def names():
    return " ".join(sorted(task.get_name() for task in asyncio.all_tasks()))

def done(task):
    print(task.get_name(), "is done, in", me())

async def instant(value):
    print("instant in", me(), "| all:", names())
    return value

async def two_steps(value):
    print("first step in", me(), "| all:", names())
    await asyncio.sleep(0)
    print("second step in", me(), "| all:", names())
    return value

async def nested(depth):
    print("down", depth, me())
    if depth > 0:
        below = eager(nested(depth - 1), f"nested {depth - 1}")
        below.add_done_callback(done)
        print("made", depth, me(), below.done())
        await below
    else:
        await asyncio.sleep(0)
    print("up", depth, me())

async def awaits_its_maker(task):
    print("awaits its maker in", me())
    print("its maker gave", await task)

async def maker():
    await asyncio.sleep(0)
    eager(awaits_its_maker(asyncio.current_task()), "child")
    print("the maker goes on in", me())
    return "all it had"

def from_callback():
    print("callback:", me())
    task = eager(two_steps(3), "from a callback")
    print("callback:", me(), task.done())

async def main():
    loop = asyncio.get_running_loop()
    asyncio.current_task().set_name("main")

    print("== ends at once")
    loop.call_soon(print, "scheduled before")
    task = eager(instant(1), "one")
    task.add_done_callback(done)
    print(me(), task.done(), task.result(), "| all:", names())
    print(await task)
    await asyncio.sleep(0)

    print("== waits")
    lazy = asyncio.create_task(two_steps(1), name="lazy")
    task = eager(two_steps(2), "two")
    task.add_done_callback(done)
    print(me(), task.done(), "| all:", names())
    print(await task, await lazy)

    print("== nested")
    task = eager(nested(3), "nested 3")
    print(me(), task.done())
    await task
    await asyncio.sleep(0)

    print("== awaits who made it")
    print(await asyncio.create_task(maker(), name="maker"))
    await asyncio.sleep(0)

    print("== from a callback")
    loop.call_soon(from_callback)
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    print("== the loop does not run")

loop = asyncio.new_event_loop()
loop.run_until_complete(main())
loop.set_task_factory(asyncio.eager_task_factory)
task = loop.create_task(nested(0), name="idle")
print(task.done())
loop.run_until_complete(task)
loop.close()
