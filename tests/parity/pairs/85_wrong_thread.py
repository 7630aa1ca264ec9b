# Rule: in debug mode what is not thread-safe refuses other threads, and what is done before that stays.
import asyncio
import threading


def elsewhere(name, fn):
    def call():
        try:
            fn()
            print(name, "nothing")
        except BaseException as e:
            print(name, repr(e))
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


async def wait(future, name):
    try:
        print(name, await future)
    except asyncio.CancelledError:
        print(name, "cancelled")
        raise


async def chores():
    pass


async def main():
    loop = asyncio.get_running_loop()
    print(loop.get_debug(), loop.slow_callback_duration)
    elsewhere("call_soon", lambda: loop.call_soon(print, "never"))
    elsewhere("call_later", lambda: loop.call_later(0, print, "never"))
    elsewhere("call_at", lambda: loop.call_at(loop.time(), print, "never"))
    elsewhere("call_soon_threadsafe", lambda: loop.call_soon_threadsafe(print, "called"))
    await asyncio.sleep(0.01)

    lonely = loop.create_future()
    elsewhere("set_result without callbacks", lambda: lonely.set_result(1))
    print(lonely.result())
    elsewhere("add_done_callback", lambda: lonely.add_done_callback(print))

    future = loop.create_future()
    task = loop.create_task(wait(future, "waiter"))
    await asyncio.sleep(0)
    elsewhere("set_result", lambda: future.set_result(2))
    print(future.done(), task.done())
    await asyncio.sleep(0.01)
    print("not told:", not task.done())
    task.cancel()
    await asyncio.sleep(0.01)
    print("still not:", not task.done())
    loop.set_debug(False)
    print(loop.get_debug())

    loop.set_debug(True)
    elsewhere("call_soon", lambda: loop.call_soon(print, "never"))
    loop.set_exception_handler(lambda loop, context: None)  # of what is left behind
    loop.stop()


loop = asyncio.new_event_loop()
loop.set_debug(True)
loop.create_task(main())
elsewhere("call_soon before it runs", lambda: loop.call_soon(print, "called"))
loop.run_forever()
loop.close()
