"""Chapter 9: threads. Its C++ twin: 09_threads.cpp."""
# SPDX-License-Identifier: MIT
import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor


# [to_thread]
def count_words(text):
    time.sleep(0.03)  # computes, or waits for a disk: nothing else would run meanwhile
    return len(text.split())


async def blocking():
    words = asyncio.create_task(asyncio.to_thread(count_words, "to be or not to be"))
    for _ in range(2):
        await asyncio.sleep(0.005)
        print("the loop goes on")
    print(await words, "words")
# [/to_thread]


# [executor]
def square(number):
    return number * number


async def executor():
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(max_workers=2) as pool:
        futures = [loop.run_in_executor(pool, square, number) for number in (2, 3, 4)]
        for result in await asyncio.gather(*futures):
            print(result)
# [/executor]


# [threadsafe]
def measure(loop, values):  # in a thread of its own
    for value in (20, 21, 22):
        time.sleep(0.005)
        loop.call_soon_threadsafe(values.put_nowait, value)
    loop.call_soon_threadsafe(values.put_nowait, None)


async def threadsafe():
    values = asyncio.Queue()
    thread = threading.Thread(target=measure, args=(asyncio.get_running_loop(), values))
    thread.start()
    while (value := await values.get()) is not None:
        print("measured", value)
    thread.join()
# [/threadsafe]


# [coroutine]
async def ask(question):
    await asyncio.sleep(0)
    return f"{question}? yes"


def consult(loop):  # in a thread of its own
    answer = asyncio.run_coroutine_threadsafe(ask("ready"), loop)
    print(answer.result(timeout=5))  # the thread waits, and the loop does not


async def coroutine():
    await asyncio.to_thread(consult, asyncio.get_running_loop())
# [/coroutine]


# [cancelled]
async def abandoned():
    loop = asyncio.get_running_loop()
    begun, ended, go_on = asyncio.Event(), asyncio.Event(), threading.Event()

    def call():
        loop.call_soon_threadsafe(begun.set)
        go_on.wait()
        print("the call goes on")
        loop.call_soon_threadsafe(ended.set)

    task = asyncio.create_task(asyncio.to_thread(call))
    await begun.wait()
    task.cancel()
    await asyncio.wait([task])
    print("cancelled:", task.cancelled())
    go_on.set()
    await ended.wait()
# [/cancelled]


async def main():
    for part in (blocking, executor, threadsafe, coroutine, abandoned):
        print(f"-- {part.__name__}")
        await part()


asyncio.run(main())
