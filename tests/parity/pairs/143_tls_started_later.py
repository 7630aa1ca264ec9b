# Rule: start_tls() of a StreamWriter: plain text before, TLS afterwards, with the same reader and writer.
# SPDX-License-Identifier: MIT
import asyncio
import sys

sys.path.insert(0, "..")
from certificates import client_context, server_context

async def serve(reader, writer):
    print("server", (await reader.readline()).decode().strip())
    writer.write(b"go on\n")
    await writer.drain()
    before = writer.transport
    await writer.start_tls(server_context())
    print("server tls", writer.get_extra_info("ssl_object").version(), writer.can_write_eof())
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()
    print("server ends")

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    print(writer.get_extra_info("ssl_object"), writer.get_extra_info("cipher"), writer.can_write_eof())
    writer.write(b"STARTTLS\n")
    print((await reader.readline()).decode().strip())
    await writer.start_tls(client_context(), server_hostname="localhost")
    tls = writer.get_extra_info("ssl_object")
    print(tls.version(), tls.server_hostname, writer.get_extra_info("cipher"), writer.can_write_eof())
    print(writer.get_extra_info("peername")[1] == port)
    for line in (b"one\n", b"two\n"):
        writer.write(line)
        print((await reader.readline()).decode().strip())
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"STARTTLS, with another name\n")
    print((await reader.readline()).decode().strip())
    try:
        await writer.start_tls(client_context(), server_hostname="example.org")
    except Exception as e:
        print(type(e).__name__, e.verify_code, e.verify_message)
    print(writer.is_closing() or writer.transport.is_closing())
    server.close()

loop = asyncio.new_event_loop()
loop.set_exception_handler(lambda loop, context: None)
loop.run_until_complete(main())
