# An async generator runs in the context of whoever asks for the next item; an eager task in a copy of its maker's, from its first step.
import asyncio, contextvars
v = contextvars.ContextVar("v", default="none")
def show(who): print(who, v.get())
async def numbers(n):
    for i in range(n):
        show(f"generator {i}"); v.set(f"by generator {i}"); yield i
        await asyncio.sleep(0)
    show("generator ends")
async def step(g, who): v.set(who); i = await anext(g, None); print(who, "got", i); show(who)
async def scope(g):
    token = v.set("scope")
    try: await anext(g)
    finally: v.reset(token)
    show("after scope")
async def eager(who): show(who + " begins"); v.set(who); await asyncio.sleep(0); show(who + " goes on"); v.set(who + "2")
async def main():
    v.set("main"); g = numbers(4)
    await step(g, "awaited"); await asyncio.create_task(step(g, "task")); show("main")
    async for i in g: show(f"main {i}"); break
    await g.aclose(); show("after aclose")
    g = numbers(1); await scope(g); await asyncio.create_task(g.aclose())
    loop = asyncio.get_running_loop(); loop.set_task_factory(asyncio.eager_task_factory)
    v.set("maker"); t = asyncio.create_task(eager("eager")); show("maker"); v.set("since"); await t; show("maker"); print(t.get_context()[v])
    def callback(): v.set("callback"); asyncio.create_task(eager("of a callback")); show("callback")
    loop.call_soon(callback); await asyncio.sleep(0); await asyncio.sleep(0); show("maker")
    def nested(): asyncio.create_task(eager("of run()")); show("in run()"); v.set("x")
    c = contextvars.copy_context(); c.run(nested); await asyncio.sleep(0); print(c[v]); show("maker")
asyncio.run(main())
