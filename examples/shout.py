"""A server and three clients in one program. Its C++ twin: shout.cpp."""
# SPDX-License-Identifier: MIT
import asyncio


async def shout(reader, writer):  # the server: a task per client
    async for line in reader:
        await asyncio.sleep(0.1)
        writer.write(line.upper())


async def ask(port, question):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(question.encode() + b"\n")
    async with asyncio.timeout(2):
        return (await reader.readline()).decode()


async def main():
    server = await asyncio.start_server(shout, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    a, b, c = await asyncio.gather(ask(port, "one"), ask(port, "two"), ask(port, "three"))
    print(a + b + c, end="")


asyncio.run(main())
