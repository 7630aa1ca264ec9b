# Rule: a timeout can be moved, switched off and on while it is active, and not before or after.
# SPDX-License-Identifier: MIT
import asyncio

async def main():
    loop = asyncio.get_running_loop()

    def attempt(what, timeout, when):
        try:
            timeout.reschedule(when)
            print(what, "accepted")
        except RuntimeError as error:
            print(what, repr(error))

    timeout = asyncio.timeout(None)
    print(timeout.when(), timeout.expired())
    attempt("before:", timeout, None)
    async with timeout:
        await asyncio.sleep(0.02)
        attempt("inside:", timeout, loop.time() + 60)
    print("never set off", timeout.expired())
    attempt("after:", timeout, None)

    began = loop.time()
    try:
        async with asyncio.timeout(10) as timeout:
            timeout.reschedule(began + 0.02)
            print("earlier", timeout.when() == began + 0.02)
            await asyncio.sleep(5)
    except TimeoutError as error:
        print(repr(error), timeout.expired())
    attempt("expired:", timeout, None)

    async with asyncio.timeout(0.02) as timeout:
        timeout.reschedule(loop.time() + 10)
        await asyncio.sleep(0.06)
    print("later", timeout.expired())

    try:
        async with asyncio.timeout(0.02) as timeout:
            timeout.reschedule(None)
            await asyncio.sleep(0.04)
            timeout.reschedule(loop.time() - 1)
            print("the past is now", timeout.expired())
            await asyncio.sleep(0)
            print("not reached")
    except TimeoutError as error:
        print(repr(error), timeout.expired())

    try:
        async with asyncio.timeout_at(loop.time() + 0.02) as timeout:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                attempt("expiring:", timeout, loop.time() + 10)
                raise
    except TimeoutError as error:
        print(repr(error), asyncio.current_task().cancelling())

    try:
        async with timeout:
            print("not reached")
    except RuntimeError as error:
        print(repr(error))

asyncio.run(main())
