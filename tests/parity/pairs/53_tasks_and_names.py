# Rule: tasks start at the next iteration, in their order; names are counted; awaiters wake in order; a task cannot await itself.
# SPDX-License-Identifier: MIT
import asyncio

async def step(name):
    print(name, "starts", asyncio.current_task().get_name())
    await asyncio.sleep(0)
    return name

async def fail():
    await asyncio.sleep(0)
    raise ValueError("shared")

async def waits(task, name):
    try:
        print(name, await task)
    except ValueError as error:
        print(name, repr(error))

async def awaits_itself():
    try:
        await asyncio.current_task()
    except RuntimeError:
        print("a task cannot await itself")

async def main():
    print(asyncio.current_task().get_name())
    a = asyncio.create_task(step("a"))
    b = asyncio.create_task(step("b"), name="named")
    print(a.get_name(), b.get_name(), a.done())
    b.set_name("renamed")
    waiters = [asyncio.create_task(waits(a, name)) for name in ("first", "second", "third")]
    print(len(asyncio.all_tasks()))
    await asyncio.gather(*waiters)
    print(b.done(), b.result(), b.get_name(), len(asyncio.all_tasks()))

    failing = asyncio.create_task(fail())
    waiters = [asyncio.create_task(waits(failing, name)) for name in ("first", "second")]
    await asyncio.gather(*waiters)
    await asyncio.create_task(awaits_itself())

    task = asyncio.create_task(step("c"))
    for method, argument in ((task.set_result, "x"), (task.set_exception, ValueError("x"))):
        try:
            method(argument)
        except RuntimeError as error:
            print(repr(error))
    try:
        task.result()
    except asyncio.InvalidStateError as error:
        print(repr(error))
    print(await task, await task, task.exception())

asyncio.run(main())
