"""Chapter 2: coroutines and tasks. Its C++ twin: 02_tasks.cpp."""
# SPDX-License-Identifier: MIT
import asyncio


# [lazy]
async def work(name):
    print(f"{name} begins")
    await asyncio.sleep(0.01)
    print(f"{name} ends")
    return f"{name}'s result"


async def lazy():
    coroutine = work("a")  # nothing has run yet
    print("called")
    print(await coroutine)  # runs here, in this task
# [/lazy]


# [task]
async def concurrent():
    a = asyncio.create_task(work("a"), name="worker a")
    b = asyncio.create_task(work("b"))
    print("made", a.get_name())  # neither has begun
    print(await b)
    print(await a)  # is done already
# [/task]


# [arguments]
async def greet(name, times):
    for _ in range(times):
        await asyncio.sleep(0)
        print(f"hello, {name}")


async def arguments():
    name = "Ann"

    async def later():
        await asyncio.sleep(0)
        print(f"goodbye, {name}")

    await asyncio.gather(greet(name, 2), later())
# [/arguments]


# [errors]
async def fail():
    await asyncio.sleep(0)
    raise ValueError("no such thing")


async def errors():
    task = asyncio.create_task(fail())
    try:
        await task
    except ValueError as error:
        print(f"caught: {error}")
    results = await asyncio.gather(work("c"), fail(), return_exceptions=True)
    print(results[0], "and", repr(results[1]))
# [/errors]


# [wait]
async def nap(name, delay):
    await asyncio.sleep(delay)
    return name


async def first_and_rest():
    tasks = [asyncio.create_task(nap(name, delay))
             for name, delay in (("long", 0.06), ("short", 0.02), ("middle", 0.04))]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    print(len(done), "done,", len(pending), "pending")
    for next_result in asyncio.as_completed(tasks):
        print(await next_result)
# [/wait]


# [future]
async def futures():
    loop = asyncio.get_running_loop()
    answer = loop.create_future()
    answer.add_done_callback(lambda future: print("callback:", future.result()))
    loop.call_later(0.01, answer.set_result, 42)
    print("awaited:", await answer)
# [/future]


async def main():
    for part in (lazy, concurrent, arguments, errors, first_and_rest, futures):
        print(f"-- {part.__name__}")
        await part()


asyncio.run(main())
