# Rule: asend() is what the yield gives, athrow() is raised there; each gives the next item, and the body runs only meanwhile.
# SPDX-License-Identifier: MIT
import asyncio

async def echo():
    print("begins")
    item = 0
    while True:
        try:
            sent = yield item
            print("sent", "nothing" if sent is None else sent)
            await asyncio.sleep(0)
            item += 1
        except ValueError as error:
            print("thrown in", repr(error))
            item = -1
        if item == 3:
            return

async def main():
    a = echo()
    print("made")
    print(await a.__anext__())
    print(await a.asend("one"))
    print(await a.athrow(ValueError("bad")))
    print(await a.__anext__())
    asyncio.get_running_loop().call_soon(lambda: print("in the turn that it awaits"))
    print(await a.asend("two"))
    try:
        print(await a.athrow(RuntimeError("not caught")))
    except RuntimeError as error:
        print(repr(error))
    print(await anext(a, "at its end"))
    print(await a.athrow(ValueError("at its end")))

    b = echo()
    await b.__anext__()
    async for item in b:
        print("item", item)
    print(await anext(b, "at its end"))
    await b.aclose()

    c = echo()
    try:
        await c.athrow(ValueError("before it began"))
    except ValueError as error:
        print(repr(error))
    print(await anext(c, "at its end"))

asyncio.run(main())
