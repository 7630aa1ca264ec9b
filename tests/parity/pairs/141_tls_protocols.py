# Rule: protocols over TLS: made after the handshake, data, eof, lost; who closes first does not matter.
# SPDX-License-Identifier: MIT
import asyncio
import sys

sys.path.insert(0, "..")
from certificates import client_context, server_context

class P(asyncio.Protocol):
    def __init__(self, name, wanted):
        self.name = name
        self.wanted = wanted
        self.trace = []
        self.got = ""
        self.lost = asyncio.get_running_loop().create_future()
        self.complete = asyncio.get_running_loop().create_future()
    def connection_made(self, transport):
        self.transport = transport
        self.trace.append("made " + transport.get_extra_info("ssl_object").version())
    def data_received(self, data):
        if not self.got:
            self.trace.append("data")
        self.got += data.decode()
        if len(self.got) == self.wanted:
            self.complete.set_result(None)
    def eof_received(self):
        self.trace.append("eof")
    def connection_lost(self, exc):
        self.trace.append("lost " + repr(exc))
        self.lost.set_result(None)
    def show(self):
        print(self.name, ", ".join(self.trace), "got", len(self.got))

async def talk(who_closes):
    print(who_closes)
    loop = asyncio.get_running_loop()
    served = []
    def factory():
        served.append(P("server", 100000))
        return served[-1]
    server = await loop.create_server(factory, "127.0.0.1", 0, ssl=server_context())
    port = server.sockets[0].getsockname()[1]
    client = P("client", 6)
    transport, protocol = await loop.create_connection(lambda: client, "127.0.0.1", port,
                                                       ssl=client_context())
    print(protocol is client, transport is client.transport, transport.is_closing(),
          transport.is_reading(), transport.can_write_eof())
    client.trace.append("connected")
    transport.write(b"x" * 100000)
    while not served:
        await asyncio.sleep(0)
    await served[0].complete
    served[0].transport.write(b"answer")
    await client.complete
    {"client": client, "server": served[0]}[who_closes].transport.close()
    await client.lost
    await served[0].lost
    transport.write(b"in vain")
    print(transport.is_closing())
    client.show()
    served[0].show()
    server.close()
    await server.wait_closed()

async def main():
    await talk("client")
    await talk("server")

asyncio.run(main())
