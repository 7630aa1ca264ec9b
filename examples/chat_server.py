"""Everybody who connects hears what everybody says. Its C++ twin: chat_server.cpp."""
# SPDX-License-Identifier: MIT
import asyncio
import functools
import sys


class Guest:
    def __init__(self, name):
        self.name = name
        self.lines = asyncio.Queue(100)  # that are to be sent


def say(room, line):
    for guest in room:
        # A guest who does not listen keeps nobody waiting: what does not fit is lost on him.
        if not guest.lines.full():
            guest.lines.put_nowait(line)


async def send_lines(guest, writer):
    try:
        while True:
            writer.write((await guest.lines.get()).encode())
            await writer.drain()
    except asyncio.QueueShutDown:
        pass  # the guest has left


async def receive_lines(guest, reader, room):
    while line := await reader.readline():
        say(room, f"{guest.name}: {line.decode()}")
    guest.lines.shutdown()


async def welcome(room, reader, writer):
    """One connection; a task of its own, with two more for its directions."""
    writer.write(b"Who are you?\n")
    guest = Guest((await reader.readline()).decode().rstrip("\r\n"))
    if not guest.name:
        return
    room.append(guest)
    say(room, f"{guest.name} has come\n")
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(send_lines(guest, writer))
            group.create_task(receive_lines(guest, reader, room))
    except ExceptionGroup:
        pass  # a broken connection is but one more way to leave
    finally:
        room.remove(guest)
        say(room, f"{guest.name} has left\n")
        writer.close()


async def main(port):
    room = []
    server = await asyncio.start_server(functools.partial(welcome, room), "127.0.0.1", port)
    print("serving on 127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        server.close()
        server.abort_clients()  # not close_clients(): somebody may never take what is left for him


try:
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8888))
except KeyboardInterrupt:
    print("bye")
