# Rule: when it is said that a coroutine was never awaited, and of which it is not.
import asyncio
import warnings


def show(message, category, filename, lineno, file=None, line=None):
    print("warning:", str(message).split("\n")[0].split("'")[1])


warnings.showwarning = show
warnings.simplefilter("always", RuntimeWarning)


async def inner():
    return 1


async def outer(inner_coroutine):
    return await inner_coroutine


async def main():
    forgotten = inner()
    print("made")
    forgotten = None
    print("dropped")

    awaited = inner()
    print(await awaited)
    awaited = None
    print("awaited")

    closed = inner()
    closed.close()
    closed = None
    print("closed")

    nested = outer(inner())
    print("nested")
    nested = None
    print("both dropped")

    task = asyncio.create_task(inner())
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled before its first step")

    try:
        await asyncio.wait_for(inner(), 0)
    except TimeoutError:
        print("no time for it")

    group = asyncio.TaskGroup()
    try:
        group.create_task(inner())
    except RuntimeError:
        print("refused by a group")

    try:
        asyncio.run(inner())
    except RuntimeError:
        pass
    print("refused by run")


asyncio.run(main())
