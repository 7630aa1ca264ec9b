#include "pair.hpp"
ContextVar<std::string> v("v", "none");
void show(std::string who) { print(who, v.get()); }
AsyncGenerator<int> numbers(int n) {
  for (int i = 0; i < n; ++i) {
    show("generator " + str(i)); v.set("by generator " + str(i)); co_yield i;
    co_await sleep(0);
  }
  show("generator ends");
}
Coroutine<> step(AsyncGenerator<int>& g, std::string who) { v.set(who); auto i = co_await g.next(); print(who, "got", i ? str(*i) : "None"); show(who); }
Coroutine<> scope_(AsyncGenerator<int>& g) {
  { auto scope = v.set("scope").scoped(); co_await g.next(); }
  show("after scope");
}
Coroutine<> eager(std::string who) { show(who + " begins"); v.set(who); co_await sleep(0); show(who + " goes on"); v.set(who + "2"); }
Coroutine<> main_() {
  v.set("main"); auto g = numbers(4);
  co_await step(g, "awaited"); auto task = create_task(step(g, "task")); co_await task; show("main");
  while (auto i = co_await g.next()) { show("main " + str(*i)); break; }
  co_await g.aclose(); show("after aclose");
  g = numbers(1); co_await scope_(g); task = create_task(g.aclose()); co_await task;
  loop().set_task_factory(eager_task_factory);
  v.set("maker"); auto t = create_task(eager("eager")); show("maker"); v.set("since"); co_await t; show("maker"); print(t.get_context()[v]);
  loop().call_soon([] { v.set("callback"); create_task(eager("of a callback")); show("callback"); }); co_await sleep(0); co_await sleep(0); show("maker");
  auto c = copy_context(); c.run([] { create_task(eager("of run()")); show("in run()"); v.set("x"); }); co_await sleep(0); print(c[v]); show("maker");
}
int main() { run(main_()); }
