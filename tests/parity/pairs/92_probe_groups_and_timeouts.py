# Rule: whom a task group and a timeout cancel, which error comes out of them, and what is left of the request.
# SPDX-License-Identifier: MIT
import asyncio

async def ended(awaitable):
    """What it raises, as text."""
    try:
        await awaitable
    except (asyncio.CancelledError, Exception) as error:
        return repr(error)

def cancelling():
    return asyncio.current_task().cancelling()

async def instant():
    return 1

async def fail(turns=0):
    for _ in range(turns):
        await asyncio.sleep(0)
    raise ValueError("x")

async def tg_child_error_cancels_body():
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail(1))
            try:
                await asyncio.sleep(9)
            except asyncio.CancelledError:
                print("tg_child_error_cancels_body", "body saw", cancelling())
                raise
    except ExceptionGroup as error:
        print("tg_child_error_cancels_body", repr(error), cancelling())

async def tg_body_error():
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(9))
            raise KeyError("b")
    except ExceptionGroup as error:
        print("tg_body_error", repr(error))

async def tg_parent_cancel_and_child_error():
    async def child():
        try:
            await asyncio.sleep(9)
        finally:
            raise ValueError("c")
    async def parent():
        async with asyncio.TaskGroup() as group:
            group.create_task(child())
            await asyncio.sleep(9)
    task = asyncio.create_task(parent())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    print("tg_parent_cancel_and_child_error", await ended(task), task.cancelling())

async def tg_create_after_abort():
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            try:
                await asyncio.sleep(9)
            finally:
                try:
                    group.create_task(instant())
                except RuntimeError as error:
                    print("tg_create_after_abort", str(error)[-20:])
    except ExceptionGroup as error:
        print("tg_create_after_abort", repr(error))

async def timeout_basic():
    try:
        async with asyncio.timeout(0.01) as limit:
            await asyncio.sleep(9)
    except TimeoutError as error:
        print("timeout_basic", repr(error), limit.expired(), cancelling())

async def timeout_nested_outer_first():
    try:
        async with asyncio.timeout(0.01) as outer:
            async with asyncio.timeout(5) as inner:
                await asyncio.sleep(9)
    except TimeoutError:
        print("timeout_nested_outer_first", outer.expired(), inner.expired())

async def timeout_both_expired():
    # Both have passed when they are entered: neither needs a busy loop, as the original has it.
    past = asyncio.get_running_loop().time() - 1
    try:
        async with asyncio.timeout_at(past) as outer:
            try:
                async with asyncio.timeout_at(past) as inner:
                    await asyncio.sleep(9)
            except TimeoutError:
                print("timeout_both_expired", "inner TimeoutError")
            except asyncio.CancelledError:
                print("timeout_both_expired", "inner CancelledError")
                raise
    except TimeoutError:
        print("timeout_both_expired", "outer TimeoutError", outer.expired(), inner.expired(), cancelling())

async def timeout_zero_immediate():
    steps = 0
    try:
        async with asyncio.timeout(0):
            steps += 1
            await asyncio.sleep(0)
            steps += 1
            await asyncio.sleep(0)
            steps += 1
    except TimeoutError:
        print("timeout_zero_immediate", steps)

async def wait_for_done_future_zero():
    future = asyncio.get_running_loop().create_future()
    future.set_result(3)
    print("wait_for_done_future_zero", await asyncio.wait_for(future, 0))

async def wait_for_timeout_child_returns():
    async def body():
        try:
            await asyncio.sleep(9)
        except asyncio.CancelledError:
            return "rescued"
    task = asyncio.create_task(body())
    print("wait_for_timeout_child_returns", await asyncio.wait_for(task, 0.01))

async def main():
    await tg_child_error_cancels_body()
    await tg_body_error()
    await tg_parent_cancel_and_child_error()
    await tg_create_after_abort()
    await timeout_basic()
    await timeout_nested_outer_first()
    await timeout_both_expired()
    await timeout_zero_immediate()
    await wait_for_done_future_zero()
    await wait_for_timeout_child_returns()

asyncio.run(main())
