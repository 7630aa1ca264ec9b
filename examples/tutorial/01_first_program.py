"""Chapter 1: a first program. Its C++ twin: 01_first_program.cpp."""
# SPDX-License-Identifier: MIT
# [program]
import asyncio


async def say_after(delay, what):
    await asyncio.sleep(delay)
    print(what)
    return len(what)


async def main():
    print("hello")
    first = await say_after(0.03, "one")
    second, third = await asyncio.gather(say_after(0.06, "three"), say_after(0.03, "two"))
    return first + second + third


print(asyncio.run(main()), "characters")
# [/program]
