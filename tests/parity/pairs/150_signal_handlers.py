# Rule: a signal is a callback in the next turn, behind what was ready; handlers are replaced and removed.
# SPDX-License-Identifier: MIT
import asyncio
import signal


async def main():
    loop = asyncio.get_running_loop()

    def show(name):
        print("signal:", name)

    loop.add_signal_handler(signal.SIGUSR1, show, "first")
    loop.call_soon(print, "ready before")
    signal.raise_signal(signal.SIGUSR1)
    loop.call_soon(print, "ready after")
    print("raised")
    await asyncio.sleep(0.01)

    print("twice")
    signal.raise_signal(signal.SIGUSR1)
    signal.raise_signal(signal.SIGUSR1)
    await asyncio.sleep(0.01)

    print("replaced")
    loop.add_signal_handler(signal.SIGUSR1, show, "second")
    signal.raise_signal(signal.SIGUSR1)
    await asyncio.sleep(0.01)

    print("two signals")
    loop.add_signal_handler(signal.SIGUSR2, show, "other")
    signal.raise_signal(signal.SIGUSR2)
    signal.raise_signal(signal.SIGUSR1)
    await asyncio.sleep(0.01)

    print("cancels a task")
    task = asyncio.create_task(asyncio.sleep(10))
    loop.add_signal_handler(signal.SIGUSR1, task.cancel)
    await asyncio.sleep(0)
    signal.raise_signal(signal.SIGUSR1)
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled")

    print("removed while it is on its way")
    loop.add_signal_handler(signal.SIGUSR1, show, "never")
    signal.raise_signal(signal.SIGUSR1)
    print(loop.remove_signal_handler(signal.SIGUSR1))
    print(loop.remove_signal_handler(signal.SIGUSR1))
    await asyncio.sleep(0.01)

    print("removes itself")

    def once():
        print("once", loop.remove_signal_handler(signal.SIGUSR2))

    loop.add_signal_handler(signal.SIGUSR2, once)
    signal.raise_signal(signal.SIGUSR2)
    await asyncio.sleep(0.01)
    print(loop.remove_signal_handler(signal.SIGUSR2))


asyncio.run(main())
