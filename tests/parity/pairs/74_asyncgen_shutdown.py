# Rule: run() closes the generators that are left, after the tasks; errors go to the handler.
# SPDX-License-Identifier: MIT
import asyncio

kept = []

def handler(loop, context):
    print("handler:", context["message"].split(" <")[0], repr(context["exception"]))

async def tidy(name, error_of_cleanup=None):
    error = None
    try:
        yield 1
    except BaseException as caught:
        error = caught
    print(name, "gets", repr(error))
    await asyncio.sleep(0.01)
    print(name, "is tidy")
    raise error_of_cleanup if error_of_cleanup is not None else error

async def ignores():
    try:
        yield 1
    except GeneratorExit:
        pass
    yield 2

async def keep(generator):
    kept.append(generator)
    await generator.__anext__()

async def one_is_kept():
    await keep(tidy("kept"))
    print("main ends")

async def one_fails():
    asyncio.get_running_loop().set_exception_handler(handler)
    await keep(tidy("failing", ValueError("in the cleanup")))
    print("main ends")

async def one_ignores():
    asyncio.get_running_loop().set_exception_handler(handler)
    await keep(ignores())
    print("main ends")

async def one_is_cancelled():
    asyncio.get_running_loop().set_exception_handler(handler)
    await keep(tidy("cancelling", asyncio.CancelledError()))
    print("main ends")

async def none_was_begun():
    kept.append(tidy("never begun"))
    print("main ends")

async def called_by_hand():
    await keep(tidy("by hand"))
    await asyncio.get_running_loop().shutdown_asyncgens()
    print("shut down")
    late = tidy("late")
    kept.append(late)
    await late.__anext__()
    await asyncio.get_running_loop().shutdown_asyncgens()
    print("shut down again")

for main in (one_is_kept, one_fails, one_ignores, one_is_cancelled, none_was_begun, called_by_hand):
    asyncio.run(main())
    kept.clear()
    print("--")
