#include "pair.hpp"
ContextVar<int> v("v"), w("w", 5);
template <class F, class... A> void attempt(const char* what, F&& fn, A&&... args) {
  try { print(what, fn(args...)); } catch (const std::exception& e) {
    std::string type = describe(std::current_exception()), text = e.what(), why; type.resize(type.find('('));
    for (const char* each : {"different Context", "different ContextVar", "been used once", "already entered"}) if (text.find(each) != std::string::npos) why = each;
    print(what, type, why);
  }
}
int reset(const ContextVar<int>& var, Token<int>& token) { var.reset(token); return var.get(0); }
Coroutine<Token<int>> give() { co_return v.set(1); }
Coroutine<> nothing() { co_return; }
int never() { return 0; }
Coroutine<> main_() {
  attempt("unset", [] { return v.get(); }); attempt("fallback", [] { return v.get(3); }); attempt("default", [] { return w.get(); }); attempt("default and fallback", [] { return w.get(6); });
  { auto token = v.set(1); attempt("other variable", reset, w, token); attempt("once", reset, v, token); attempt("twice", reset, v, token); }
  { auto a = v.set(1); auto b = v.set(2); attempt("out of order", reset, v, a); attempt("the later one", reset, v, b); }
  { auto token = co_await give(); attempt("of an awaited coroutine", reset, v, token); }
  { auto t = create_task(give()); auto token = co_await t; attempt("of another task", reset, v, token); }
  Context ctx; auto run_in = [](const Context& c, auto fn) { return c.run(fn); };
  { auto token = ctx.run([] { return v.set(7); }); attempt("of run()", reset, v, token); attempt("there", [&] { return ctx.run(reset, v, token); }); }
  attempt("entered", run_in, ctx, [&] { return ctx.run(never); }); attempt("run again", run_in, ctx, [] { return 8; });
  attempt("a copy", run_in, ctx, [&] { return ctx.copy().run([] { return 9; }); });
  { auto t = create_task(nothing(), {.context = &ctx}); attempt("of a task that waits for its turn", run_in, ctx, [] { return 10; }); co_await t; }
  auto inside = [&]() -> Coroutine<> { attempt("of the running task", run_in, ctx, [] { return 11; }); co_return; };
  auto t = create_task(inside(), {.context = &ctx}); co_await t;
  auto me = current_task().get_context();
  auto eager = [&]() -> Coroutine<> {
    attempt("outer, from an eager task", run_in, me, [] { return 12; });
    attempt("a fresh one", run_in, copy_context(), [] { return 13; }); co_return;
  };
  create_task(eager(), {.eager_start = true}); attempt("own again", run_in, me, [] { return 14; });
  v.set(15); Handle h; loop().call_soon([&] { attempt("of the callback", run_in, h.get_context(), [] { return 16; }); }); h = loop().call_soon([&] { attempt("of the callback itself", run_in, h.get_context(), [] { return 17; }); });
  co_await sleep(0); attempt("of a callback that is over", run_in, h.get_context(), [] { return v.get(); });
}
int main() { run(main_()); }
