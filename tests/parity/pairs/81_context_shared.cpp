#include "pair.hpp"
ContextVar<std::string> v("v", "none");
void show(std::string who) { print(who, v.get()); }
void put(std::string who) { show(who); v.set(who); }
Coroutine<> child(std::string who) { show(who + " begins"); v.set(who); co_await sleep(0); show(who + " goes on"); v.set(who + "2"); }
Coroutine<> main_() {
  auto ctx = copy_context(); v.set("mine");
  auto t = create_task(child("task"), {.context = &ctx}); print(t.get_context() == ctx); co_await t;
  print(ctx[v], v.get());
  loop().call_soon({.context = &ctx}, put, "soon"); loop().call_soon(show, "own"); loop().call_later(0.01, [] { put("later"); }, {.context = &ctx});
  auto h = loop().call_soon_threadsafe({.context = &ctx}, put, "threadsafe");
  auto f = loop().create_future(); f.add_done_callback([](auto) { put("done"); }, {.context = &ctx}); f.set_result();
  co_await sleep(0.02); print(ctx[v], v.get());
  co_await task_group([&](TaskGroup& tg) { tg.create_task(child("a"), {.context = &ctx}); tg.create_task(child("b"), {.context = &ctx}); });
  print(ctx[v], v.get());
  t = create_task(child("other")); auto c = t.get_context(); print(c[v]); co_await t; print(c[v], t.get_context() == c);
  h = loop().call_soon(put, "handle"); c = h.get_context(); print(c[v]); co_await sleep(0); print(c[v]);
  auto me = current_task().get_context(); v.set("now"); print(me[v]);
  try { me.run(show, "never"); } catch (const RuntimeError& e) { print("RuntimeError", std::string(e.what()).find("is already entered") != std::string::npos); }
  loop().set_exception_handler([](EventLoop&, const ExceptionContext& context) { print(context.message.substr(0, 21), v.get()); });
  loop().call_soon([] { v.set("bad"); throw RuntimeError("callback"); }); co_await sleep(0);
  ExceptionContext told; told.message = "told of a task"; told.task = t;
  loop().call_exception_handler(told); show("after handler");
}
Coroutine<> first() { show("first"); v.set("first"); co_return; }
Coroutine<> second() { show("second"); v.set("second"); co_return; }
int main() {
  Runner runner;
  v.set("before the loop"); runner.get_loop(); v.set("outside");
  runner.run(first()); runner.run(second()); auto ctx = copy_context();
  runner.run(first(), {.context = &ctx}); print(ctx[v]); runner.run(second()); show("outside still");
  runner.run(main_());
}
