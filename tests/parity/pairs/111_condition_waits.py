# Rule: wait() always has the lock again when it ends, absorbs cancellations until then, and passes on a notification it cannot use.
# SPDX-License-Identifier: MIT
import asyncio

async def waiter(condition, name):
    async with condition:
        print(name, "waits")
        try:
            await condition.wait()
            print(name, "notified", condition.locked())
        except asyncio.CancelledError as error:
            print(name, "cancelled", error.args, condition.locked())
            raise
    print(name, "out")

async def settle(tasks):
    results = await asyncio.gather(*tasks, return_exceptions=True)
    print([type(result).__name__ for result in results])

async def cancelled_while_it_waits():
    condition = asyncio.Condition()
    tasks = [asyncio.create_task(waiter(condition, name)) for name in "ab"]
    await asyncio.sleep(0)
    await condition.acquire()
    tasks[0].cancel("first")
    await asyncio.sleep(0.01)
    print("needs the lock", tasks[0].done())
    tasks[0].cancel("second")
    await asyncio.sleep(0.01)
    print("still", tasks[0].done(), tasks[0].cancelling())
    condition.notify()
    condition.release()
    await settle(tasks)

async def cancelled_after_it_was_notified():
    condition = asyncio.Condition()
    tasks = [asyncio.create_task(waiter(condition, name)) for name in "abc"]
    await asyncio.sleep(0)
    async with condition:
        condition.notify()
        tasks[0].cancel()
    await asyncio.sleep(0.01)
    print([task.done() for task in tasks])
    async with condition:
        condition.notify_all()
    await settle(tasks)

async def predicate(condition, values, name):
    async with condition:
        print(name, "gets", await condition.wait_for(lambda: values and values.pop(0)))

async def waits_for():
    condition = asyncio.Condition()
    values = []
    tasks = [asyncio.create_task(predicate(condition, values, name)) for name in "ab"]
    await asyncio.sleep(0)
    for value in (0, 7, 8):
        async with condition:
            values.append(value)
            condition.notify_all()
        await asyncio.sleep(0.01)
        print("left", values, [task.done() for task in tasks])

async def misuse():
    condition = asyncio.Condition()
    for call in (condition.notify, condition.notify_all, condition.release):
        try:
            call()
        except RuntimeError as error:
            print(error)
    try:
        await condition.wait()
    except RuntimeError as error:
        print(error)
    lock = asyncio.Lock()
    one, other = asyncio.Condition(lock), asyncio.Condition(lock)
    async with one:
        print("shared", other.locked())
        other.notify()

async def main():
    for part in (cancelled_while_it_waits, cancelled_after_it_was_notified, waits_for, misuse):
        print("--", part.__name__)
        await part()

asyncio.run(main())
