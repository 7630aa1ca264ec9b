# Rule: run() cancels and awaits the tasks that are left, also the tasks they make, and reports what they raise.
# SPDX-License-Identifier: MIT
import asyncio

def handler(loop, context):
    print("handler:", context["message"], repr(context.get("exception")), "task" in context)

async def leftover(name, clean, fail=False):
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError as error:
        print(name, repr(error))
        await asyncio.sleep(clean)
        print(name, "cleaned up")
        if fail:
            raise RuntimeError(name)
        raise

async def swallows():
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError:
        print("swallowed")
    await asyncio.sleep(0)
    print("and went on")

async def never_started():
    print("never")

async def returns():
    asyncio.create_task(leftover("slow", 0.02))
    await asyncio.sleep(0)
    print("main returns")
    return "value"

async def raises():
    asyncio.get_running_loop().set_exception_handler(handler)
    asyncio.create_task(leftover("failing", 0.02, True))
    await asyncio.sleep(0)
    raise ValueError("main")

async def does_not_wait():
    asyncio.create_task(never_started()).add_done_callback(lambda t: print("not started, cancelled", t.cancelled()))

async def leaves_a_swallower():
    asyncio.create_task(swallows())
    await asyncio.sleep(0)

async def leaves_callbacks():
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: print("a callback that is ready still runs"))
    loop.call_later(10, lambda: print("never"))

print(asyncio.run(returns()))
try:
    asyncio.run(raises())
except ValueError as error:
    print(repr(error))
asyncio.run(does_not_wait())
asyncio.run(leaves_a_swallower())
asyncio.run(leaves_callbacks())
