# Rule: one task at a time may ask a generator; nothing can be sent to one that was not begun, and no awaitable of it is awaited twice.
# SPDX-License-Identifier: MIT
import asyncio

async def slow():
    await asyncio.sleep(0.01)
    sent = yield 1
    print("sent", sent)
    await asyncio.sleep(0.01)
    yield 2

async def ask(generator, name):
    try:
        item = await anext(generator, None)
        print(name, "got", "nothing" if item is None else item)
    except RuntimeError as error:
        print(name, repr(error))

async def attempt(what, awaitable):
    try:
        await awaitable
        print(what, "no error")
    except (RuntimeError, TypeError) as error:
        print(what, repr(error))

async def main():
    a = slow()
    await attempt("asend:", a.asend(5))
    first = asyncio.create_task(ask(a, "first"))
    second = asyncio.create_task(ask(a, "second"))
    await asyncio.sleep(0)
    await attempt("asend:", a.asend(5))
    await attempt("athrow:", a.athrow(ValueError()))
    await attempt("aclose:", a.aclose())
    await asyncio.gather(first, second)
    await attempt("asend:", a.asend(5))
    await ask(a, "third")
    await attempt("asend at its end:", anext(a, None))

    async def asks_itself():
        await attempt("itself:", me.__anext__())
        yield 1
    me = asks_itself()
    await ask(me, "outside")

    b = slow()
    item = b.__anext__()
    await item
    try:
        await item
    except RuntimeError as error:
        print(repr(error))
    close = b.aclose()
    await close
    try:
        await close
    except RuntimeError as error:
        print(repr(error))

asyncio.run(main())
