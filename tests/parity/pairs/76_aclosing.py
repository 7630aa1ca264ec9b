# Rule: aclosing() closes the generator at the end of the block, whatever ends it, before anything after the block runs.
# SPDX-License-Identifier: MIT
import asyncio
from contextlib import aclosing

async def numbers(name):
    error = None
    n = 0
    try:
        while n < 4:
            yield n
            n += 1
    except BaseException as caught:
        error = caught
    await asyncio.sleep(0)
    print(name, "closed after", repr(error))
    if error is not None:
        raise error

async def fails_in_cleanup():
    try:
        yield 1
    except GeneratorExit:
        raise ValueError("in the cleanup")

async def main():
    async with aclosing(numbers("broken off")) as generator:
        async for n in generator:
            print(n)
            if n == 1:
                break
    print("after the block")

    async with aclosing(numbers("read to the end")) as generator:
        async for n in generator:
            print(n)

    mine = numbers("an error")
    try:
        async with aclosing(mine) as generator:
            print(await generator.__anext__())
            raise RuntimeError("in the block")
    except RuntimeError as error:
        print(repr(error))
    print(await anext(mine, "at its end"))

    try:
        async with aclosing(fails_in_cleanup()) as generator:
            await generator.__anext__()
            raise RuntimeError("in the block")
    except ValueError as error:
        print(repr(error))

    async def cancelled():
        async with aclosing(numbers("cancelled")) as generator:
            await generator.__anext__()
            await asyncio.sleep(10)
    task = asyncio.create_task(cancelled())
    await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError as error:
        print(repr(error))

asyncio.run(main())
