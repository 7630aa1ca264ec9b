# Rule: which errors reach the exception handler, in which words, and which count as retrieved.
# SPDX-License-Identifier: MIT
import asyncio

def handler(loop, context):
    message = context["message"]
    if message.startswith("Exception in callback"):
        message = "Exception in callback"
    print("handler:", message, repr(context.get("exception")), "future" in context)

async def fail(name):
    raise RuntimeError(name)

async def waits(future, name):
    try:
        await future
    except RuntimeError as error:
        print(name, repr(error))

def bad():
    raise ValueError("in callback")

async def main():
    loop = asyncio.get_running_loop()
    print(loop.get_exception_handler() is None)
    loop.set_exception_handler(handler)
    print(loop.get_exception_handler() is None)
    loop.call_soon(bad)
    loop.call_later(-1, bad)
    await asyncio.sleep(0.02)
    loop.call_exception_handler({"message": "our own", "exception": KeyError("k")})
    loop.call_exception_handler({"message": "without an exception"})

    task = asyncio.create_task(fail("dropped"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    print("-- dropped while done")
    asyncio.create_task(fail("nobody has it"))
    await asyncio.sleep(0.02)
    print("-- never kept")

    task = asyncio.create_task(fail("result"))
    await asyncio.sleep(0.02)
    try:
        task.result()
    except RuntimeError as error:
        print(repr(error))
    del task
    task = asyncio.create_task(fail("exception"))
    await asyncio.sleep(0.02)
    print(repr(task.exception()))
    del task
    task = asyncio.create_task(fail("awaited"))
    await waits(task, "main")
    del task
    task = asyncio.create_task(fail("cancelled too late"))
    await asyncio.sleep(0.02)
    print(task.cancel())
    del task
    print("-- the last one was not retrieved")

    future = loop.create_future()
    waiter = asyncio.create_task(waits(future, "waiter"))
    await asyncio.sleep(0)
    future.set_exception(RuntimeError("awaited future"))
    await waiter
    del future, waiter
    future = loop.create_future()
    future.set_exception(RuntimeError("lonely future"))
    del future
    future = loop.create_future()
    del future
    print("-- futures")

    loop.set_exception_handler(None)
    print(loop.get_exception_handler() is None)

asyncio.run(main())
