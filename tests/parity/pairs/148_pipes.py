# Pipes as transports: what comes, the end, a reader that has gone, and what is no pipe.
import asyncio
import os


class Recorder(asyncio.Protocol):
    def __init__(self, name):
        self.name = name
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        print(self.name, "made")

    def data_received(self, data):
        print(self.name, data.decode())

    def eof_received(self):
        print(self.name, "eof")
        return True

    def pause_writing(self):
        print(self.name, "pause")

    def resume_writing(self):
        print(self.name, "resume")

    def connection_lost(self, exc):
        print(self.name, "lost", repr(exc) if exc is None else type(exc).__name__)
        self.done.set_result(None)


def open_pipe():
    r, w = os.pipe()
    return os.fdopen(r, "rb", 0), os.fdopen(w, "wb", 0)


async def main():
    loop = asyncio.get_running_loop()
    r, w = open_pipe()
    reading, reader = await loop.connect_read_pipe(lambda: Recorder("reader"), r)
    writing, writer = await loop.connect_write_pipe(lambda: Recorder("writer"), w)
    writing.write(b"one")
    await asyncio.sleep(0.01)
    reading.pause_reading()
    writing.write(b"two")
    await asyncio.sleep(0.01)
    print("paused", reading.is_reading())
    reading.resume_reading()
    await asyncio.sleep(0.01)
    writing.write_eof()
    await reader.done
    await writer.done

    r, w = open_pipe()
    writing, writer = await loop.connect_write_pipe(lambda: Recorder("writer"), w)
    r.close()
    await writer.done

    r, w = open_pipe()
    writing, writer = await loop.connect_write_pipe(lambda: Recorder("writer"), w)
    writing.write(b"x" * 200_000)
    print(writing.get_write_buffer_size() > 0)
    r.close()
    await writer.done

    r, w = open_pipe()
    writing, writer = await loop.connect_write_pipe(lambda: Recorder("writer"), w)
    writing.write(b"x" * 200_000)
    writing.abort()
    await writer.done
    r.close()

    with open("/etc/passwd", "rb") as file:
        try:
            await loop.connect_read_pipe(lambda: Recorder("reader"), file)
        except ValueError as error:
            print(repr(error))
    with open("/etc/passwd", "rb") as file:
        try:
            await loop.connect_write_pipe(lambda: Recorder("writer"), file)
        except ValueError as error:
            print(repr(error))


asyncio.run(main())
