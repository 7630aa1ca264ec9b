# Rule: a cancellation is raised at the await inside the generator and goes on to the task that asks; a generator may catch it and give another item.
# SPDX-License-Identifier: MIT
import asyncio

async def numbers(name):
    n = 0
    while True:
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError as error:
            print(name, "sees", repr(error))
            raise
        yield n
        n += 1

async def stubborn():
    try:
        await asyncio.sleep(1)
    except asyncio.CancelledError:
        print("caught")
    yield "an item after all"
    await asyncio.sleep(0)
    yield "and one more"

async def consumer(generator):
    try:
        async for item in generator:
            print("got", item)
    except asyncio.CancelledError as error:
        print("consumer sees", repr(error))
        raise

async def nested(name):
    async for item in numbers(name):
        yield item

async def cancel(task, message=None):
    await asyncio.sleep(0)
    task.cancel(message)
    try:
        await task
        print("ended well,", task.cancelling())
    except asyncio.CancelledError as error:
        print("cancelled", repr(error))

async def main():
    a = numbers("a")
    await cancel(asyncio.create_task(consumer(a)), "why")
    print(await anext(a, "at its end"))

    b = stubborn()
    await cancel(asyncio.create_task(consumer(b)))
    print(await anext(b, "at its end"))

    c = nested("innermost")
    await cancel(asyncio.create_task(consumer(c)))
    print(await anext(c, "at its end"))

    d = numbers("d")
    try:
        async with asyncio.timeout(0.01):
            await d.__anext__()
    except TimeoutError as error:
        print(repr(error))
    print(await anext(d, "at its end"))

    # Between two items nothing waits in the generator: it knows nothing of a cancellation.
    async def between(generator):
        await generator.__anext__()
        await asyncio.sleep(1)
    async def plain():
        yield 1
        yield 2
    e = plain()
    await cancel(asyncio.create_task(between(e)))
    print(await anext(e, "at its end"))

    async def cancels_itself():
        asyncio.current_task().cancel()
        f = plain()
        print("no await, no cancellation:", await f.__anext__(), await f.__anext__())
        await asyncio.sleep(0)
    await cancel(asyncio.create_task(cancels_itself()))

asyncio.run(main())
