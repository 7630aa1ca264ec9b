# Who begins with whose context: tasks and callbacks with a copy of their maker's, an awaited coroutine and wait_for with the very same.
import asyncio, contextvars
v = contextvars.ContextVar("v", default="none")
def show(who): print(who, v.get())
async def child(who): show(who + " begins"); v.set(who); await asyncio.sleep(0); show(who + " goes on"); return who
async def called(): show("called"); v.set("called")
async def leaf(): return v.get()
async def main():
    show("main"); v.set("main"); loop = asyncio.get_running_loop()
    t = asyncio.create_task(child("task")); v.set("later"); await t; show("after task")
    await called(); show("after call")
    v.set("soon"); loop.call_soon(lambda: (show("call_soon"), v.set("in callback")))
    v.set("timer"); loop.call_later(0.01, show, "call_later"); loop.call_at(loop.time() + 0.02, show, "call_at")
    v.set("threadsafe"); loop.call_soon_threadsafe(show, "call_soon_threadsafe")
    f = loop.create_future(); v.set("registered"); f.add_done_callback(lambda f: show("done callback"))
    v.set("result"); f.set_result(1); v.set("since"); await asyncio.sleep(0.03); show("after callbacks")
    g = asyncio.create_task(child("x")); g.add_done_callback(lambda t: show("done callback of a task")); await g
    print(*await asyncio.gather(child("a"), child("b"), leaf())); show("after gather")
    async with asyncio.TaskGroup() as tg: v.set("group"); tg.create_task(child("c")); v.set("rest")
    show("after group")
    await asyncio.wait_for(called(), 1); show("after wait_for")
    async with asyncio.timeout(1): await called()
    await asyncio.shield(child("shielded")); show("after shield")
    v.set("here"); print("to_thread", await asyncio.to_thread(v.get))
    await asyncio.to_thread(v.set, "thread"); show("after to_thread")
    print("executor", await loop.run_in_executor(None, v.get))
v.set("outside")
asyncio.run(main()); show("end")
