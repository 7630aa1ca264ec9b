"""Chapter 8: streams. Its C++ twin: 08_streams.cpp."""
# SPDX-License-Identifier: MIT
import asyncio


# [server]
async def answer(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()
# [/server]


# [client]
async def ask(port, *questions):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for question in questions:
        writer.write(f"{question}\n".encode())
        print("answer:", (await reader.readline()).decode().rstrip())
    writer.close()
    await writer.wait_closed()


async def lines():
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await ask(port, "who", "where")
        await ask(port, "when")
# [/client]


# [framing]
async def frames(reader, writer):
    try:
        while True:
            size = int.from_bytes(await reader.readexactly(1))
            print("frame:", (await reader.readexactly(size)).decode())
    except asyncio.IncompleteReadError as error:
        print("left over:", error.partial.decode())
    writer.write(b"thanks")
    writer.close()


async def framing():
    async with await asyncio.start_server(frames, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x05first\x06second\x09bro")
        writer.write_eof()  # that is all from here; the answer can still come
        print("answer:", (await reader.read()).decode())
        writer.close()
        await writer.wait_closed()
# [/framing]


# [trouble]
async def silent(reader, writer):
    await reader.read()  # says nothing until the client has gone
    writer.close()


async def trouble():
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(0.02):
            await reader.readline()
    except TimeoutError:
        print("no answer")
    writer.close()
    await writer.wait_closed()

    server.close()
    await server.wait_closed()
    try:
        await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        print("nobody there")
# [/trouble]


async def main():
    for part in (lines, framing, trouble):
        print(f"-- {part.__name__}")
        await part()


asyncio.run(main())
