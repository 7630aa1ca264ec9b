"""Programs as parts of a program: a filter, a conversation, a time limit. Its C++ twin: processes.cpp."""
# SPDX-License-Identifier: MIT
import asyncio
from asyncio.subprocess import PIPE


async def count_words(text):  # all at once
    process = await asyncio.create_subprocess_exec("wc", "-w", stdin=PIPE, stdout=PIPE)
    out, _ = await process.communicate(text.encode())
    return int(out)


async def converse():  # line by line
    process = await asyncio.create_subprocess_exec("sed", "-u", "s/$/!/", stdin=PIPE, stdout=PIPE)
    for word in "ready", "steady", "go":
        process.stdin.write(word.encode() + b"\n")
        await process.stdin.drain()
        print((await process.stdout.readline()).decode(), end="")
    process.stdin.close()
    print("status", await process.wait())


async def give_up():  # a program that takes too long
    process = await asyncio.create_subprocess_exec("sleep", "1000")
    try:
        async with asyncio.timeout(0.1):
            await process.wait()
    except TimeoutError:
        process.kill()
        print("killed:", await process.wait())


async def main():
    print(*await asyncio.gather(count_words("to be or not to be"), count_words("that is")))
    await converse()
    await give_up()
    try:
        await asyncio.create_subprocess_exec("no-such-program")
    except FileNotFoundError:
        print("no such program")


asyncio.run(main())
