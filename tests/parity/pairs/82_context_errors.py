# Tokens and contexts used wrongly: twice, of another variable, of another context; entered twice, also by an eager task.
import asyncio, contextvars
v = contextvars.ContextVar("v"); w = contextvars.ContextVar("w", default=5)
def attempt(what, fn, *args):
    try: print(what, fn(*args))
    except Exception as e: print(what, type(e).__name__, next((w for w in ("been used once", "different ContextVar", "different Context", "already entered") if w in str(e)), ""))
def reset(var, token): var.reset(token); return var.get(0)
async def give(): return v.set(1)
async def nothing(): pass
async def main():
    attempt("unset", v.get); attempt("fallback", v.get, 3); attempt("default", w.get); attempt("default and fallback", w.get, 6)
    token = v.set(1); attempt("other variable", reset, w, token); attempt("once", reset, v, token); attempt("twice", reset, v, token)
    a = v.set(1); b = v.set(2); attempt("out of order", reset, v, a); attempt("the later one", reset, v, b)
    token = await give(); attempt("of an awaited coroutine", reset, v, token)
    token = await asyncio.create_task(give()); attempt("of another task", reset, v, token)
    ctx = contextvars.Context(); token = ctx.run(v.set, 7); attempt("of run()", reset, v, token); attempt("there", ctx.run, reset, v, token)
    attempt("entered", ctx.run, lambda: ctx.run(nothing)); attempt("run again", ctx.run, lambda: 8)
    attempt("a copy", ctx.run, lambda: ctx.copy().run(lambda: 9))
    t = asyncio.create_task(nothing(), context=ctx); attempt("of a task that waits for its turn", ctx.run, lambda: 10); await t
    async def inside(): attempt("of the running task", ctx.run, lambda: 11)
    await asyncio.create_task(inside(), context=ctx)
    async def eager():
        attempt("outer, from an eager task", me.run, lambda: 12)
        attempt("a fresh one", contextvars.copy_context().run, lambda: 13)
    me = asyncio.current_task().get_context()
    asyncio.eager_task_factory(asyncio.get_running_loop(), eager()); attempt("own again", me.run, lambda: 14)
    v.set(15); loop = asyncio.get_running_loop(); loop.call_soon(lambda: attempt("of the callback", h.get_context().run, lambda: 16)); h = loop.call_soon(lambda: attempt("of the callback itself", h.get_context().run, lambda: 17))
    await asyncio.sleep(0); attempt("of a callback that is over", h.get_context().run, v.get)
asyncio.run(main())
