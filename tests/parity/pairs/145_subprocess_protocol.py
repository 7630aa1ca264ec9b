# A SubprocessProtocol is told of its pipes and of the end in any order, and of connection_lost last.
import asyncio


class Watcher(asyncio.SubprocessProtocol):
    def __init__(self):
        self.data = {1: b"", 2: b""}
        self.events = []
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        print("made")
        self.transport = transport

    def pipe_data_received(self, fd, data):
        self.data[fd] += data

    def pipe_connection_lost(self, fd, exc):
        self.events.append(f"pipe {fd} lost {exc!r}")

    def process_exited(self):
        self.events.append(f"exited {self.transport.get_returncode()}")

    def connection_lost(self, exc):
        for event in sorted(self.events):
            print(event)
        print("lost", repr(exc))
        self.done.set_result(None)


async def main():
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.subprocess_exec(
        Watcher, "/bin/sh", "-c", "read x; echo out $x; echo err >&2; exit 3")
    stdin = transport.get_pipe_transport(0)
    stdin.write(b"line\n")
    stdin.close()
    await protocol.done
    print(protocol.data[1].decode().strip(), protocol.data[2].decode().strip())

    transport, protocol = await loop.subprocess_shell(
        Watcher, "echo both; echo both >&2", stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.STDOUT)
    print(transport.get_pipe_transport(0) is None, transport.get_pipe_transport(2) is None)
    await protocol.done
    print(protocol.data[1].decode().split())

    transport, protocol = await loop.subprocess_exec(Watcher, "cat")
    transport.close()
    print(transport.is_closing())
    await protocol.done

    transport, protocol = await loop.subprocess_exec(Watcher, "cat")
    transport.terminate()
    await protocol.done


asyncio.run(main())
