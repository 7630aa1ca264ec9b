# Rule: who is let in, woken and served, in which order, when a task is cancelled, and who starts at once.
# SPDX-License-Identifier: MIT
import asyncio

async def ended(awaitable):
    """What it raises, as text."""
    try:
        await awaitable
    except (asyncio.CancelledError, Exception) as error:
        return repr(error)

async def semaphore_fifo():
    semaphore = asyncio.Semaphore(1)
    async def enter(number):
        async with semaphore:
            print("semaphore_fifo", number)
            await asyncio.sleep(0)
    await asyncio.gather(*[enter(number) for number in range(5)])

async def condition_cancel_reacquires():
    condition = asyncio.Condition()
    async def waits():
        await condition.acquire()
        try:
            await condition.wait()
        except asyncio.CancelledError:
            print("condition_cancel_reacquires", condition.locked())
            raise
        finally:
            condition.release()
    task = asyncio.create_task(waits())
    await asyncio.sleep(0)
    task.cancel()
    print("condition_cancel_reacquires", await ended(task))

async def queue_cancelled_getter_keeps_item():
    queue = asyncio.Queue()
    task = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.put_nowait("x")
    task.cancel()
    print("queue_cancelled_getter_keeps_item", await ended(task), task.cancelled(), queue.qsize())

async def as_completed_order():
    async def slept(name, delay):
        await asyncio.sleep(delay)
        return name
    for future in asyncio.as_completed([slept("c", 0.06), slept("a", 0.02), slept("b", 0.04)]):
        print("as_completed_order", await future)

async def event_set_then_clear():
    event = asyncio.Event()
    async def waits():
        print("event_set_then_clear", "woken", await event.wait())
    task = asyncio.create_task(waits())
    await asyncio.sleep(0)
    event.set()
    event.clear()
    await task
    print("event_set_then_clear", event.is_set())

async def eager():
    loop = asyncio.get_running_loop()
    async def two_steps():
        print("eager", "c1")
        await asyncio.sleep(0)
        print("eager", "c2")
    async def one_step():
        print("eager", "d")
        return 9
    loop.set_task_factory(asyncio.eager_task_factory)
    first = loop.create_task(two_steps())
    print("eager", "after c")
    second = loop.create_task(one_step())
    print("eager", "after d", second.done())
    await first
    loop.set_task_factory(None)

async def main():
    await semaphore_fifo()
    await condition_cancel_reacquires()
    await queue_cancelled_getter_keeps_item()
    await as_completed_order()
    await event_set_then_clear()
    await eager()

asyncio.run(main())
