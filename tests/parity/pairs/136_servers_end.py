# Rule: servers: close() with connections under way, close_clients() and abort_clients(), and what comes before wait_closed() returns.
# SPDX-License-Identifier: MIT
import asyncio
import socket

trace = []

def show(title):
    print(title + ":", ", ".join(trace))
    trace.clear()

class P(asyncio.Protocol):
    count = 0
    def __init__(self, on_made=None):
        P.count += 1
        self.name = P.count
        self.on_made = on_made
    def connection_made(self, transport):
        self.transport = transport
        trace.append(f"made {self.name}")
        if self.on_made is not None:
            self.on_made(self)
    def connection_lost(self, exc):
        trace.append(f"lost {exc!r}")

def connect(server, n):
    address = server.sockets[0].getsockname()
    sockets = []
    for _ in range(n):
        sockets.append(socket.create_connection(address))
    return sockets

async def turns():
    await asyncio.sleep(0.01)

async def waits(server, name):
    await server.wait_closed()
    trace.append(name)

async def start(**kwargs):
    loop = asyncio.get_running_loop()
    P.count = 0
    on_made = kwargs.pop("on_made", None)
    return await loop.create_server(lambda: P(on_made), "127.0.0.1", 0, **kwargs)

async def main():
    server = await start()
    peers = connect(server, 3)
    server.close()
    await turns()
    trace.append(f"serving {server.is_serving()} sockets {len(server.sockets)}")
    await server.wait_closed()
    show("pending accepts")
    for peer in peers:
        peer.close()

    server = await start(on_made=lambda p: server.close())
    peers = connect(server, 3)
    await turns()
    trace.append(f"serving {server.is_serving()}")
    waiting = asyncio.create_task(waits(server, "closed"))
    await turns()
    server.close_clients()
    await waiting
    show("close in connection_made")
    for peer in peers:
        peer.close()

    server = await start()
    peers = connect(server, 3)
    await turns()
    first = asyncio.create_task(waits(server, "first"))
    await turns()
    server.close()
    second = asyncio.create_task(waits(server, "second"))
    await turns()
    trace.append("closing the clients")
    peers[1].close()
    await turns()
    server.close_clients()
    server.abort_clients()
    await first
    await second
    show("clients one after the other")
    for peer in peers:
        peer.close()
    await server.wait_closed()
    server.close()
    server.close_clients()
    server.abort_clients()
    show("again")
    try:
        await server.serve_forever()
    except RuntimeError as e:
        print(repr(e))

    server = await start()
    peers = connect(server, 2)
    await turns()
    server.abort_clients()
    trace.append(f"serving {server.is_serving()}")
    await turns()
    peers += connect(server, 1)
    await turns()
    show("aborted")
    serving = asyncio.create_task(server.serve_forever())
    await turns()
    try:
        await server.serve_forever()
    except RuntimeError as e:
        print("already" in str(e))
    for peer in peers:
        peer.close()
    serving.cancel()
    try:
        await serving
    except asyncio.CancelledError:
        trace.append("cancelled")
    show("serve_forever")
    for peer in peers:
        peer.close()

    server = await start(start_serving=False)
    trace.append(f"serving {server.is_serving()}")
    await server.start_serving()
    await server.start_serving()
    trace.append(f"serving {server.is_serving()}")
    async with server:
        peers = connect(server, 1)
        await turns()
        closing = asyncio.get_running_loop().call_soon(peers[0].close)
    trace.append("out")
    show("with")

asyncio.run(main())
