# run_coroutine_threadsafe: results, errors, cancellation and context of what a thread asks of the loop; wrap_future.
import asyncio, contextvars, concurrent.futures, threading
v = contextvars.ContextVar("v", default="none")
async def double(n): await asyncio.sleep(0); return n * 2
async def fail(): raise RuntimeError("bad")
async def look(): return v.get()
async def wait(begun, say):
    begun.set()
    try: await asyncio.sleep(3600)
    except asyncio.CancelledError as e: say("task", repr(e)); raise
def in_thread(loop):
    call = lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop)
    f = call(double(2)); print(f.result(), f.done(), f.cancelled(), f.exception(), f.cancel())
    f.add_done_callback(lambda f: print("at once", f.result()))
    f = call(fail()); print(repr(f.exception()))
    try: f.result()
    except RuntimeError as e: print("raised", repr(e))
    v.set("thread"); print(call(look()).result())
    begun = threading.Event(); f = call(wait(begun, lambda *a: None)); f.add_done_callback(lambda f: print("callback", f.cancelled())); begun.wait()
    try: f.result(0.01)
    except TimeoutError: print("TimeoutError")
    print(f.cancel(), f.cancelled(), f.done(), f.cancel())
    try: f.result()
    except concurrent.futures.CancelledError as e: print("cancelled", repr(e))
    call(asyncio.sleep(0)).result()
async def main():
    loop = asyncio.get_running_loop()
    await asyncio.to_thread(in_thread, loop)
    print(await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(double(4), loop)))
    try: await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(fail(), loop))
    except RuntimeError as e: print("raised", repr(e))
    f = loop.create_future(); print(asyncio.wrap_future(f) is f)
    c = asyncio.run_coroutine_threadsafe(wait(threading.Event(), print), loop); f = asyncio.wrap_future(c); await asyncio.sleep(0); await asyncio.sleep(0)
    f.cancel(); print(f.cancelled(), c.cancelled()); await asyncio.sleep(0); print(c.cancelled()); await asyncio.sleep(0); await asyncio.sleep(0); print("end")
asyncio.run(main())
