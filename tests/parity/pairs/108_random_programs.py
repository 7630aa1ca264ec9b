# Rule: tasks that do one thing or another to each other, drawn by lot, see the same in the same order: who draws next depends on it, so that a difference grows.
# SPDX-License-Identifier: MIT
import asyncio

class Lot:
    def __init__(self, seed):
        self.state = seed

    def pick(self, count):
        self.state = (self.state * 1103515245 + 12345) % 2**31
        return (self.state >> 12) % count

class Program:
    def __init__(self, seed):
        self.lot = Lot(seed)
        self.tasks = []
        self.futures = []

program = None

def pick(count):
    return program.lot.pick(count)

def some_task():
    return program.tasks[pick(len(program.tasks))]

def requests():
    return asyncio.current_task().cancelling()

def look(task):
    if not task.done():
        return "pending"
    if task.cancelled():
        return "cancelled"
    return repr(task.exception()) if task.exception() is not None else "ended"

# Only those before may be awaited: no circles.
async def waits_for_a_task(what, before):
    task = program.tasks[pick(before)]
    if what == 0:
        return "await", await task
    if what == 1:
        return "shield", await asyncio.shield(task)
    if what == 2:
        return "wait_for", await asyncio.wait_for(task, 1000)
    if what == 3:
        return "wait_for no time", await asyncio.wait_for(task, 0)
    async for future in asyncio.as_completed([task]):
        return "as_completed", future.result()

async def waits_for_two(what, before):
    first = program.tasks[pick(before)]
    second = program.tasks[pick(before)]
    try:
        if what == 0:
            return "gather", sum(await asyncio.gather(first, second))
        if what == 1:
            results = await asyncio.gather(first, second, return_exceptions=True)
            return "return_exceptions", sum(isinstance(each, int) for each in results)
        if what == 2:
            return "gather of a shield", sum(await asyncio.gather(asyncio.shield(first), second))
        if what == 3:
            return "shield of a gather", sum(await asyncio.shield(asyncio.gather(first, second)))
        outer = await asyncio.gather(asyncio.gather(first, second), second)
        return "gather of a gather", sum(outer[0]) + outer[1]
    except asyncio.CancelledError:
        raise asyncio.CancelledError("gather")

async def waits_for_some(before):
    tasks = [program.tasks[pick(before)], program.tasks[pick(before)]]
    when = (asyncio.ALL_COMPLETED, asyncio.FIRST_COMPLETED, asyncio.FIRST_EXCEPTION)[pick(3)]
    timeout = 0 if pick(3) == 0 else None
    done, pending = await asyncio.wait(tasks, return_when=when, timeout=timeout)
    return "wait", len(done) * 10 + len(pending)

async def has_a_block(what, me, before, depth):
    if what == 0:
        delay = 0 if pick(2) == 0 else 1000
        async with asyncio.timeout(delay) as timeout:
            await steps(me, before, depth + 1)
        return "timeout", int(timeout.expired())
    if what == 1:
        async with asyncio.TaskGroup() as group:
            number = len(program.tasks)
            program.tasks.append(group.create_task(life(number, before, depth + 1)))
            await steps(me, before, depth + 1)
        return "group", number
    await asyncio.wait_for(steps(me, before, depth + 1), 1000)
    return "wait_for steps", 0

def makes_a_task(eager, before, depth):
    number = len(program.tasks)
    program.tasks.append(None)
    task = asyncio.Task(life(number, before, depth + 1), loop=asyncio.get_running_loop(),
                        eager_start=eager)
    program.tasks[number] = task
    return "task", number + 100 * task.done()

def does_something_to_a_task(what, me):
    task = some_task()
    if task is None:
        return "not made yet", 0
    if what == 0:
        return "cancel", int(task.cancel("by " + str(me)))
    if what == 1:
        return "looks: " + look(task), task.cancelling()
    if what == 2:
        task.add_done_callback(lambda done: print("callback of", me, look(done)))
        return "add_done_callback", 0
    asyncio.get_running_loop().call_soon(lambda: print("soon of", me, task.cancel("soon")))
    return "call_soon", 0

def does_something_to_a_future(what):
    future = program.futures[pick(3)]
    if what == 0:
        future.set_result(7)
    elif what == 1:
        future.set_exception(RuntimeError("of a future"))
    else:
        return "cancel a future", int(future.cancel("of a future"))
    return "set a future", 0

async def act(me, before, depth):
    what = pick(20)
    if what < 5 and before > 0:
        return await waits_for_a_task(what, before)
    if what < 8 and before > 0:
        return await waits_for_two(pick(5), before)
    if what < 9 and before > 0:
        return await waits_for_some(before)
    if what < 11 and depth < 3:
        return await has_a_block(pick(3), me, before, depth)
    if what < 12 and depth < 3:
        return makes_a_task(pick(2) == 0, before, depth)
    if what < 15:
        return does_something_to_a_task(pick(4), me)
    if what < 16:
        return does_something_to_a_future(pick(3))
    if what < 17:
        return "future", await program.futures[pick(3)]
    if what < 18:
        return "uncancel", asyncio.current_task().uncancel()
    if what < 19 and pick(3) == 0:
        if pick(2) == 0:
            raise RuntimeError("of " + str(me))
        return "cancel itself", int(asyncio.current_task().cancel("itself"))
    for _ in range(pick(3) + 1):
        await asyncio.sleep(0)
    return "sleep", 0

async def steps(me, before, depth):
    for _ in range(pick(4) + 1):
        goes_on = pick(2) == 0
        try:
            what, value = await act(me, before, depth)
            print(me, what, value, "requests:", requests())
        except (Exception, asyncio.CancelledError) as error:
            print(me, repr(error), "requests:", requests())
            if not goes_on:
                raise

async def life(me, before, depth):
    await steps(me, before, depth)
    return me

async def turns(count):
    for _ in range(count):
        await asyncio.sleep(0)

async def main(seed):
    global program
    program = Program(seed)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: None)
    program.futures = [loop.create_future() for _ in range(3)]
    print("==", seed)
    for number in range(pick(4) + 2):
        program.tasks.append(asyncio.create_task(life(number, number, 0)))
    await turns(40)
    for _ in range(20):
        left = [task for task in program.tasks if not task.done()]
        if left:
            print("left:", len(left))
        for task in left:
            task.cancel("the end")
        await turns(15 if left else 1)
    for number, task in enumerate(program.tasks):
        print(number, look(task), task.cancelling())

for seed in range(60):
    asyncio.run(main(seed))
