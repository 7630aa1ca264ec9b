#include "pair.hpp"
#include <asyncio/processes.hpp>
static int bad(int which) {
  if (which == 0) throw std::invalid_argument("no");
  if (which == 1) throw RuntimeError("broken");
  if (which == 2) throw FileNotFoundError(2, "gone");
  if (which == 3) throw QueueEmpty();
  return which;
}
Coroutine<> main_() {
  EventLoop& loop = get_running_loop();
  ProcessPoolExecutor pool(1);
  for (int i = 0; i < 5; ++i) {
    try { int r = co_await loop.run_in_executor(&pool, bad, i); print(r); }
    catch (const std::invalid_argument& e) { print("ValueError", e.what()); }
    catch (const QueueEmpty&) { print("QueueEmpty"); }
    catch (const RuntimeError& e) { print("RuntimeError", e.what()); }
    catch (const OSError& e) { print("OSError", e.error_number(), dynamic_cast<const FileNotFoundError*>(&e) != nullptr); }
  }
  std::vector<Future<int>> futures{loop.run_in_executor(&pool, bad, 4), loop.run_in_executor(&pool, bad, 0)};
  auto r = co_await gather(return_exceptions, futures);
  print(r[0].get(), r[1].error());
  auto results = pool.map(bad, std::vector<int>{7, 0, 8});
  auto first = co_await results.next(); print(*first);
  try { co_await results.next(); } catch (const std::invalid_argument& e) { print("ValueError", e.what()); }
}
int main() { run(main_()); }
