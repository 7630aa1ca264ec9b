# Rule: when functions that watch descriptors are called, replaced and removed, and what that gives.
# SPDX-License-Identifier: MIT
import asyncio
import os
import socket

async def polls():
    for _ in range(5):
        await asyncio.sleep(0.001)

def attempt(what, function, *args):
    try:
        print(what, function(*args))
    except (OSError, ValueError, RuntimeError) as error:
        print(what, type(error).__name__)

async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(
        lambda loop, context: print(context["message"].split(" main")[0], repr(context["exception"])))
    ours, theirs = socket.socketpair()
    ours.setblocking(False)

    print("remove", loop.remove_reader(ours), loop.remove_writer(ours))

    def read(name, n):
        print(name, "reads", ours.recv(n).decode())
        loop.call_soon(print, "after", name)

    loop.add_reader(ours, read, "first", 1)
    await polls()
    theirs.send(b"abc")
    await polls()

    loop.add_reader(ours, read, "second", 10)
    theirs.send(b"def")
    await polls()

    def write():
        print("writes")
        print("remove", loop.remove_writer(ours))
        print("remove", loop.remove_writer(ours))

    loop.add_writer(ours, write)
    await polls()
    theirs.send(b"ghi")
    await polls()

    def fail():
        ours.recv(1)
        raise RuntimeError("oops")

    loop.add_reader(ours, fail)
    theirs.send(b"jk")
    await polls()

    def end():
        data = ours.recv(10)
        print("ends with", data.decode() or "nothing")
        if not data:
            print("remove", loop.remove_reader(ours))

    loop.add_reader(ours, end)
    theirs.send(b"l")
    theirs.close()
    await polls()
    print("remove", loop.remove_reader(ours))

    attempt("negative", loop.add_reader, -1, print)
    attempt("negative", loop.remove_reader, -1)
    null = os.open("/dev/null", os.O_RDONLY)
    attempt("always ready", loop.add_reader, null, print)
    attempt("always ready", loop.remove_reader, null)
    os.close(null)
    attempt("closed", loop.add_reader, null, print)
    ours.close()

asyncio.run(main())
