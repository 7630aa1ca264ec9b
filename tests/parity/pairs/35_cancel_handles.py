# Rule: a handle can be cancelled until the moment it runs, even by its neighbour in the same batch; afterwards nothing happens.
# SPDX-License-Identifier: MIT
import asyncio

async def main():
    loop = asyncio.get_running_loop()
    handles = {}
    def first():
        print("first cancels second")
        handles["second"].cancel()
    loop.call_soon(first)
    handles["second"] = loop.call_soon(lambda: print("never"))
    handles["third"] = loop.call_soon(lambda: print("third", handles["second"].cancelled()))
    await asyncio.sleep(0)
    handles["third"].cancel()
    print("cancelled after it ran:", handles["third"].cancelled())

    def early():
        print("early cancels late")
        handles["late"].cancel()
    loop.call_later(-2, early)
    handles["late"] = loop.call_later(-1, lambda: print("never"))
    await asyncio.sleep(0.02)
    print(handles["late"].cancelled())

    def own():
        handles["own"].cancel()
        print("cancelling oneself", handles["own"].cancelled())
    handles["own"] = loop.call_soon(own)
    await asyncio.sleep(0)

    many = [loop.call_later(0.03 + 0.001 * i, lambda i=i: print("timer", i)) for i in range(150)]
    for i, handle in enumerate(many):
        if i % 50 != 7:
            handle.cancel()
    await asyncio.sleep(0.3)
    loop.call_later(0.02, lambda: print("a dropped handle still runs"))
    await asyncio.sleep(0.05)

asyncio.run(main())
