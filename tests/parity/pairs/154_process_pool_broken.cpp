#include "pair.hpp"
#include <asyncio/processes.hpp>
#include <unistd.h>
static void die() { _exit(3); }
static int nothing() { return 1; }
Coroutine<> main_() {
  EventLoop& loop = get_running_loop();
  {
    ProcessPoolExecutor pool(1);
    try { co_await loop.run_in_executor(&pool, die); }
    catch (const BrokenProcessPool& e) { print("BrokenProcessPool", std::is_convertible_v<decltype(&e), const RuntimeError*>); }
    try { pool.submit(nothing); } catch (const BrokenProcessPool&) { print("still broken"); }
    pool.shutdown();
  }
  {
    ProcessPoolExecutor pool(1);
    auto future = pool.submit(nothing);
    int result = future.result();
    print(result, future.done(), future.cancel(), future.cancelled());
  }
  ProcessPoolExecutor pool(1);
  pool.shutdown(true, true);
  try { pool.submit(nothing); } catch (const RuntimeError& e) { print(e.what()); }
}
int main() { run(main_()); }
