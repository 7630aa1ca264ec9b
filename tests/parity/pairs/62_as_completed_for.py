# Rule: as_completed() in a plain `for` gives coroutines, each of which waits for the next result.
# SPDX-License-Identifier: MIT
import asyncio

async def work(name, delay):
    await asyncio.sleep(delay)
    if name.startswith("bad"):
        raise RuntimeError(name)
    return name

async def report(name, awaitable):
    try:
        print(name, "got", await awaitable)
    except (RuntimeError, TimeoutError, asyncio.CancelledError) as error:
        print(name, repr(error))

async def main():
    loop = asyncio.get_running_loop()

    print("== in the order of completion")
    for next_one in asyncio.as_completed([work("a", .03), work("bad b", .02), work("c", .01)]):
        await report("next", next_one)

    print("== what is given twice counts once")
    task = asyncio.create_task(work("twice", .01))
    for next_one in asyncio.as_completed([task, task, task]):
        await report("next", next_one)
    for next_one in asyncio.as_completed([]):
        print("not reached")

    print("== futures, done and not")
    first = loop.create_future()
    first.set_result("done before")
    second = loop.create_future()
    loop.call_later(.01, second.cancel, "cancelled")
    third = loop.create_future()
    loop.call_later(.02, third.set_exception, RuntimeError("failed"))
    for next_one in asyncio.as_completed([third, second, first]):
        await report("next", next_one)

    print("== not awaited in order")
    items = list(asyncio.as_completed([work("one", .01), work("two", .02), work("three", .03)]))
    print(len(items))
    await report("last", items[2])
    await report("middle", items[1])
    await report("first", items[0])

    print("== awaited together")
    items = [asyncio.create_task(report(str(number), item)) for number, item in enumerate(
        asyncio.as_completed([work("slow", .03), work("quick", .01), work("medium", .02)]))]
    await asyncio.wait(items)

    print("== out of time")
    slow = asyncio.create_task(work("slow", .05))
    also = asyncio.create_task(work("also slow", .06))
    items = asyncio.as_completed([slow, also, work("quick", .01)], timeout=.03)
    for next_one in items:
        await report("next", next_one)
    print(slow.done(), also.done(), slow.cancelling())
    print(await slow, await also)

    print("== no time at all")
    for next_one in asyncio.as_completed([first, work("never seen", 0)], timeout=0):
        await report("next", next_one)
    await asyncio.sleep(.01)

asyncio.run(main())
