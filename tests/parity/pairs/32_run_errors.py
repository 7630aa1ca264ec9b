# Rule: which misuse of run, run_until_complete, run_forever and close is refused, and in which words.
# SPDX-License-Identifier: MIT
import asyncio

async def fail():
    raise ValueError("from main")

async def cancel_me():
    asyncio.current_task().cancel("by itself")
    await asyncio.sleep(0)

async def nothing():
    pass

def attempt(what, function):
    try:
        print(what, function())
    except Exception as error:
        print(what, repr(error))
    except asyncio.CancelledError as error:
        print(what, repr(error))

async def inside():
    loop = asyncio.get_running_loop()
    other = asyncio.EventLoop()
    future = loop.create_future()
    attempt("same loop:", lambda: loop.run_until_complete(future))
    attempt("other loop:", lambda: other.run_until_complete(future))
    attempt("close:", loop.close)
    other.close()
    coroutine = nothing()
    attempt("run:", lambda: asyncio.run(coroutine))
    coroutine.close()
    return "inside ended"

loop = asyncio.EventLoop()
future = loop.create_future()
loop.call_soon(loop.stop)
attempt("stopped early:", lambda: loop.run_until_complete(future))
loop.call_soon(future.set_result, "value")
attempt("second call:", lambda: loop.run_until_complete(future))
attempt("done already:", lambda: loop.run_until_complete(future))
attempt("error:", lambda: loop.run_until_complete(fail()))
attempt("cancelled:", lambda: loop.run_until_complete(cancel_me()))
print(loop.run_until_complete(inside()))
loop.close()
attempt("closed, forever:", loop.run_forever)
attempt("closed, call_soon:", lambda: loop.call_soon(print))
attempt("closed, call_later:", lambda: loop.call_later(1, print))
attempt("closed, call_soon_threadsafe:", lambda: loop.call_soon_threadsafe(print))
attempt("run, error:", lambda: asyncio.run(fail()))
attempt("run, cancelled:", lambda: asyncio.run(cancel_me()))
try:
    asyncio.get_running_loop()
except RuntimeError as error:
    print(repr(error))
runner = asyncio.Runner()
attempt("runner:", lambda: runner.run(fail()))
runner.close()
attempt("runner closed:", runner.get_loop)
