# Rule: BufferedProtocol: get_buffer(-1), buffer_updated(), an empty buffer; set_protocol() while bytes arrive.
# SPDX-License-Identifier: MIT
import asyncio
import socket

class B(asyncio.BufferedProtocol):
    def __init__(self, size):
        self.buffer = bytearray(size)
        self.trace = []
        self.lost = asyncio.get_running_loop().create_future()
    def connection_made(self, transport):
        self.trace.append("made")
    def get_buffer(self, sizehint):
        self.trace.append("get_buffer " + str(sizehint))
        return self.buffer
    def buffer_updated(self, nbytes):
        self.trace.append("updated " + self.buffer[:nbytes].decode())
    def eof_received(self):
        self.trace.append("eof")
    def connection_lost(self, exc):
        self.trace.append("lost " + repr(exc))
        self.lost.set_result(None)

class P(asyncio.Protocol):
    def __init__(self, next):
        self.next = next
        self.trace = []
    def connection_made(self, transport):
        self.trace.append("made")
        self.transport = transport
    def data_received(self, data):
        self.trace.append("data " + data.decode())
        self.transport.set_protocol(self.next)

async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: print(context["message"], repr(context["exception"])))

    ours, theirs = socket.socketpair()
    transport, first = await loop.create_connection(lambda: B(4), sock=ours)
    theirs.send(b"abcdef")
    theirs.close()
    await first.lost
    print(first.trace)

    ours, theirs = socket.socketpair()
    transport, first = await loop.create_connection(lambda: B(0), sock=ours)
    theirs.send(b"abcdef")
    await first.lost
    print(first.trace)
    theirs.close()

    ours, theirs = socket.socketpair()
    second = B(3)
    transport, first = await loop.create_connection(lambda: P(second), sock=ours)
    theirs.send(b"one")
    while len(first.trace) < 2:
        await asyncio.sleep(0)
    print(transport.get_protocol() is second)
    theirs.send(b"four")
    theirs.close()
    await second.lost
    print(first.trace)
    print(second.trace)

asyncio.run(main())
