# Rule: which waits pass a cancellation on, how often it is counted above and below, and whose message arrives.
# SPDX-License-Identifier: MIT
import asyncio

async def leaf(name):
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError as error:
        print(name, "leaf:", repr(error), asyncio.current_task().cancelling())
        raise

async def through(how, inner):
    if how == "await":
        await inner
    elif how == "gather":
        await asyncio.gather(inner)
    elif how == "gather twice":
        await asyncio.gather(inner, inner)
    elif how == "gather of a gather":
        await asyncio.gather(asyncio.gather(inner), inner)
    elif how == "return_exceptions":
        await asyncio.gather(inner, return_exceptions=True)
    elif how == "shield":
        await asyncio.shield(inner)
    elif how == "gather of a shield":
        await asyncio.gather(asyncio.shield(inner), inner)
    elif how == "wait":
        await asyncio.wait([inner])
    elif how == "wait_for":
        await asyncio.wait_for(inner, 10)
    elif how == "timeout":
        async with asyncio.timeout(10):
            await inner
    elif how == "as_completed":
        for item in asyncio.as_completed([inner]):
            await item
    elif how == "body of a group":
        async with asyncio.TaskGroup():
            await inner

async def in_group():
    async with asyncio.TaskGroup() as group:
        group.create_task(leaf("group"))

async def report(what, outer):
    try:
        await outer
        print(what, "no error")
    except asyncio.CancelledError as error:
        print(what, "outer:", repr(error))
    print(what, "outer:", outer.cancelled(), outer.cancelling())

async def main():
    for how in ("await", "gather", "gather twice", "gather of a gather", "return_exceptions",
                "shield", "gather of a shield", "wait", "wait_for", "timeout", "as_completed",
                "body of a group"):
        for times in (1, 2):
            inner = asyncio.create_task(leaf(how))
            outer = asyncio.create_task(through(how, inner))
            await asyncio.sleep(0.01)
            for time in range(times):
                print(how, outer.cancel("request " + str(time)))
            print(how, "requests:", outer.cancelling(), inner.cancelling())
            await report(how, outer)
            print(how, "inner:", inner.cancelling(), inner.cancel("by its owner"))
            await asyncio.wait([inner])
            print(how, "inner:", inner.cancelled(), inner.cancelling())

    print("== a child of a group")
    outer = asyncio.create_task(in_group())
    await asyncio.sleep(0.01)
    print(outer.cancel("one"), outer.cancel("two"), outer.cancelling())
    await report("group", outer)

    print("== a chain of three, and each is asked")
    inner = asyncio.create_task(leaf("chain"))
    middle = asyncio.create_task(through("await", inner))
    outer = asyncio.create_task(through("await", middle))
    await asyncio.sleep(0.01)
    print(middle.cancel("middle"), inner.cancel("inner"), outer.cancel("outer"))
    print(outer.cancelling(), middle.cancelling(), inner.cancelling())
    await report("chain", outer)
    print(middle.cancelled(), inner.cancelled())

asyncio.run(main())
