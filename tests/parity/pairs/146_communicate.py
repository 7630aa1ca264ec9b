# communicate() exchanges everything, whatever the pipes take, and gives the status afterwards.
import asyncio
from asyncio.subprocess import DEVNULL, PIPE, STDOUT


async def main():
    process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
    out, err = await process.communicate(b"hello\n")
    print(out.decode().strip(), err is None, process.returncode)

    big = b"x" * 1_000_000
    process = await asyncio.create_subprocess_shell(
        "tee /dev/stderr; exit 4", stdin=PIPE, stdout=PIPE, stderr=PIPE)
    out, err = await process.communicate(big)
    print(out == big, err == big, process.returncode)

    process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
    out, _ = await process.communicate()
    print(len(out), process.returncode)

    process = await asyncio.create_subprocess_exec("true", stdin=PIPE, stdout=PIPE)
    out, _ = await process.communicate(big)  # nobody reads it
    print(len(out), process.returncode)

    process = await asyncio.create_subprocess_shell(
        "echo out; echo err >&2", stdout=PIPE, stderr=STDOUT)
    out, _ = await process.communicate()
    print(out.decode().split())

    process = await asyncio.create_subprocess_shell(
        "cat; echo out; echo err >&2", stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE)
    _, err = await process.communicate()
    print(err.decode().strip())

    outputs = await asyncio.gather(*[
        (await asyncio.create_subprocess_shell(f"exit {i}", stdout=PIPE)).wait() for i in range(5)])
    print(*outputs)


asyncio.run(main())
