# Rule: a future is completed once; what its methods give or raise while pending, done, failed and cancelled.
# SPDX-License-Identifier: MIT
import asyncio

def attempt(what, function):
    try:
        print(what, repr(function()))
    except Exception as error:
        print(what, repr(error))
    except asyncio.CancelledError as error:
        print(what, repr(error))

def show(what, future):
    print(what, future.done(), future.cancelled())

async def main():
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    show("pending", future)
    attempt("exception", future.exception)
    future.set_result(None)
    show("result", future)
    attempt("exception", future.exception)
    attempt("set_result", lambda: future.set_result(None))
    attempt("set_exception", lambda: future.set_exception(ValueError("late")))
    print("cancel", future.cancel())

    future = loop.create_future()
    future.set_exception(ValueError("bad"))
    show("failed", future)
    attempt("exception", future.exception)
    attempt("result", future.result)
    attempt("result again", future.result)
    attempt("set_result", lambda: future.set_result(None))
    print("cancel", future.cancel())

    future = loop.create_future()
    print("cancel", future.cancel("first"), future.cancel("second"))
    show("cancelled", future)
    attempt("set_result", lambda: future.set_result(None))
    attempt("exception", future.exception)
    attempt("exception again", future.exception)
    attempt("result", future.result)

    future = loop.create_future()
    future.cancel()
    try:
        await future
    except asyncio.CancelledError as error:
        print("awaited", repr(error))
    print(asyncio.current_task().cancelling())

    done = loop.create_future()
    done.set_result(5)
    loop.call_soon(lambda: print("an await of a done future does not yield"))
    print(await done, await done)
    await asyncio.sleep(0)

asyncio.run(main())
