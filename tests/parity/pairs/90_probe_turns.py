# Rule: how many turns of the loop each await takes, and in which turn and order callbacks run.
# SPDX-License-Identifier: MIT
import asyncio

class Turns:
    """Counts the turns of the loop: a callback that is first in each of them."""
    def __init__(self):
        self.now = 0
        self.counts = True
        self.tick()

    def tick(self):
        if self.counts:
            self.now += 1
            asyncio.get_running_loop().call_soon(self.tick)

async def instant():
    return 1

async def hops(name, make):
    turns = Turns()
    await asyncio.sleep(0)
    start = turns.now
    await make()
    print(name, turns.now - start)
    turns.counts = False
    await asyncio.sleep(0)

async def empty_group():
    async with asyncio.TaskGroup():
        pass

async def group_of_one():
    async with asyncio.TaskGroup() as group:
        group.create_task(instant())

async def queue_get():
    queue = asyncio.Queue()
    queue.put_nowait(1)
    await queue.get()

async def lock_acquire():
    await asyncio.Lock().acquire()

async def await_done():
    future = asyncio.get_running_loop().create_future()
    future.set_result(1)
    await future

async def all_hops():
    await hops("await_done_future", await_done)
    await hops("await_coroutine", instant)
    await hops("await_sleep0", lambda: asyncio.sleep(0))
    await hops("await_new_task", lambda: asyncio.create_task(instant()))
    await hops("await_gather_2", lambda: asyncio.gather(instant(), instant()))
    await hops("await_wait_1", lambda: asyncio.wait([asyncio.create_task(instant())]))
    await hops("await_wait_for_coro", lambda: asyncio.wait_for(instant(), 1))
    await hops("await_wait_for_task", lambda: asyncio.wait_for(asyncio.create_task(instant()), 1))
    await hops("await_shield_coro", lambda: asyncio.shield(instant()))
    await hops("empty_taskgroup", empty_group)
    await hops("taskgroup_1", group_of_one)
    await hops("queue_get_nonempty", queue_get)
    await hops("lock_uncontended", lock_acquire)

async def wait_for_same_task():
    async def same(task):
        return asyncio.current_task() is task
    print("wait_for_same_task", await asyncio.wait_for(same(asyncio.current_task()), 1))

async def take(name, lock, turns, start):
    async with lock:
        print("lock_handoff", name, turns.now - start)

async def lock_handoff():
    lock = asyncio.Lock()
    await lock.acquire()
    turns = Turns()
    await asyncio.sleep(0)
    start = turns.now + 1
    tasks = [asyncio.create_task(take(name, lock, turns, start)) for name in "012"]
    await asyncio.sleep(0)
    lock.release()
    await lock.acquire()
    print("lock_handoff", "me", turns.now - start)
    lock.release()
    turns.counts = False
    await asyncio.gather(*tasks)
    await asyncio.sleep(0)

async def done_cb_order():
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    for i in range(3):
        future.add_done_callback(lambda _, i=i: print("done_cb_order", i))
    loop.call_soon(lambda: print("done_cb_order", "soon-before"))
    future.set_result(0)
    loop.call_soon(lambda: print("done_cb_order", "soon-after"))
    print("done_cb_order", "sync")
    await asyncio.sleep(0)
    await asyncio.sleep(0)

async def call_soon_nested():
    loop = asyncio.get_running_loop()
    turns = Turns()
    await asyncio.sleep(0)
    start = turns.now
    def a():
        print("call_soon_nested", "a", turns.now - start)
        loop.call_soon(b)
    def b():
        print("call_soon_nested", "b", turns.now - start)
    loop.call_soon(a)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    turns.counts = False
    await asyncio.sleep(0)

async def timer_vs_soon():
    loop = asyncio.get_running_loop()
    loop.call_later(0, lambda: print("timer_vs_soon", "later0"))
    loop.call_soon(lambda: print("timer_vs_soon", "soon"))
    loop.call_later(-1, lambda: print("timer_vs_soon", "later-1"))
    await asyncio.sleep(0.02)

async def main():
    await all_hops()
    await wait_for_same_task()
    await lock_handoff()
    await done_cb_order()
    await call_soon_nested()
    await timer_vs_soon()

def stop_runs_whole_batch():
    loop = asyncio.new_event_loop()
    loop.call_soon(lambda: print("stop_runs_whole_batch", 1))
    loop.call_soon(loop.stop)
    loop.call_soon(lambda: print("stop_runs_whole_batch", 2))
    loop.call_soon(lambda: loop.call_soon(lambda: print("stop_runs_whole_batch", "next")))
    loop.run_forever()
    print("stop_runs_whole_batch", "stopped")
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()

asyncio.run(main())
stop_runs_whole_batch()
