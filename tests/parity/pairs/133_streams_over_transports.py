# Rule: streams made of transports: StreamReaderProtocol, FlowControlMixin, StreamWriter(transport, ...), set_transport().
# SPDX-License-Identifier: MIT
import asyncio

async def client(server):
    loop = asyncio.get_running_loop()
    host, port = server.sockets[0].getsockname()[:2]
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, made = await loop.create_connection(lambda: protocol, host, port)
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    print(made is protocol, writer.transport is transport, transport.get_protocol() is protocol)
    writer.writelines([b"one\n", b"two\n"])
    await writer.drain()
    print(await reader.readline(), await reader.readline())
    writer.write_eof()
    print(await reader.read(), reader.at_eof(), writer.is_closing())
    writer.close()
    await writer.wait_closed()
    print(writer.is_closing(), transport.get_protocol())
    try:
        await writer.drain()
    except ConnectionResetError as e:
        print(repr(e))

async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(b"got " + line)
        await writer.drain()
    print("server: end")
    writer.write(b"bye")
    writer.close()

class Counting(asyncio.StreamReaderProtocol):
    def __init__(self, reader):
        super().__init__(reader)
        self.trace = []
    def connection_made(self, transport):
        self.trace.append("made")
        super().connection_made(transport)
    def data_received(self, data):
        self.trace.append(f"data {len(data)}")
        super().data_received(data.upper())
    def eof_received(self):
        self.trace.append("eof")
        return super().eof_received()
    def connection_lost(self, exc):
        self.trace.append("lost " + repr(exc))
        super().connection_lost(exc)

class T(asyncio.Transport):
    def __init__(self):
        super().__init__()
        self.trace = []
    def write(self, data):
        self.trace.append("write " + data.decode())
    def is_closing(self):
        return False
    def close(self):
        self.trace.append("close")
    def pause_reading(self):
        self.trace.append("pause")
    def resume_reading(self):
        self.trace.append("resume")

async def drain(name, writer):
    try:
        await writer.drain()
        print(name, "drained")
    except ConnectionError as e:
        print(name, repr(e))

async def by_hand():
    loop = asyncio.get_running_loop()
    transport = T()
    reader = asyncio.StreamReader(limit=4)
    protocol = Counting(reader)
    protocol.connection_made(transport)
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    for chunk in b"12345678", b"9", b"0", b"ab":
        protocol.data_received(chunk)
        print(transport.trace)
    for n in 5, 2, 1, 3:
        print(await reader.read(n), transport.trace)
    for chunk in b"123456789", b"0":
        protocol.data_received(chunk)
        print(transport.trace)
    waits = asyncio.create_task(reader.readexactly(16))
    await asyncio.sleep(0)
    print(transport.trace)
    protocol.data_received(b"cdefgh")
    print(await waits, transport.trace)
    writer.write(b"x")
    protocol.pause_writing()
    first = asyncio.create_task(drain("first", writer))
    second = asyncio.create_task(drain("second", writer))
    await asyncio.sleep(0)
    protocol.resume_writing()
    await first
    await second
    protocol.pause_writing()
    first = asyncio.create_task(drain("first", writer))
    second = asyncio.create_task(drain("second", writer))
    await asyncio.sleep(0)
    first.cancel()
    protocol.connection_lost(ConnectionResetError("cut"))
    await asyncio.wait([first, second])
    print(first.cancelled(), ", ".join(protocol.trace))
    try:
        await reader.read()
    except ConnectionResetError as e:
        print(repr(e))
    try:
        await writer.wait_closed()
    except ConnectionResetError as e:
        print(repr(e))

async def main():
    loop = asyncio.get_running_loop()
    def factory():
        reader = asyncio.StreamReader()
        return asyncio.StreamReaderProtocol(reader, serve)
    server = await loop.create_server(factory, "127.0.0.1", 0)
    await client(server)
    server.close()
    await server.wait_closed()
    await by_hand()

asyncio.run(main())
