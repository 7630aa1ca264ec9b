# Rule: completing a future schedules its callbacks in their order and never calls them; a scheduled one cannot be removed.
# SPDX-License-Identifier: MIT
import asyncio

async def main():
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    def first(f):
        print("first", f.result(), "removed:", future.remove_done_callback(third))
        future.add_done_callback(lambda f: print("added by first"))
    def second(f):
        print("second")
    def third(f):
        print("third runs all the same")
    future.add_done_callback(first)
    future.add_done_callback(second)
    future.add_done_callback(third)
    print("removed:", future.remove_done_callback(second))
    print("again:", future.remove_done_callback(second))
    future.add_done_callback(second)
    loop.call_soon(lambda: print("soon before"))
    future.set_result(1)
    loop.call_soon(lambda: print("soon after"))
    print("set")
    await asyncio.sleep(0)
    print("one iteration")
    await asyncio.sleep(0)
    print("two iterations")

    future = loop.create_future()
    future.add_done_callback(lambda f: print("callback sees", f.cancelled(), f.done()))
    print(future.cancel(), future.cancel())
    late = lambda f: print("never")
    future.add_done_callback(late)
    print("too late to remove:", future.remove_done_callback(late))
    await asyncio.sleep(0)

    future = loop.create_future()
    def resolves(f):
        print("resolves")
        other.set_result(None)
        print("resolved")
    other = loop.create_future()
    other.add_done_callback(lambda f: print("other's callback"))
    future.add_done_callback(resolves)
    future.add_done_callback(lambda f: print("next callback of the first"))
    future.set_result(None)
    await other
    print("main")

asyncio.run(main())
