# Rule: TLS streams: what is known of a connection; the peer's end closes both directions; write_eof() is refused.
# SPDX-License-Identifier: MIT
import asyncio
import sys

sys.path.insert(0, "..")
from certificates import client_context, server_context

async def serve(reader, writer):
    tls = writer.get_extra_info("ssl_object")
    print("server", tls.version(), tls.server_side, writer.get_extra_info("peercert"))
    while line := (await reader.readline()).decode():
        print("server got", line.strip())
        writer.write(("echo " + line).encode())
        await writer.drain()
    print("server at_eof", reader.at_eof(), "closing", writer.is_closing())
    writer.close()
    await writer.wait_closed()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context())
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client_context())
    tls = writer.get_extra_info("ssl_object")
    print(tls.version(), tls.server_side, tls.server_hostname, tls.selected_alpn_protocol(),
          tls.session_reused, writer.get_extra_info("cipher"), writer.get_extra_info("compression"))
    certificate = tls.getpeercert()
    print(certificate["subject"], certificate["subjectAltName"])
    print("can_write_eof", writer.can_write_eof())
    try:
        writer.write_eof()
    except NotImplementedError:
        print("not implemented")
    print(writer.transport.get_write_buffer_limits())
    for line in ("one", "two", "three"):
        writer.write((line + "\n").encode())
    for _ in range(3):
        print((await reader.readline()).decode().strip())
    writer.write(b"")
    writer.writelines([b"a", b"", b"b\n"])
    print((await reader.readline()).decode().strip())
    writer.close()
    print("closing", writer.is_closing())
    await writer.wait_closed()
    server.close()
    await server.wait_closed()
    print("closed")

asyncio.run(main())
