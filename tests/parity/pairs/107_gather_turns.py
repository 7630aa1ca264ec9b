# Rule: in which turn a gather is done, whatever its arguments were: done, cancelled, failed, given twice, gathered themselves.
# SPDX-License-Identifier: MIT
import asyncio

async def turns(count):
    for turn in range(count):
        print("- turn", turn)
        await asyncio.sleep(0)

async def after(name, count, fails=False):
    try:
        for _ in range(count):
            await asyncio.sleep(0)
    except asyncio.CancelledError as error:
        print(name, repr(error))
        raise
    print(name, "ends")
    if fails:
        raise RuntimeError(name)
    return name

def told(what):
    def callback(future):
        print(what, "is done", future.cancelled())
    return callback

def outcome(future):
    try:
        future.result()
        return "a result"
    except (asyncio.CancelledError, RuntimeError) as error:
        return repr(error)

def watch(what, future):
    print(what, "at once:", future.done())
    future.add_done_callback(told(what))
    return future

async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(
        lambda loop, context: print("handler:", context["message"], repr(context["exception"])))
    ready = loop.create_future()
    ready.set_result("ready")
    failed = loop.create_future()
    failed.set_exception(RuntimeError("failed"))
    cancelled = loop.create_future()
    cancelled.cancel("cancelled")

    print("== of coroutines")
    gathered = watch("gather", asyncio.gather(after("a", 1), after("b", 0)))
    await turns(5)
    print(*gathered.result())

    print("== of what is done")
    gathered = watch("gather", asyncio.gather(ready, ready))
    print(*gathered.result())
    await turns(1)
    gathered = watch("gather", asyncio.gather(ready, after("c", 0)))
    await turns(3)
    print(*gathered.result())

    print("== of what has failed, or was cancelled")
    print(outcome(watch("failed", asyncio.gather(ready, failed, after("d", 1)))))
    await turns(4)
    print(outcome(watch("cancelled", asyncio.gather(cancelled, failed))))
    await turns(1)
    gathered = watch("all", asyncio.gather(cancelled, failed, ready, return_exceptions=True))
    one, two, three = gathered.result()
    print(repr(one), repr(two), three)
    await turns(1)

    print("== of gathers")
    gathered = watch("outer", asyncio.gather(
        watch("left", asyncio.gather(after("e", 0), after("f", 1))),
        watch("right", asyncio.gather(ready))))
    await turns(6)
    left, right = gathered.result()
    print(*left, *right)

    print("== two gathers of the same, one is cancelled")
    shared = asyncio.create_task(after("shared", 3))
    one = watch("one", asyncio.gather(shared, after("own", 5)))
    two = watch("two", asyncio.gather(shared, ready))
    await turns(1)
    print(two.cancel("two"), shared.cancelling())
    await turns(4)
    print(outcome(one), outcome(two))
    await turns(3)

    print("== cancelled when a child has just ended")
    child = loop.create_future()
    other = asyncio.create_task(after("other", 3))
    gathered = watch("gather", asyncio.gather(child, other))
    child.set_result("child")
    print(gathered.cancel("now"), child.cancelled(), other.cancelling())
    await turns(4)
    print(outcome(gathered))

    print("== failed, and another fails later")
    gathered = watch("gather", asyncio.gather(after("first", 0, True), after("later", 2, True)))
    await turns(2)
    print(outcome(gathered), gathered.cancel())
    await turns(4)
    gathered = None
    print("nobody looks")
    gathered = asyncio.gather(after("alone", 0, True))
    await turns(3)
    gathered = None

    print("== cancelled twice with other messages")
    gathered = watch("gather", asyncio.gather(after("x", 9), after("y", 9)))
    await turns(1)
    print(gathered.cancel("one"), gathered.cancel("two"))
    await turns(3)
    print(outcome(gathered), gathered.cancelled())

asyncio.run(main())
