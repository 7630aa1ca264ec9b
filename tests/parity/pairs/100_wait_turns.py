# Rule: in which turn wait() returns, what counts as done by then, and whose exceptions it looks at.
# SPDX-License-Identifier: MIT
import asyncio

async def turns(count):
    for turn in range(count):
        print("- turn", turn)
        await asyncio.sleep(0)

async def after(name, count, fails=False):
    for _ in range(count):
        await asyncio.sleep(0)
    print(name, "ends")
    if fails:
        raise RuntimeError(name)
    return name

def make(name, count, fails=False):
    return asyncio.create_task(after(name, count, fails), name=name)

def names(tasks):
    return ",".join(sorted(task.get_name() for task in tasks))

async def waits(what, tasks, **options):
    try:
        done, pending = await asyncio.wait(tasks, **options)
        print(what, "done:", names(done), "pending:", names(pending))
    except asyncio.CancelledError as error:
        print(what, repr(error))
        raise

async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(
        lambda loop, context: print("handler:", context["message"], repr(context["exception"])))

    print("== what ends one turn later counts as well")
    tasks = [make("a", 1), make("b", 2), make("c", 3)]
    waiting = asyncio.create_task(waits("first", tasks, return_when=asyncio.FIRST_COMPLETED))
    await turns(6)

    print("== all are done before")
    waiting = asyncio.create_task(waits("all", tasks))
    await turns(3)

    print("== one has failed before")
    tasks = [make("good", 0), make("bad", 0, True)]
    await turns(2)
    slow = make("slow", 5)
    await waits("exception", [slow] + tasks, return_when=asyncio.FIRST_EXCEPTION)
    tasks = None
    print("it was looked at")

    print("== one was cancelled before")
    tasks = [make("cancelled", 0), make("good", 0)]
    tasks[0].cancel()
    await turns(2)
    await waits("exception", [slow] + tasks, return_when=asyncio.FIRST_EXCEPTION)

    print("== a failure that nobody looks at")
    tasks = [make("bad", 0, True)]
    await waits("all", tasks)
    tasks = None
    tasks = [make("worse", 0, True), make("other", 3)]
    await waits("first", tasks, return_when=asyncio.FIRST_COMPLETED)
    await tasks[1]
    tasks = None

    print("== no time at all")
    tasks = [make("now", 0), make("next", 1), make("late", 6)]
    waiting = asyncio.create_task(waits("no time", tasks, timeout=0))
    await turns(5)
    await waits("rest", tasks)

    print("== two wait for the same")
    tasks = [make("x", 2), make("y", 4)]
    one = asyncio.create_task(waits("one", tasks, return_when=asyncio.FIRST_COMPLETED))
    two = asyncio.create_task(waits("two", tasks))
    await turns(1)
    one.cancel("not any more")
    await turns(1)
    print(one.cancelled(), [task.cancelling() for task in tasks] == [0, 0])
    await two

    print("== cancelled in the turn in which it is over")
    tasks = [make("last", 1)]
    one = asyncio.create_task(waits("one", tasks))
    tasks[0].add_done_callback(lambda task: print("cancel", one.cancel("too late?")))
    await turns(5)
    print(one.cancelled(), tasks[0].result())

asyncio.run(main())
