# Rule: what a protocol does inside of its callbacks: close, abort, pause, set_protocol, write; and when it takes effect.
# SPDX-License-Identifier: MIT
import asyncio
import socket

class P(asyncio.Protocol):
    def __init__(self, trace, name="", **hooks):
        self.trace = trace
        self.name = name
        self.hooks = hooks
        self.keep_open = False
        self.lost = asyncio.get_running_loop().create_future()
    def run(self, what):
        self.trace.append(self.name + what)
        hook = self.hooks.get(what.split()[0])
        if hook is not None:
            hook(self)
    def soon(self, what):
        asyncio.get_running_loop().call_soon(self.trace.append, "soon " + what)
    def connection_made(self, transport):
        self.transport = transport
        self.run("made")
    def data_received(self, data):
        self.run("data " + data.decode())
    def eof_received(self):
        self.run("eof")
        return self.keep_open
    def pause_writing(self):
        self.run("pause")
    def resume_writing(self):
        self.run("resume")
    def connection_lost(self, exc):
        self.run("lost " + repr(exc))
        self.lost.set_result(None)

class B(asyncio.BufferedProtocol):
    def __init__(self, trace):
        self.trace = trace
        self.buffer = bytearray(4)
        self.lost = asyncio.get_running_loop().create_future()
    def get_buffer(self, sizehint):
        return self.buffer
    def buffer_updated(self, nbytes):
        self.trace.append("buffered " + self.buffer[:nbytes].decode())
    def connection_lost(self, exc):
        self.trace.append("buffered lost " + repr(exc))
        self.lost.set_result(None)

async def turns(n=20):
    for _ in range(n):
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)

async def connect(title, before=b"", **hooks):
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    if before:
        theirs.send(before)
    print("--", title)
    trace = []
    loop = asyncio.get_running_loop()
    transport, p = await loop.create_connection(lambda: P(trace, **hooks), sock=ours)
    trace.append("connected")
    return transport, p, theirs, trace

def show(trace):
    print(", ".join(trace))
    trace.clear()

def received(theirs):
    try:
        return theirs.recv(1000)
    except BlockingIOError:
        return "nothing"
    except ConnectionResetError:
        return "reset"

def close_between(p):
    p.soon("before")
    p.transport.close()
    p.soon("after")
    p.trace.append(f"closing {p.transport.is_closing()} reading {p.transport.is_reading()}")

def abort_between(p):
    p.soon("before")
    p.transport.abort()
    p.soon("after")

def write_and_close(p):
    p.transport.write(b"bye")
    close_between(p)
    p.transport.write(b"too late")

def pause(p):
    p.transport.pause_reading()
    p.transport.pause_reading()
    p.trace.append(f"reading {p.transport.is_reading()}")

def eof_twice(p):
    p.transport.write(b"last")
    p.transport.write_eof()
    p.transport.write_eof()
    for write in p.transport.write, lambda data: p.transport.writelines([data]):
        try:
            write(b"more")
        except RuntimeError as e:
            p.trace.append(repr(e))

def write_when_lost(p):
    p.trace.append(f"closing {p.transport.is_closing()}")
    p.transport.write(b"in vain")
    p.transport.close()
    p.transport.abort()
    p.transport.pause_reading()
    p.transport.resume_reading()
    p.trace.append(f"{p.transport.get_write_buffer_size()}")

async def main():
    transport, p, theirs, trace = await connect("close in data_received", data=close_between)
    theirs.send(b"one")
    await turns()
    theirs.close()
    show(trace)

    transport, p, theirs, trace = await connect("close in connection_made", b"ignored", made=write_and_close)
    await p.lost
    show(trace)
    print(received(theirs))
    theirs.close()

    transport, p, theirs, trace = await connect("abort in connection_made", b"ignored", made=abort_between)
    await p.lost
    show(trace)
    theirs.close()

    transport, p, theirs, trace = await connect("pause in connection_made", b"kept", made=pause)
    await turns()
    show(trace)
    transport.resume_reading()
    trace.append(f"reading {transport.is_reading()}")
    await turns()
    show(trace)
    transport.pause_reading()
    transport.resume_reading()
    transport.resume_reading()
    theirs.send(b"more")
    await turns()
    show(trace)
    transport.pause_reading()
    theirs.send(b"and the end")
    theirs.close()
    await turns()
    show(trace)
    transport.resume_reading()
    await p.lost
    show(trace)

    transport, p, theirs, trace = await connect("pause in data_received", data=pause)
    theirs.send(b"one")
    await turns()
    theirs.send(b"two")
    await turns()
    show(trace)
    transport.close()
    transport.resume_reading()
    trace.append(f"reading {transport.is_reading()}")
    await p.lost
    show(trace)
    theirs.close()

    transport, p, theirs, trace = await connect("write_eof in data_received", data=eof_twice)
    theirs.send(b"one")
    await turns()
    show(trace)
    print(received(theirs), received(theirs))
    theirs.send(b"two")
    p.hooks.clear()
    await turns()
    show(trace)
    theirs.close()
    await p.lost
    show(trace)

    transport, p, theirs, trace = await connect("set_protocol in data_received")
    other = P(trace, "other ")
    p.hooks["data"] = lambda p: p.transport.set_protocol(other)
    theirs.send(b"one")
    await turns()
    theirs.send(b"two")
    await turns()
    buffered = B(trace)
    transport.set_protocol(buffered)
    theirs.send(b"threefour")
    await turns()
    show(trace)
    print(transport.get_protocol() is buffered)
    theirs.close()
    await buffered.lost
    show(trace)

    transport, p, theirs, trace = await connect("half open")
    p.keep_open = True
    theirs.shutdown(socket.SHUT_WR)
    await turns()
    show(trace)
    print(transport.is_closing(), transport.is_reading())
    transport.write(b"still there")
    await turns()
    print(received(theirs))
    show(trace)
    transport.close()
    await p.lost
    show(trace)
    theirs.close()

    transport, p, theirs, trace = await connect("close in eof_received", eof=close_between)
    p.keep_open = True
    theirs.close()
    await p.lost
    show(trace)

    transport, p, theirs, trace = await connect("write in connection_lost", lost=write_when_lost)
    transport.abort()
    transport.close()
    await p.lost
    show(trace)
    theirs.close()

    transport, p, theirs, trace = await connect("close with something left", pause=lambda p: p.trace.append("paused"))
    transport.set_write_buffer_limits(high=10**9)
    while transport.get_write_buffer_size() == 0:
        transport.write(b"x" * 100000)
    transport.close()
    transport.write(b"dropped")
    await turns()
    show(trace)
    while not p.lost.done():
        received(theirs)
        await asyncio.sleep(0)
    show(trace)
    theirs.close()

    transport, p, theirs, trace = await connect("abort with something left")
    transport.set_write_buffer_limits(high=10**9)
    while transport.get_write_buffer_size() == 0:
        transport.write(b"x" * 100000)
    transport.close()
    transport.abort()
    print(transport.get_write_buffer_size())
    await p.lost
    show(trace)
    theirs.close()

    transport, p, theirs, trace = await connect("the peer goes while we write", pause=lambda p: None)
    theirs.close()
    transport.write(b"x")
    trace.append(f"closing {transport.is_closing()}")
    await p.lost
    show(trace)

asyncio.run(main())
