#include "pair.hpp"
#include <asyncio/processes.hpp>
#include <numeric>
static int square(int x) { return x * x; }
static std::string join(const std::string& sep, const std::vector<std::string>& parts) {
  std::string all;
  for (auto& part : parts) all += (all.empty() ? "" : sep) + part;
  return all;
}
static void none(int) {}
static int power(int base, int n) { int r = 1; while (n-- > 0) r *= base; return r; }
static std::string line(const std::vector<int>& numbers) {
  std::string all;
  for (int n : numbers) all += (all.empty() ? "" : " ") + std::to_string(n);
  return all;
}
Coroutine<> main_() {
  EventLoop& loop = get_running_loop();
  ProcessPoolExecutor pool({.max_workers = 2});
  int r = co_await loop.run_in_executor(&pool, square, 7); print(r);
  std::vector<std::string> parts{"a", "b", "c"};
  std::string s = co_await loop.run_in_executor(&pool, join, "-", parts); print(s);
  co_await loop.run_in_executor(&pool, none, 1); print("None");
  std::vector<Future<int>> futures;
  for (int i = 0; i < 5; ++i) futures.push_back(loop.run_in_executor(&pool, square, i));
  auto all = co_await gather(futures); print(line(all));
  print(pool.submit(square, 9).result());
  std::vector<int> six(6); std::iota(six.begin(), six.end(), 0);
  auto squares = co_await pool.map({.chunksize = 2}, square, six); print(line(squares));
  std::vector<int> powers;
  for (int p : pool.map(power, std::vector<int>{2, 3, 4}, std::vector<int>{5, 2, 1, 9})) powers.push_back(p);
  print(line(powers));
  pool.shutdown();
  try { pool.submit(square, 1); } catch (const RuntimeError& e) { print(e.what()); }
}
int main() { run(main_()); }
