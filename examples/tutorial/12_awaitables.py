"""Chapter 12: awaitables of one's own. Its C++ twin: 12_awaitables.cpp."""
# SPDX-License-Identifier: MIT
import asyncio
import os
import threading
from collections import deque


# [tickets]
class Tickets:
    """As many tasks go on as tickets are issued, in the order in which they came."""

    def __init__(self):
        self.left = 0
        self.waiting = deque()

    def issue(self):
        while self.waiting:
            waiter = self.waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.left += 1

    async def take(self):
        if self.left > 0:
            self.left -= 1
            return
        waiter = asyncio.get_running_loop().create_future()
        self.waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():
                self.issue()  # it was this task's: the next one gets it
            raise
# [/tickets]


# [use]
async def ride(tickets, name):
    await tickets.take()
    print(name, "has a ticket")


async def tickets():
    office = Tickets()
    riders = [asyncio.create_task(ride(office, name)) for name in ("Ann", "Ben", "Cleo")]
    await asyncio.sleep(0)

    riders[0].cancel()  # while it waits
    office.issue()  # so this one is for Ben ...
    riders[1].cancel()  # ... who is cancelled before he has run: it goes to Cleo
    await asyncio.wait(riders)
    print([rider.cancelled() for rider in riders], office.left)
# [/use]


# [eventfd]
class EventFd:
    """A counter of the kernel's: any thread adds to it, a task awaits the sum so far."""

    def __init__(self):
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def close(self):
        os.close(self.fd)

    def add(self, number):
        os.eventfd_write(self.fd, number)

    async def count(self):
        loop = asyncio.get_running_loop()
        while True:
            try:
                return os.eventfd_read(self.fd)
            except BlockingIOError:
                pass
            readable = loop.create_future()
            loop.add_reader(self.fd, lambda: readable.done() or readable.set_result(None))
            try:
                await readable
            finally:
                loop.remove_reader(self.fd)
# [/eventfd]


# [counting]
async def counting():
    counter = EventFd()
    waiting = asyncio.create_task(counter.count())
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait([waiting])
    print("cancelled:", waiting.cancelled())

    counter.add(2)
    counter.add(3)
    print("sum:", await counter.count())

    thread = threading.Thread(target=counter.add, args=(7,))
    thread.start()
    print("from a thread:", await counter.count())
    thread.join()
    counter.close()
# [/counting]


async def main():
    for part in (tickets, counting):
        print(f"-- {part.__name__}")
        await part()


asyncio.run(main())
