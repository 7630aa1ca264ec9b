# Rule: Transport: pause_writing above the high mark, resume_writing at the low one; the marks; what callbacks throw.
# SPDX-License-Identifier: MIT
import asyncio
import socket

class P(asyncio.Protocol):
    def __init__(self):
        self.trace = []
        self.lost = asyncio.get_running_loop().create_future()
        self.resumed = asyncio.get_running_loop().create_future()
    def connection_made(self, transport):
        self.transport = transport
    def data_received(self, data):
        self.trace.append("data " + data.decode())
        raise ValueError("bad data")
    def pause_writing(self):
        self.trace.append("pause")
        raise ValueError("bad pause")
    def resume_writing(self):
        self.trace.append("resume " + str(self.transport.get_write_buffer_size() <= 1000))
        self.resumed.set_result(None)
    def connection_lost(self, exc):
        self.trace.append("lost " + repr(exc))
        self.lost.set_result(None)

async def main():
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    def handler(loop, context):
        print(context["message"], repr(context["exception"]), context["transport"] is transport,
              context["protocol"] is protocol)
    loop.set_exception_handler(handler)
    transport, protocol = await loop.create_connection(P, sock=ours)
    print(transport.get_write_buffer_limits(), transport.get_write_buffer_size())
    transport.set_write_buffer_limits(high=4000)
    print(transport.get_write_buffer_limits())
    transport.set_write_buffer_limits(low=100)
    print(transport.get_write_buffer_limits())
    try:
        transport.set_write_buffer_limits(high=10, low=11)
    except ValueError as e:
        print(repr(e))
    transport.set_write_buffer_limits(high=10**9, low=1000)
    written = 0
    while transport.get_write_buffer_size() == 0:
        transport.write(b"x" * 100000)
        written += 100000
    size = transport.get_write_buffer_size()
    transport.set_write_buffer_limits(high=size, low=1000)
    print(protocol.trace)
    transport.write(b"y")
    written += 1
    print(protocol.trace, transport.get_write_buffer_size() - size)
    transport.write(b"z")
    written += 1
    print(protocol.trace)
    got = 0
    while got < written:
        try:
            got += len(theirs.recv(65536))
        except BlockingIOError:
            pass
        await asyncio.sleep(0)
    await protocol.resumed
    print(got == written, protocol.trace)
    transport.set_write_buffer_limits(high=0)
    print(transport.get_write_buffer_limits())
    theirs.send(b"hello")
    await protocol.lost
    print(protocol.trace)
    theirs.close()

asyncio.run(main())
