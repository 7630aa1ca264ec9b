# Rule: what a done callback does to futures and tasks, its own among them, takes effect in the order in which things were scheduled.
# SPDX-License-Identifier: MIT
import asyncio

async def waits(name, future):
    try:
        print(name, "got", await future)
    except asyncio.CancelledError as error:
        print(name, repr(error))
        raise
    except RuntimeError as error:
        print(name, repr(error))
    return name

async def turns(count):
    for turn in range(count):
        print("- turn", turn)
        await asyncio.sleep(0)

async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: print("handler:", repr(context["exception"])))

    print("== a callback before the task cancels it: the value is lost")
    future = loop.create_future()
    future.add_done_callback(lambda f: print("cancel", task.cancel("by the callback")))
    task = asyncio.create_task(waits("task", future))
    await turns(1)
    future.set_result(1)
    await turns(3)
    print(task.cancelled(), future.result())

    print("== a callback behind the task comes too late")
    future = loop.create_future()
    task = asyncio.create_task(waits("task", future))
    await turns(1)
    future.add_done_callback(lambda f: print("cancel", task.cancel("by the callback")))
    future.set_result(2)
    await turns(3)
    print(task.cancelled(), task.result())

    print("== and one that takes the request back")
    future = loop.create_future()
    future.add_done_callback(lambda f: print("cancel", task.cancel("by the callback")))
    future.add_done_callback(lambda f: print("uncancel", task.uncancel()))
    task = asyncio.create_task(waits("task", future))
    await turns(1)
    future.set_result(3)
    await turns(3)
    print(task.cancelled(), task.cancelling())

    print("== a callback that raises")
    def fails(f):
        raise RuntimeError("in the callback")
    future = loop.create_future()
    future.add_done_callback(fails)
    task = asyncio.create_task(waits("task", future))
    await turns(1)
    future.add_done_callback(lambda f: print("the next callback", repr(f.exception())))
    future.set_exception(RuntimeError("of the future"))
    await turns(3)

    print("== a callback that adds callbacks")
    def adds(left):
        def callback(f):
            print("adds", left)
            if left > 0:
                future.add_done_callback(adds(left - 1))
        return callback
    future = loop.create_future()
    future.add_done_callback(adds(2))
    future.add_done_callback(lambda f: print("other"))
    future.cancel()
    await turns(5)

    print("== callbacks of futures that end each other")
    a, b, c = (loop.create_future() for _ in range(3))
    a.add_done_callback(lambda f: print("a ends b", b.cancel("by a")))
    b.add_done_callback(lambda f: print("b ends c", f.cancelled(), c.set_result("by b")))
    b.add_done_callback(lambda f: print("b ends a", a.cancel("by b")))
    c.add_done_callback(lambda f: print("c", f.result(), a.done(), b.done()))
    task = asyncio.create_task(waits("waits for b", b))
    await turns(1)
    a.set_result(None)
    await turns(4)

    print("== callbacks of a task that is cancelled")
    task = asyncio.create_task(waits("task", loop.create_future()))
    task.add_done_callback(lambda t: print("callback", t.cancelled(), t.cancel(), t.cancelling()))
    await turns(1)
    task.cancel("why")
    await turns(3)

    print("== cancelled together with its future")
    future = loop.create_future()
    task = asyncio.create_task(waits("task", future))
    await turns(1)
    print(future.cancel("the future"), task.cancel("the task"), task.cancelling())
    await turns(2)
    print(task.cancelled())
    future = loop.create_future()
    task = asyncio.create_task(waits("task", future))
    await turns(1)
    future.set_exception(RuntimeError("the future"))
    print(task.cancel("the task"), task.cancelling())
    await turns(2)
    print(task.cancelled(), repr(future.exception()))

asyncio.run(main())
