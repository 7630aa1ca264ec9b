# Rule: what becomes of a task, a gather and a shield that are cancelled early, late, twice or by themselves.
# SPDX-License-Identifier: MIT
import asyncio

async def ended(awaitable):
    """What it raises, as text."""
    try:
        await awaitable
    except (asyncio.CancelledError, Exception) as error:
        return repr(error)

async def fail(turns=0):
    for _ in range(turns):
        await asyncio.sleep(0)
    raise ValueError("x")

async def cancel_before_start():
    async def body():
        print("cancel_before_start", "body ran")
    task = asyncio.create_task(body())
    task.cancel()
    print("cancel_before_start", await ended(task), task.cancelled())

async def cancel_loses_result():
    future = asyncio.get_running_loop().create_future()
    async def body():
        print("cancel_loses_result", "got", await future)
    task = asyncio.create_task(body())
    await asyncio.sleep(0)
    future.set_result("value")
    task.cancel()
    print("cancel_loses_result", await ended(task))

async def cancel_swallowed_then_return():
    async def body():
        try:
            await asyncio.sleep(9)
        except asyncio.CancelledError:
            pass
        return 5
    task = asyncio.create_task(body())
    await asyncio.sleep(0)
    task.cancel()
    print("cancel_swallowed_then_return", await task, task.cancelled(), task.cancelling())

async def cancel_self_then_return():
    async def body():
        asyncio.current_task().cancel()
        return 7
    task = asyncio.create_task(body())
    print("cancel_self_then_return", await ended(task), task.cancelled())

async def double_cancel_count():
    async def body():
        count = 0
        for _ in range(2):
            try:
                await asyncio.sleep(0.005)
            except asyncio.CancelledError:
                count += 1
        return count
    task = asyncio.create_task(body())
    await asyncio.sleep(0)
    task.cancel()
    task.cancel()
    print("double_cancel_count", task.cancelling(), await task)

async def uncancel_clears_must_cancel():
    async def body():
        task = asyncio.current_task()
        task.cancel()
        task.uncancel()
        await asyncio.sleep(0)
        return "survived"
    print("uncancel_clears_must_cancel", await asyncio.create_task(body()))

async def gather_first_exc():
    async def slow():
        await asyncio.sleep(0.02)
        print("gather_first_exc", "sibling finished")
    print("gather_first_exc", await ended(asyncio.gather(fail(), slow())))
    await asyncio.sleep(0.06)

async def gather_outer_cancel_retexc():
    async def outer():
        return await asyncio.gather(asyncio.sleep(9), asyncio.sleep(9), return_exceptions=True)
    task = asyncio.create_task(outer())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    print("gather_outer_cancel_retexc", await ended(task))

async def gather_child_cancelled():
    child = asyncio.create_task(asyncio.sleep(9))
    group = asyncio.gather(child, asyncio.sleep(0.01))
    await asyncio.sleep(0)
    child.cancel()
    print("gather_child_cancelled", await ended(group), group.cancelled(), asyncio.current_task().cancelling())

async def shield_cancel():
    inner = asyncio.create_task(asyncio.sleep(0.02, "in"))
    async def outer():
        await asyncio.shield(inner)
    task = asyncio.create_task(outer())
    await asyncio.sleep(0)
    task.cancel()
    print("shield_cancel", await ended(task), await inner)

# In which words is not shown: those of a shield are of 3.14.
def handler(loop, context):
    print("handler:", repr(context["exception"]))

async def shield_inner_exc_after_outer_cancel():
    inner = asyncio.create_task(fail(3))
    async def outer():
        await asyncio.shield(inner)
    task = asyncio.create_task(outer())
    await asyncio.sleep(0)
    task.cancel()
    print("shield_inner_exc_after_outer_cancel", await ended(task))
    await asyncio.sleep(0.02)
    del inner, outer
    print("shield_inner_exc_after_outer_cancel", "done")

async def never_retrieved():
    task = asyncio.create_task(fail())
    await asyncio.sleep(0.01)
    del task
    print("never_retrieved", "deleted")

async def main():
    asyncio.get_running_loop().set_exception_handler(handler)
    await cancel_before_start()
    await cancel_loses_result()
    await cancel_swallowed_then_return()
    await cancel_self_then_return()
    await double_cancel_count()
    await uncancel_clears_must_cancel()
    await gather_first_exc()
    await gather_outer_cancel_retexc()
    await gather_child_cancelled()
    await shield_cancel()
    await shield_inner_exc_after_outer_cancel()
    await never_retrieved()

asyncio.run(main())
