"""Chapter 3: cancellation and cleanup. Its C++ twin: 03_cancellation.cpp."""
# SPDX-License-Identifier: MIT
import asyncio


# [cancel]
async def forever():
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError as error:
        print("cancelled:", error)
        raise


async def cancel():
    task = asyncio.create_task(forever())
    await asyncio.sleep(0.01)
    task.cancel("enough")  # asks; the task is not done yet
    print("done:", task.done())
    try:
        await task
    except asyncio.CancelledError:
        print("done:", task.done(), "cancelled:", task.cancelled())
# [/cancel]


# [finally]
async def use_connection():
    print("connected")
    try:
        await asyncio.sleep(3600)
        return "data"
    finally:
        await asyncio.sleep(0.01)  # saying goodbye takes a while
        print("disconnected")


async def cleanup():
    task = asyncio.create_task(use_connection())
    await asyncio.sleep(0.01)
    task.cancel()
    result = (await asyncio.gather(task, return_exceptions=True))[0]
    print("cancelled:", isinstance(result, asyncio.CancelledError))
# [/finally]


# [destructor]
class Logged:
    def __init__(self, name):
        self.name = name

    def __enter__(self):
        print("opened", self.name)

    def __exit__(self, *_):
        print("closed", self.name)


async def hold(name):
    with Logged(name):
        await asyncio.sleep(3600)


async def scopes():
    held = asyncio.create_task(hold("file"))
    await asyncio.sleep(0.01)
    never_begun = asyncio.create_task(hold("nothing"))
    held.cancel()
    never_begun.cancel()
    await asyncio.wait([held, never_begun])
# [/destructor]


# [shield]
async def save():
    await asyncio.sleep(0.02)
    print("saved")


async def shielded():
    saving = asyncio.create_task(save())

    async def impatient():
        await asyncio.shield(saving)

    task = asyncio.create_task(impatient())
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    print("cancelled:", task.cancelled(), "saving:", not saving.done())
    await saving
# [/shield]


# [exception]
async def robust():
    for attempt in range(1, 3):
        try:
            await asyncio.sleep(0.01)
            if attempt == 1:
                raise RuntimeError("try again")
            await asyncio.sleep(3600)
        except Exception as error:  # not a CancelledError
            print(f"attempt {attempt}: {error}")


async def handlers():
    task = asyncio.create_task(robust())
    await asyncio.sleep(0.03)
    task.cancel()
    await asyncio.wait([task])
    print("cancelled:", task.cancelled())
# [/exception]


async def main():
    for part in (cancel, cleanup, scopes, shielded, handlers):
        print(f"-- {part.__name__}")
        await part()


asyncio.run(main())
