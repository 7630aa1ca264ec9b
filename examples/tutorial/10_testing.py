"""Chapter 10: tests. Its C++ twin: 10_testing.cpp."""
# SPDX-License-Identifier: MIT
import asyncio
import selectors


# [subject]
async def retry(operation, attempts, pause):
    """What operation() gives; asked again, after a pause, when it fails."""
    for attempt in range(1, attempts + 1):
        try:
            return await operation()
        except ConnectionError:
            if attempt == attempts:
                raise
        await asyncio.sleep(pause * 2 ** (attempt - 1))
# [/subject]


# [clock]
class VirtualSelector(selectors.DefaultSelector):
    """Python has no virtual clock: this one moves on when the loop would wait."""
    now = 1.0

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready and timeout:
            VirtualSelector.now += timeout
        return ready


def run_on_virtual_clock(main):
    def new_loop():
        loop = asyncio.SelectorEventLoop(VirtualSelector())
        loop.time = lambda: VirtualSelector.now
        return loop

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main)
# [/clock]


# [test]
failures = 0


def expect(truth, what):
    global failures
    failures += not truth
    print("ok" if truth else "FAILED", what)


async def retry_waits_longer_each_time():
    loop = asyncio.get_running_loop()
    start = loop.time()
    times = []

    async def operation():
        times.append(round(loop.time() - start))
        if len(times) < 4:
            raise ConnectionError("not yet")
        return "data"

    expect(await retry(operation, 5, 600) == "data", "gives what came in the end")
    expect(times == [0, 600, 1800, 4200], "pauses: 600 s, 1200 s, 2400 s")
# [/test]


# [settle]
async def settle():
    await asyncio.sleep(1e-9)  # on a virtual clock: when nothing else is left to do


async def a_worker_waits_for_the_lock():
    lock = asyncio.Lock()
    await lock.acquire()
    worker = asyncio.create_task(lock.acquire())
    await settle()
    expect(not worker.done(), "waits while the lock is held")
    lock.release()
    await settle()
    expect(worker.done(), "has it afterwards")
# [/settle]


print("-- retry")
run_on_virtual_clock(retry_waits_longer_each_time())
print("-- settle")
run_on_virtual_clock(a_worker_waits_for_the_lock())
raise SystemExit(failures != 0)
