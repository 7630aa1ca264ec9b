"""How to end what takes too long, and how to clean up then.

Its C++ twin: timeouts_and_cancellation.cpp."""
# SPDX-License-Identifier: MIT
import asyncio


async def ask(whom, answers_after):
    await asyncio.sleep(answers_after)
    return f"{whom} has answered"


async def deadline_of_a_block():
    try:
        async with asyncio.timeout(0.05):
            print(await ask("Ann", 0.01))
            print(await ask("Ben", 60))  # is cancelled here
    except TimeoutError:
        print("Ben is too slow")


async def deadline_of_an_await():
    try:
        print(await asyncio.wait_for(ask("Cleo", 60), 0.01))
    except TimeoutError:
        print("Cleo is too slow")


async def careful():
    """Cleans up by an await, however it ends."""
    cancelled = False
    try:
        return await ask("Dora", 60)
    except asyncio.CancelledError:
        cancelled = True
        raise
    finally:
        print("cancelled: saying goodbye" if cancelled else "saying goodbye")
        await asyncio.sleep(0.01)
        print("goodbye has been said")


async def cancel_a_task():
    task = asyncio.create_task(careful())
    await asyncio.sleep(0.01)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("the task was cancelled")


async def fail_after(delay):
    await asyncio.sleep(delay)
    raise RuntimeError("no such person")


async def cancel_a_group():
    """In a group the failure of one task ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(careful())
            group.create_task(fail_after(0.01))
    except ExceptionGroup as group:
        for error in group.exceptions:
            print(f"the group failed: {error!r}")


async def main():
    await deadline_of_a_block()
    await deadline_of_an_await()
    await cancel_a_task()
    await cancel_a_group()


asyncio.run(main())
