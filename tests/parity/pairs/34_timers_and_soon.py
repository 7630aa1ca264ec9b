# Rule: timers run after what is ready, in the order of their deadlines, also those in the past and call_later(0).
# SPDX-License-Identifier: MIT
import asyncio

async def main():
    loop = asyncio.get_running_loop()
    now = loop.time()
    say = lambda text: lambda: print(text)
    loop.call_later(0, say("later 0"))
    loop.call_at(now - 1, say("at -1"))
    loop.call_later(-2, say("later -2"))
    loop.call_soon(say("soon"))
    loop.call_later(0.09, say("later .09"))
    loop.call_later(0.03, say("later .03"))
    loop.call_at(now + 0.06, say("at .06"))
    await asyncio.sleep(0)
    print("one iteration: the past is run after it")
    await asyncio.sleep(0)
    print("two")
    await asyncio.sleep(0.15)

    def nested():
        print("nested: first")
        loop.call_later(0, say("timer made in a callback"))
        loop.call_soon(say("soon made in a callback"))
    loop.call_later(0.02, nested)
    await asyncio.sleep(0.05)

    early = loop.call_at(now + 100, say("never"))
    late = loop.call_at(now + 200, say("never"))
    print(early.when() < late.when(), early.when() == now + 100, early.cancelled())
    early.cancel()
    early.cancel()
    late.cancel()
    print(early.cancelled(), late.cancelled(), early.when() == now + 100)

asyncio.run(main())
