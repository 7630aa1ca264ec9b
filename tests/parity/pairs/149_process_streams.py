# A conversation with a program, line by line; several programs at once; a pipeline of two.
import asyncio
import os
from asyncio.subprocess import PIPE


async def converse():
    process = await asyncio.create_subprocess_shell(
        "while read x; do echo \"<$x>\"; done; echo end >&2", stdin=PIPE, stdout=PIPE, stderr=PIPE)
    for line in "one", "two", "three":
        process.stdin.write(line.encode() + b"\n")
        await process.stdin.drain()
        print((await process.stdout.readline()).decode().strip())
    process.stdin.close()
    await process.stdin.wait_closed()
    print(await process.stdout.read() == b"", (await process.stderr.read()).decode().strip())
    print(await process.wait())


async def shout(text):
    process = await asyncio.create_subprocess_exec("tr", "a-z", "A-Z", stdin=PIPE, stdout=PIPE)
    out, _ = await process.communicate(text.encode())
    return out.decode()


async def main():
    await converse()
    print(*await asyncio.gather(shout("a"), shout("b"), shout("c")))

    r, w = os.pipe()
    first = await asyncio.create_subprocess_exec("printf", "b\\na\\n", stdout=w)
    os.close(w)
    second = await asyncio.create_subprocess_exec("sort", stdin=r, stdout=PIPE)
    os.close(r)
    async for line in second.stdout:
        print(line.decode().strip())
    print(await first.wait(), await second.wait())

    process = await asyncio.create_subprocess_exec("env", stdout=PIPE, env={"A": "1"})
    out, _ = await process.communicate()
    print(out.decode().strip())
    process = await asyncio.create_subprocess_exec("pwd", stdout=PIPE, cwd="/")
    out, _ = await process.communicate()
    print(out.decode().strip())


asyncio.run(main())
