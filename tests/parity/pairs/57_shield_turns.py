# Rule: in which turn each side of a shield learns of the other's end, and with which message.
# SPDX-License-Identifier: MIT
import asyncio

async def work(name, value):
    try:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    except asyncio.CancelledError as error:
        print(name, "cancelled", repr(error))
        raise
    print(name, "finished")
    return value

async def waits(name, future):
    try:
        print(name, "got", await asyncio.shield(future))
    except asyncio.CancelledError as error:
        print(name, repr(error))
    except RuntimeError as error:
        print(name, repr(error))

async def turns(count):
    for turn in range(count):
        print("- turn", turn)
        await asyncio.sleep(0)

def done(name):
    return lambda future: print(name, "is done", future.cancelled())

async def main():
    loop = asyncio.get_running_loop()

    print("== a result passes")
    inner = asyncio.create_task(work("inner", 1))
    first = asyncio.create_task(waits("first", inner))
    inner.add_done_callback(done("inner"))
    await turns(1)
    second = asyncio.create_task(waits("second", inner))
    await turns(5)

    print("== an awaiter is cancelled")
    inner = asyncio.create_task(work("inner", 2))
    first = asyncio.create_task(waits("first", inner))
    second = asyncio.create_task(waits("second", inner))
    await turns(1)
    print(first.cancel("why"), inner.cancelling())
    await turns(5)

    print("== the inner is cancelled")
    inner = asyncio.create_task(work("inner", 3))
    first = asyncio.create_task(waits("first", inner))
    await turns(1)
    print(inner.cancel("inner's"))
    await turns(5)

    print("== both in one turn, the outer first")
    inner = loop.create_future()
    outer = asyncio.shield(inner)
    inner.add_done_callback(done("inner"))
    outer.add_done_callback(done("outer"))
    print(outer.cancel("o"), inner.cancel("i"), outer.cancel("again"))
    await turns(3)

    print("== both in one turn, the inner first")
    inner = loop.create_future()
    outer = asyncio.shield(inner)
    inner.add_done_callback(done("inner"))
    outer.add_done_callback(done("outer"))
    inner.set_result(4)
    print(outer.done(), outer.cancel())
    await turns(3)
    print(outer.cancelled(), inner.result())

    print("== a shield of a shield")
    inner = loop.create_future()
    outer = asyncio.shield(asyncio.shield(inner))
    outer.add_done_callback(done("outer"))
    inner.set_exception(RuntimeError("inner"))
    await waits("main", outer)
    print(asyncio.shield(outer) is outer)

    print("== of a coroutine")
    outer = asyncio.shield(work("coroutine", 5))
    print(isinstance(outer, asyncio.Task), outer.done())
    await turns(5)
    print(outer.result())

asyncio.run(main())
