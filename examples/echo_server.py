"""A server that sends back what it gets, to any number of clients. Its C++ twin: echo_server.cpp."""
# SPDX-License-Identifier: MIT
import asyncio
import sys


async def echo(reader, writer):
    """One client; a task of its own."""
    try:
        while data := await reader.read(64 << 10):
            writer.write(data)
            await writer.drain()  # who does not listen is not answered either
    except ConnectionError:
        pass  # the client has gone
    writer.close()


async def main(port):
    server = await asyncio.start_server(echo, "127.0.0.1", port)
    print("serving on 127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


try:
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8888))
except KeyboardInterrupt:
    print("bye")
