# Rule: Protocol: made, data, eof, lost, once each and in this order; half-open connections; what is written after close().
# SPDX-License-Identifier: MIT
import asyncio

class P(asyncio.Protocol):
    def __init__(self, name, keep_open=False):
        self.name = name
        self.keep_open = keep_open
        self.trace = []
        self.got = ""
        self.lost = asyncio.get_running_loop().create_future()
        self.ended = asyncio.get_running_loop().create_future()
    def connection_made(self, transport):
        self.transport = transport
        self.trace.append("made")
        asyncio.get_running_loop().call_soon(self.trace.append, "turn after made")
    def data_received(self, data):
        if not self.got:
            self.trace.append("data")
        self.got += data.decode()
    def eof_received(self):
        self.trace.append("eof")
        self.ended.set_result(None)
        return self.keep_open
    def connection_lost(self, exc):
        self.trace.append("lost " + repr(exc))
        self.lost.set_result(None)
    def show(self):
        print(self.name, ", ".join(self.trace), "got", repr(self.got))

async def talk(keep_open):
    served = []
    def factory():
        served.append(P("server", keep_open))
        return served[-1]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(factory, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = P("client")
    transport, protocol = await loop.create_connection(lambda: client, "127.0.0.1", port)
    client.trace.append("connected")
    print(protocol is client, transport is client.transport, transport.is_closing(), transport.is_reading())
    transport.write(b"question")
    print("can_write_eof", transport.can_write_eof())
    transport.write_eof()
    try:
        transport.write(b"more")
    except RuntimeError as e:
        print(repr(e))
    try:
        transport.writelines([b"more"])
    except RuntimeError as e:
        print(repr(e))
    while not served:
        await asyncio.sleep(0)
    other = served[0]
    await other.ended
    print("other closing", other.transport.is_closing())
    if keep_open:
        other.transport.write(b"answer")
        other.transport.writelines([b" ", b"in parts"])
        other.transport.close()
        other.transport.close()
    await client.lost
    await other.lost
    print(transport.is_closing(), transport.is_reading(), transport.get_protocol())
    transport.write_eof()
    transport.pause_reading()
    transport.resume_reading()
    transport.close()
    transport.abort()
    await asyncio.sleep(0)
    client.show()
    other.show()
    server.close()
    await server.wait_closed()

async def main():
    await talk(False)
    await talk(True)

asyncio.run(main())
