# Rule: what add_signal_handler() refuses, and where the exceptions of handlers go.
# SPDX-License-Identifier: MIT
import asyncio
import signal
import threading


def attempt(name, fn, *args):
    try:
        print(name, fn(*args))
    except Exception as error:
        print(name, repr(error))


async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: print("handler:", repr(context["exception"])))

    def nothing():
        pass

    attempt("0", loop.add_signal_handler, 0, nothing)
    attempt("-1", loop.add_signal_handler, -1, nothing)
    attempt("66", loop.add_signal_handler, 66, nothing)
    attempt("32", loop.add_signal_handler, 32, nothing)
    attempt("SIGKILL", loop.add_signal_handler, signal.SIGKILL, nothing)
    attempt("SIGSTOP", loop.add_signal_handler, signal.SIGSTOP, nothing)
    attempt("remove 0", loop.remove_signal_handler, 0)
    attempt("remove 66", loop.remove_signal_handler, 66)
    attempt("remove SIGKILL", loop.remove_signal_handler, signal.SIGKILL)
    attempt("remove SIGUSR1", loop.remove_signal_handler, signal.SIGUSR1)

    thread = threading.Thread(target=attempt, args=("thread", loop.add_signal_handler, signal.SIGUSR1, nothing))
    thread.start()
    thread.join()

    calls = 0

    def bad():
        nonlocal calls
        calls += 1
        raise RuntimeError("bad " + str(calls))

    loop.add_signal_handler(signal.SIGUSR1, bad)
    signal.raise_signal(signal.SIGUSR1)
    await asyncio.sleep(0.01)
    signal.raise_signal(signal.SIGUSR1)
    await asyncio.sleep(0.01)
    loop.remove_signal_handler(signal.SIGUSR1)
    return loop


loop = asyncio.run(main())
attempt("closed", loop.add_signal_handler, signal.SIGUSR1, print)
