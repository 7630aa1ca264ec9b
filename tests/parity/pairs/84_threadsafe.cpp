#include "pair.hpp"
#include <future>
ContextVar<std::string> v("v", "none");
Coroutine<int> twice(int n) { co_await sleep(0); co_return n * 2; }
Coroutine<> fail() { throw RuntimeError("bad"); co_return; }
Coroutine<std::string> look() { co_return v.get(); }
Coroutine<> wait_(std::promise<void>& begun, bool say) {
  begun.set_value();
  try { co_await sleep(3600); } catch (const CancelledError&) { if (say) print("task", err()); throw; }
}
void in_thread(EventLoop* loop) {
  auto f = run_coroutine_threadsafe(twice(2), *loop); int four = f.result(); print(four, f.done(), f.cancelled(), f.exception(), f.cancel());
  f.add_done_callback([](auto f) { print("at once", f.result()); });
  auto g = run_coroutine_threadsafe(fail(), *loop); print(g.exception());
  try { g.result(); } catch (const RuntimeError&) { print("raised", err()); }
  v.set("thread"); print(run_coroutine_threadsafe(look(), *loop).result());
  std::promise<void> begun; g = run_coroutine_threadsafe(wait_(begun, false), *loop); g.add_done_callback([](auto f) { print("callback", f.cancelled()); }); begun.get_future().wait();
  try { g.result(0.01); } catch (const TimeoutError&) { print("TimeoutError"); }
  bool cancelled = g.cancel(); print(cancelled, g.cancelled(), g.done(), g.cancel());
  try { g.result(); } catch (const CancelledError&) { print("cancelled", err()); }
  run_coroutine_threadsafe(sleep(0), *loop).result();
}
Coroutine<> main_() {
  co_await to_thread(in_thread, &loop());
  auto four = wrap_future(run_coroutine_threadsafe(twice(4), loop())); int n = co_await four; print(n);
  auto failed = wrap_future(run_coroutine_threadsafe(fail(), loop()));
  try { co_await failed; } catch (const RuntimeError&) { print("raised", err()); }
  auto own = loop().create_future(); print(wrap_future(own) == own);
  std::promise<void> begun; auto c = run_coroutine_threadsafe(wait_(begun, true), loop()); auto f = wrap_future(c); co_await sleep(0); co_await sleep(0);
  f.cancel(); print(f.cancelled(), c.cancelled()); co_await sleep(0); print(c.cancelled()); co_await sleep(0); co_await sleep(0); print("end");
}
int main() { run(main_()); }
