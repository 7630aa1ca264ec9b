# Rule: what an eager task throws is the task's; only SystemExit and KeyboardInterrupt leave
# create_task(). A group hears of its children's errors.
# SPDX-License-Identifier: MIT
import asyncio

def handler(loop, context):
    print("handler:", context["message"], repr(context.get("exception")))

async def fails(why):
    raise RuntimeError(why)

async def fails_later(why):
    await asyncio.sleep(0)
    raise RuntimeError(why)

async def leaves(code):
    raise SystemExit(code)

async def instant(value):
    return value

async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(handler)
    loop.set_task_factory(asyncio.eager_task_factory)

    task = asyncio.create_task(fails("at once"))
    print(task.done(), repr(task.exception()))
    try:
        await task
    except RuntimeError as error:
        print("main", repr(error))

    try:
        asyncio.create_task(leaves(3))
    except SystemExit as error:
        print("out of create_task", repr(error), asyncio.current_task() is not None)

    gathered = asyncio.gather(instant(1), fails("first"), fails("second"))
    print("gather", gathered.done(), repr(gathered.exception()))
    gathered = asyncio.gather(instant(1), fails("kept"), return_exceptions=True)
    print("gather", gathered.done(), gathered.result())
    gathered = asyncio.gather(instant(1), fails_later("later"))
    print("gather", gathered.done())
    try:
        await gathered
    except RuntimeError as error:
        print("main", repr(error))

    shielded = asyncio.shield(instant(5))
    print("shield", isinstance(shielded, asyncio.Task), shielded.done(), shielded.result())
    print(await asyncio.wait_for(instant(6), 1))
    done, pending = await asyncio.wait([asyncio.create_task(instant(7))])
    print(len(done), len(pending))

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(instant(1))
            child = group.create_task(fails_later("in the group"))
            print("body", child.done())
            await asyncio.sleep(1)
    except* RuntimeError as error:
        print(repr(error))
    try:
        async with asyncio.TaskGroup() as group:
            child = group.create_task(fails("before the body waits"))
            print("body", child.done())
            await asyncio.sleep(1)
            print("not reached")
    except* RuntimeError as error:
        print(repr(error))
    print(asyncio.current_task().cancelling())

asyncio.run(main())
