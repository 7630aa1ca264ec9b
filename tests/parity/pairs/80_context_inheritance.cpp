#include "pair.hpp"
ContextVar<std::string> v("v", "none");
void show(std::string who) { print(who, v.get()); }
Coroutine<std::string> child(std::string who) { show(who + " begins"); v.set(who); co_await sleep(0); show(who + " goes on"); co_return who; }
Coroutine<> called() { show("called"); v.set("called"); co_return; }
Coroutine<std::string> leaf() { co_return v.get(); }
Coroutine<> main_() {
  show("main"); v.set("main");
  auto t = create_task(child("task")); v.set("later"); co_await t; show("after task");
  co_await called(); show("after call");
  v.set("soon"); loop().call_soon([] { show("call_soon"); v.set("in callback"); });
  v.set("timer"); loop().call_later(0.01, show, "call_later"); loop().call_at(loop().time() + 20ms, show, "call_at");
  v.set("threadsafe"); loop().call_soon_threadsafe(show, "call_soon_threadsafe");
  auto f = loop().create_future<int>(); v.set("registered"); f.add_done_callback([](auto) { show("done callback"); });
  v.set("result"); f.set_result(1); v.set("since"); co_await sleep(0.03); show("after callbacks");
  auto g = create_task(child("x")); g.add_done_callback([](auto) { show("done callback of a task"); }); co_await g;
  auto [a, b, c] = co_await gather(child("a"), child("b"), leaf()); print(a, b, c); show("after gather");
  co_await task_group([](TaskGroup& tg) { v.set("group"); tg.create_task(child("c")); v.set("rest"); });
  show("after group");
  co_await wait_for(called(), 1); show("after wait_for");
  co_await timeout(1, called);
  co_await shield(child("shielded")); show("after shield");
  auto get = [] { return v.get(); }; auto set = [] { v.set("thread"); };
  v.set("here"); auto seen = co_await to_thread(get); print("to_thread", seen);
  co_await to_thread(set); show("after to_thread");
  auto executor = loop().run_in_executor(nullptr, get); seen = co_await executor; print("executor", seen);
}
int main() { v.set("outside"); run(main_()); show("end"); }
