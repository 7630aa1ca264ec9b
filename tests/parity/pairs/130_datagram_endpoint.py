# Rule: in which order the protocol of a datagram endpoint is called, before, between and after its datagrams.
# SPDX-License-Identifier: MIT
import asyncio

class Recorder(asyncio.DatagramProtocol):
    def __init__(self, name):
        self.name = name
        self.count = 0

    def connection_made(self, transport):
        self.transport = transport
        print(self.name, "made", transport.is_closing())
        asyncio.get_running_loop().call_soon(print, self.name, "after made")

    def datagram_received(self, data, addr):
        self.count += 1
        print(self.name, "got", data.decode() or "nothing")
        asyncio.get_running_loop().call_soon(print, self.name, "after", data.decode() or "nothing")
        if data == b"ping":
            self.transport.sendto(b"pong", addr)

    def error_received(self, exc):
        print(self.name, "error", type(exc).__name__)

    def connection_lost(self, exc):
        print(self.name, "lost", exc)

async def until(protocol, count):
    while protocol.count < count:
        await asyncio.sleep(0.001)

async def main():
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: Recorder("server"), local_addr=("127.0.0.1", 0))
    print("server is there")
    address = transport.get_extra_info("sockname")
    client_transport, client = await loop.create_datagram_endpoint(
        lambda: Recorder("client"), remote_addr=address)
    print("client is there", client_transport.get_extra_info("peername") == address)
    print("limits", client_transport.get_write_buffer_limits())

    client_transport.sendto(b"ping")
    print("sent")
    await until(client, 1)
    for data in (b"one", b"", b"three"):
        client_transport.sendto(data)
    await until(server, 4)
    await asyncio.sleep(0.001)

    try:
        client_transport.sendto(b"x", ("127.0.0.1", 1))
    except ValueError as error:
        print(str(error)[:32])
    client_transport.sendto(b"x" * 70000)
    print("closing", client_transport.is_closing())

    loop.call_soon(print, "before lost")
    client_transport.close()
    loop.call_soon(print, "behind lost")
    print("closing", client_transport.is_closing())
    client_transport.close()
    await asyncio.sleep(0)
    print("closed")
    transport.abort()
    await asyncio.sleep(0.001)

    for kwargs in ({}, {"local_addr": ("127.0.0.1", 0), "remote_addr": ("::1", 9)}):
        try:
            await loop.create_datagram_endpoint(lambda: Recorder("no"), **kwargs)
        except ValueError as error:
            print(repr(error))

asyncio.run(main())
