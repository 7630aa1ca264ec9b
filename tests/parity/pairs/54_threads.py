# Rule: what other threads do arrives through the loop, in their order; a call's result or error comes back to its awaiter.
# SPDX-License-Identifier: MIT
import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

def fail():
    raise ValueError("in a thread")

async def main():
    loop = asyncio.get_running_loop()
    here = threading.get_ident()
    print(await asyncio.to_thread(lambda: threading.get_ident() == here))
    try:
        await asyncio.to_thread(fail)
    except ValueError as error:
        print(repr(error))
    print(await asyncio.gather(*[asyncio.to_thread(lambda n: n * n, n) for n in range(4)]))

    arrived = []
    done = asyncio.Event()
    def elsewhere():
        for n in range(5):
            loop.call_soon_threadsafe(arrived.append, n)
        loop.call_soon_threadsafe(done.set)
    thread = threading.Thread(target=elsewhere)
    thread.start()
    await done.wait()
    thread.join()
    print(arrived)

    order = []
    loop.call_soon_threadsafe(order.append, "threadsafe from the loop's own thread")
    loop.call_soon(order.append, "soon")
    await asyncio.sleep(0)
    print(order)

    gate = threading.Event()
    with ThreadPoolExecutor(max_workers=1) as pool:
        blocked = loop.run_in_executor(pool, gate.wait)
        queued = loop.run_in_executor(pool, fail)
        await asyncio.sleep(0)
        print("queued can be cancelled", queued.cancel())
        gate.set()
        print(await blocked)
        try:
            await queued
        except asyncio.CancelledError:
            print("cancelled")

asyncio.run(main())
