# Rule: aclose() raises GeneratorExit at the yield and awaits the cleanup; meanwhile the generator runs, for everybody else.
# SPDX-License-Identifier: MIT
import asyncio

async def slow_cleanup():
    error = None
    try:
        yield 1
        print("never")
    except BaseException as caught:
        error = caught
    print("cleanup after", repr(error))
    await asyncio.sleep(0.02)
    print("cleanup is over")
    if error is not None:
        raise error

async def returns():
    try:
        yield 1
    except GeneratorExit:
        pass
    await asyncio.sleep(0)
    print("returns")

async def fails():
    try:
        yield 1
    except GeneratorExit:
        raise RuntimeError("in the cleanup")

async def ignores():
    try:
        yield 1
    except GeneratorExit:
        print("ignored")
    yield 2
    yield 3

async def awaited(awaitable):
    return await awaitable

async def main():
    a = slow_cleanup()
    await a.__anext__()
    closing = asyncio.create_task(awaited(a.aclose()))
    await asyncio.sleep(0)
    for use in (lambda: a.__anext__(), lambda: a.athrow(ValueError()), lambda: a.aclose()):
        try:
            await use()
        except RuntimeError as error:
            print(repr(error))
    await closing
    print(await anext(a, "at its end"))
    await a.aclose()

    b = returns()
    await b.__anext__()
    await b.aclose()
    print(await anext(b, "at its end"))

    c = fails()
    await c.__anext__()
    try:
        await c.aclose()
    except RuntimeError as error:
        print(repr(error))
    print(await anext(c, "at its end"))

    d = ignores()
    await d.__anext__()
    try:
        await d.aclose()
    except RuntimeError as error:
        print(repr(error))
    print(await anext(d, "at its end"))
    print(await anext(d, "at its end"))

    e = slow_cleanup()
    await e.aclose()
    print("never begun:", await anext(e, "at its end"))

    f = slow_cleanup()
    await f.__anext__()
    closing = asyncio.create_task(awaited(f.aclose()))
    await asyncio.sleep(0)
    closing.cancel()
    try:
        await closing
    except asyncio.CancelledError:
        print("the cleanup was cancelled")
    print(await anext(f, "at its end"))

    g = ignores()
    await g.__anext__()
    print("athrow(GeneratorExit) is no close:", await g.athrow(GeneratorExit()))

asyncio.run(main())
