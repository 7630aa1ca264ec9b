"""The first program: two coroutines that wait at the same time. Its C++ twin: hello.cpp."""
# SPDX-License-Identifier: MIT
import asyncio


async def say_after(delay, what):
    await asyncio.sleep(delay)
    print(what)
    return len(what)


async def main():
    print("hello")
    later, sooner = await asyncio.gather(say_after(0.1, "world"), say_after(0.05, "async"))
    print(f"{later} and {sooner} characters")


asyncio.run(main())
