#include "pair.hpp"
#include <asyncio/processes.hpp>
static void fill(const SharedMemory& memory) { memory.buf()[0] = std::byte{42}; }
static void echo(const Connection& conn) {
  for (;;) {
    try { conn.send(conn.recv<int>() * 2); } catch (const EOFError&) { break; }
  }
}
static void add(const ProcessQueue<int>& queue, const ProcessQueue<int>& out) {
  int first = queue.get();
  out.put(first + queue.get());
}
int main() {
  ProcessPoolExecutor pool({.max_workers = 1, .restart_workers = true});
  SharedMemory memory({.create = true, .size = 16});
  pool.submit(fill, memory).result(); print(static_cast<int>(memory.buf()[0]));
  {
    ProcessPoolExecutor other(1);
    auto [a, b] = open_connection_pair();
    auto p = other.submit(echo, b); b.close();
    a.send(21); print(a.recv<int>()); print(a.poll()); a.send(4); print(a.recv<int>());
    other.terminate_workers();
    try { a.recv<int>(); } catch (const EOFError&) { print("EOFError"); }
  }
  ProcessQueue<int> q, out;
  auto p = pool.submit(add, q, out); q.put(1); q.put(2);
  print(out.get()); p.result(); print(out.empty());
}
