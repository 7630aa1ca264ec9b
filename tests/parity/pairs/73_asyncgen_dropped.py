# Rule: a generator that is dropped before its end is closed by a task of the loop; what its cleanup raises nobody retrieves.
# SPDX-License-Identifier: MIT
import asyncio

def handler(loop, context):
    print("handler:", context["message"], repr(context["exception"]), "future" in context)

async def tidy(name):
    error = None
    try:
        yield 1
        yield 2
    except BaseException as caught:
        error = caught
    print(name, "gets", repr(error))
    await asyncio.sleep(0)
    print(name, "is tidy")
    if error is not None:
        raise error

async def fails():
    try:
        yield 1
    except GeneratorExit:
        raise ValueError("in the cleanup")

async def ignores():
    try:
        yield 1
    except GeneratorExit:
        print("ignored")
    yield 2

async def turns(n):
    for i in range(n):
        print("turn", i, "tasks", len(asyncio.all_tasks()))
        await asyncio.sleep(0)

async def leaves_early():
    async for item in tidy("left"):
        print("item", item)
        break
    print("left the loop")

async def main():
    asyncio.get_running_loop().set_exception_handler(handler)
    a = tidy("a")
    await a.__anext__()
    asyncio.get_running_loop().call_soon(lambda: print("before"))
    a = None
    asyncio.get_running_loop().call_soon(lambda: print("after"))
    print("dropped")
    await turns(4)

    print("not begun")
    a = tidy("not begun")
    a = None
    print("at its end")
    a = tidy("at its end")
    async for item in a:
        pass
    a = None
    await turns(1)

    a = fails()
    await a.__anext__()
    a = None
    await turns(3)

    a = ignores()
    await a.__anext__()
    a = None
    await turns(3)

    await leaves_early()
    await turns(4)

asyncio.run(main())
