# What cannot be started, statuses of signals, and what may be done to a process that has ended.
import asyncio
import signal
from asyncio.subprocess import PIPE


async def attempt(*args, **kwargs):
    try:
        process = await asyncio.create_subprocess_exec(*args, **kwargs)
    except Exception as error:
        print(repr(error))
    else:
        print(await process.wait())


async def main():
    await attempt("no-such-program")
    await attempt("/etc/passwd")
    await attempt("/etc/passwd/x")
    await attempt("true", cwd="/no/such/directory")
    await attempt("true", stdout=777)
    await attempt("true", "a\0b")
    await attempt("true")

    for number in signal.SIGTERM, signal.SIGKILL, signal.SIGHUP:
        process = await asyncio.create_subprocess_exec("cat", stdin=PIPE)
        print(process.returncode is None)
        process.send_signal(number)
        print(await process.wait(), process.returncode)

    for action in process.kill, process.terminate, lambda: process.send_signal(signal.SIGHUP):
        try:
            action()
        except ProcessLookupError:
            print("ProcessLookupError")

    process = await asyncio.create_subprocess_exec("cat", stdin=PIPE)
    waiting = asyncio.create_task(process.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    try:
        await waiting
    except asyncio.CancelledError as error:
        print(repr(error), process.returncode is None)
    process.stdin.close()
    print(await process.wait())


asyncio.run(main())
