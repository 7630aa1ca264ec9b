# Rule: in which turn as_completed() gives what, and to whom when several wait or are cancelled.
# SPDX-License-Identifier: MIT
import asyncio

async def turns(count):
    for turn in range(count):
        print("- turn", turn)
        await asyncio.sleep(0)

async def take(name, completed, numbers):
    try:
        while True:
            future = await anext(completed, None)
            if future is None:
                break
            print(name, "got", numbers[future])
    except asyncio.CancelledError:
        print(name, "cancelled")
        raise
    except TimeoutError as error:
        print(name, repr(error))
    print(name, "ends")

async def instant(value):
    return value

async def result_of_one():
    for item in asyncio.as_completed([instant(1)]):
        print("result", await item)

async def future_of_one():
    async for future in asyncio.as_completed([instant(1)]):
        print("future", future.result(), isinstance(future, asyncio.Task))

async def main():
    loop = asyncio.get_running_loop()

    def some(count):
        futures = [loop.create_future() for _ in range(count)]
        return futures, {future: number for number, future in enumerate(futures)}

    print("== one coroutine")
    task = asyncio.create_task(future_of_one())
    await turns(5)
    task = asyncio.create_task(result_of_one())
    await turns(5)

    print("== two take turns")
    futures, numbers = some(4)
    completed = asyncio.as_completed(futures)
    a = asyncio.create_task(take("a", completed, numbers))
    b = asyncio.create_task(take("b", completed, numbers))
    await turns(1)
    futures[2].set_result(None)
    await turns(3)
    futures[0].set_result(None)
    futures[3].cancel()
    await turns(3)
    futures[1].set_exception(RuntimeError("not looked at"))
    await turns(3)
    print(a.done(), b.done(), repr(futures[1].exception()))

    print("== one is cancelled while it waits")
    futures, numbers = some(2)
    completed = asyncio.as_completed(futures)
    a = asyncio.create_task(take("a", completed, numbers))
    b = asyncio.create_task(take("b", completed, numbers))
    await turns(1)
    a.cancel()
    futures[1].set_result(None)
    await turns(3)
    futures[0].set_result(None)
    await turns(3)
    print(a.cancelled(), b.done())

    print("== one is cancelled when it has been woken")
    futures, numbers = some(2)
    completed = asyncio.as_completed(futures)
    a = asyncio.create_task(take("a", completed, numbers))
    b = asyncio.create_task(take("b", completed, numbers))
    await turns(1)
    futures[0].set_result(None)
    loop.call_soon(lambda: print("cancel", a.cancel()))
    await turns(4)
    futures[1].set_result(None)
    await turns(3)
    print(a.cancelled(), b.done())

    print("== one that need not wait is quicker")
    futures, numbers = some(2)
    completed = asyncio.as_completed(futures)
    async def late():
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await take("quick", completed, numbers)
    a = asyncio.create_task(take("a", completed, numbers))
    await turns(1)
    quick = asyncio.create_task(late())
    await turns(1)
    futures[0].set_result(None)
    await turns(3)
    futures[1].set_result(None)
    await turns(3)
    print(a.done(), quick.done())

    print("== the time is up in the turn in which one is done")
    futures, numbers = some(3)
    completed = asyncio.as_completed(futures, timeout=0.01)
    a = asyncio.create_task(take("a", completed, numbers))
    await turns(1)
    futures[0].set_result(None)
    await asyncio.sleep(0.02)
    await turns(1)
    b = asyncio.create_task(take("b", completed, numbers))
    await turns(2)
    print(futures[1].done(), await anext(completed, "nothing more"))

asyncio.run(main())
