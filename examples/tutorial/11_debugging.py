"""Chapter 11: debugging. Its C++ twin: 11_debugging.cpp."""
# SPDX-License-Identifier: MIT
import asyncio
import inspect


def call_stack(task):
    """What Python 3.14 gives as capture_call_graph(task).call_stack."""
    coroutine = task.get_coro()
    names = []
    while inspect.iscoroutine(coroutine):
        names.append(coroutine.__name__)
        coroutine = coroutine.cr_await
    return reversed(names)


def awaited_by(task):
    """What Python 3.14 gives as capture_call_graph(task).awaited_by."""
    return [other for other in asyncio.all_tasks() if other._fut_waiter is task]


# [graph]
async def fetch():
    await asyncio.sleep(3600)


async def crawl():
    await fetch()


async def report(task):
    await task


async def graph():
    crawler = asyncio.create_task(crawl(), name="crawler")
    reporter = asyncio.create_task(report(crawler), name="reporter")
    await asyncio.sleep(0.01)
    for name in call_stack(crawler):
        print("in", name)
    for task in awaited_by(crawler):
        print("awaited by", task.get_name())
    reporter.cancel()
    await asyncio.wait([reporter])
# [/graph]


# [pending]
async def pending():
    tasks = [asyncio.create_task(fetch(), name=name) for name in ("one", "two")]
    for name in sorted(task.get_name() for task in asyncio.all_tasks()
                       if task is not asyncio.current_task()):
        print("pending:", name)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
# [/pending]


# [handler]
async def fail():
    await asyncio.sleep(0)
    raise RuntimeError("nobody looks")


def complain():
    raise RuntimeError("complaint")


def on_error(loop, context):
    print("reported:", repr(context["exception"]))


async def handler():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(on_error)
    asyncio.create_task(fail())  # "Task exception was never retrieved"
    loop.call_soon(complain)  # "Exception in callback"
    await asyncio.sleep(0.01)
    loop.set_exception_handler(None)
# [/handler]


# [debug]
async def debug():
    loop = asyncio.get_running_loop()

    def wrong():  # it is call_soon_threadsafe() that is for other threads
        try:
            loop.call_soon(print, "never")
        except RuntimeError as error:
            print(error)

    loop.set_debug(True)
    await asyncio.to_thread(wrong)
    loop.set_debug(False)
# [/debug]


async def main():
    for part in (graph, pending, handler, debug):
        print(f"-- {part.__name__}")
        await part()


asyncio.run(main())
