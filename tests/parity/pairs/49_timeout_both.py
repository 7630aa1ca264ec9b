# Rule: of two timeouts that have both expired the outer one raises; a cancellation from outside wins over both.
# SPDX-License-Identifier: MIT
import asyncio

async def both():
    loop = asyncio.get_running_loop()
    now = loop.time()
    try:
        async with asyncio.timeout_at(now + 0.02) as outer:
            try:
                async with asyncio.timeout_at(now + 0.06) as inner:
                    try:
                        await asyncio.sleep(10)
                    except asyncio.CancelledError as error:
                        print("body", repr(error), inner.expired(), outer.expired())
                        await asyncio.sleep(0.1)
                        print("not reached: the inner one interrupts the cleanup")
            except TimeoutError:
                print("inner raises")
            except asyncio.CancelledError as error:
                print("inner lets pass", repr(error), inner.expired())
                raise
    except TimeoutError as error:
        print("outer raises", repr(error), outer.expired(), asyncio.current_task().cancelling())

async def outer_first():
    try:
        async with asyncio.timeout(0.02) as outer:
            async with asyncio.timeout(10) as inner:
                await asyncio.sleep(10)
    except TimeoutError:
        print("outer first", outer.expired(), inner.expired())

async def inner_first():
    async with asyncio.timeout(10) as outer:
        try:
            async with asyncio.timeout(0.02) as inner:
                await asyncio.sleep(10)
        except TimeoutError:
            print("inner first", outer.expired(), inner.expired())
        await asyncio.sleep(0)
    print("outer is left in time", outer.expired())

async def outside(delay):
    try:
        async with asyncio.timeout(0.02) as timeout:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError as error:
                print("body", repr(error), timeout.expired())
                await asyncio.sleep(delay)
                raise
    except TimeoutError:
        print("TimeoutError", asyncio.current_task().cancelling())
    except asyncio.CancelledError as error:
        print("CancelledError", repr(error), timeout.expired(), asyncio.current_task().cancelling())
        raise

async def no_checkpoint():
    async with asyncio.timeout(0) as timeout:
        print("a block that does not wait is not interrupted")
    print(timeout.expired())

async def other_error():
    try:
        async with asyncio.timeout(0.02) as timeout:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                raise ValueError("instead")
    except ValueError as error:
        print(repr(error), timeout.expired(), asyncio.current_task().cancelling())

async def main():
    await both()
    await outer_first()
    await inner_first()
    task = asyncio.create_task(outside(0.04))
    await asyncio.sleep(0.04)
    task.cancel("outside")
    try:
        await task
    except asyncio.CancelledError as error:
        print("main", repr(error), task.cancelling())
    await asyncio.create_task(outside(0))
    await no_checkpoint()
    await other_error()

asyncio.run(main())
