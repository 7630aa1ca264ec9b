"""Chapter 6: async generators. Its C++ twin: 06_generators.cpp."""
# SPDX-License-Identifier: MIT
import asyncio
from contextlib import aclosing


# [generator]
async def ticks(count):
    for tick in range(count):
        await asyncio.sleep(0.01)
        yield tick


async def generator():
    async for tick in ticks(3):
        print("tick", tick)
# [/generator]


# [close]
async def rows(name):
    print("open", name)
    try:
        for row in range(1000):
            yield row
    finally:
        await asyncio.sleep(0.01)
        print("close", name)


async def close():
    async with aclosing(rows("table")) as table:
        async for row in table:
            if row == 2:
                print("found", row)
                break
    print("after the block")
# [/close]


# [pipeline]
async def only_even(numbers):
    async for number in numbers:
        if number % 2 == 0:
            yield number


async def pipeline():
    async for number in only_even(ticks(5)):
        print("even", number)
# [/pipeline]


# [send]
async def average():
    total, count, mean = 0.0, 0, None
    while True:
        value = yield mean
        total, count = total + value, count + 1
        mean = total / count


async def send():
    mean = average()
    await anext(mean)  # to the first yield
    for value in (10.0, 20.0, 60.0):
        print(f"{await mean.asend(value):.1f}")
    await mean.aclose()
# [/send]


async def main():
    for part in (generator, close, pipeline, send):
        print(f"-- {part.__name__}")
        await part()


asyncio.run(main())
