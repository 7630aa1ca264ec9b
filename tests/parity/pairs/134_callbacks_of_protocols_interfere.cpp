// Rule: what a protocol does inside of its callbacks: close, abort, pause, set_protocol, write; and when it takes effect.
// SPDX-License-Identifier: MIT
#include "pair.hpp"

#include <asyncio/transports.hpp>

#include <array>
#include <cerrno>
#include <functional>
#include <map>
#include <sys/socket.h>
#include <unistd.h>

using Trace = std::vector<std::string>;

class P;
using Hook = std::function<void(P&)>;
using Hooks = std::map<std::string, Hook>;

class P : public Protocol {
 public:
  P(Trace& t, std::string n, Hooks h) : trace(t), name(std::move(n)), hooks(std::move(h)) {}
  void happens(const std::string& what) {
    trace.push_back(name + what);
    const auto hook = hooks.find(what.substr(0, what.find(' ')));
    if (hook != hooks.end()) hook->second(*this);
  }
  void soon(const char* what) {
    loop().call_soon([this, what] { trace.push_back(std::string("soon ") + what); });
  }
  void connection_made(Transport& made) override {
    transport = &made;
    happens("made");
  }
  void data_received(std::string_view data) override { happens("data " + std::string(data)); }
  bool eof_received() override {
    happens("eof");
    return keep_open;
  }
  void pause_writing() override { happens("pause"); }
  void resume_writing() override { happens("resume"); }
  void connection_lost(std::exception_ptr exc) override {
    happens("lost " + str(exc));
    lost.set_result();
  }
  Trace& trace;
  std::string name;
  Hooks hooks;
  bool keep_open = false;
  Transport* transport = nullptr;
  Future<> lost = loop().create_future();
};

class B : public BufferedProtocol {
 public:
  explicit B(Trace& t) : trace(t) {}
  std::span<std::byte> get_buffer(std::ptrdiff_t) override {
    return std::as_writable_bytes(std::span(buffer));
  }
  void buffer_updated(std::size_t n) override {
    trace.push_back("buffered " + std::string(buffer.data(), n));
  }
  void connection_lost(std::exception_ptr exc) override {
    trace.push_back("buffered lost " + str(exc));
    lost.set_result();
  }
  Trace& trace;
  std::array<char, 4> buffer{};
  Future<> lost = loop().create_future();
};

Coroutine<> turns(int n = 20) {
  for (int i = 0; i < n; ++i) co_await sleep(0);
  co_await sleep(0.01);
}

struct Connection {
  ~Connection() { ::close(theirs); }
  void send(std::string_view text) const {
    if (::send(theirs, text.data(), text.size(), MSG_NOSIGNAL) < 0) print("send failed");
  }
  std::string received() const {
    std::array<char, 1000> buffer;
    const ssize_t n = ::recv(theirs, buffer.data(), buffer.size(), MSG_DONTWAIT);
    return n >= 0 ? "b'" + std::string(buffer.data(), static_cast<std::size_t>(n)) + "'"
                  : errno == EAGAIN ? "nothing" : "reset";
  }
  void close() { ::close(std::exchange(theirs, -1)); }
  void show() {
    std::string all;
    for (const std::string& entry : trace) all += (all.empty() ? "" : ", ") + entry;
    print(all);
    trace.clear();
  }
  int theirs = -1;
  Trace trace;
  std::shared_ptr<P> p;
  Transport* transport = nullptr;
};

Coroutine<> connect(Connection& c, const char* title, std::string before = "", Hooks hooks = {}) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) co_return;
  if (c.theirs >= 0) c.close();
  c.theirs = ends[1];
  c.trace.clear();
  if (!before.empty()) c.send(before);
  print("--", title);
  auto [transport, p] = co_await create_connection(
      [&] { return std::make_shared<P>(c.trace, "", std::move(hooks)); }, Socket(ends[0]));
  c.trace.push_back("connected");
  c.transport = &transport;
  c.p = p;
}

void close_between(P& p) {
  p.soon("before");
  p.transport->close();
  p.soon("after");
  p.trace.push_back("closing " + str(p.transport->is_closing()) + " reading " +
                    str(p.transport->is_reading()));
}
void abort_between(P& p) {
  p.soon("before");
  p.transport->abort();
  p.soon("after");
}
void write_and_close(P& p) {
  p.transport->write("bye");
  close_between(p);
  p.transport->write("too late");
}
void pause_twice(P& p) {
  p.transport->pause_reading();
  p.transport->pause_reading();
  p.trace.push_back("reading " + str(p.transport->is_reading()));
}
void eof_twice(P& p) {
  p.transport->write("last");
  p.transport->write_eof();
  p.transport->write_eof();
  try {
    p.transport->write("more");
  } catch (const RuntimeError&) {
    p.trace.push_back(err());
  }
  try {
    p.transport->writelines({"more"});
  } catch (const RuntimeError&) {
    p.trace.push_back(err());
  }
}
void write_when_lost(P& p) {
  p.trace.push_back("closing " + str(p.transport->is_closing()));
  p.transport->write("in vain");
  p.transport->close();
  p.transport->abort();
  p.transport->pause_reading();
  p.transport->resume_reading();
  p.trace.push_back(str(p.transport->get_write_buffer_size()));
}

Coroutine<> amain() {
  Connection c;
  Hooks hooks{{"data", close_between}};
  co_await connect(c, "close in data_received", "", hooks);
  c.send("one");
  co_await turns();
  c.close();
  c.show();

  hooks = {{"made", write_and_close}};
  co_await connect(c, "close in connection_made", "ignored", hooks);
  co_await c.p->lost;
  c.show();
  print(c.received());
  c.close();

  hooks = {{"made", abort_between}};
  co_await connect(c, "abort in connection_made", "ignored", hooks);
  co_await c.p->lost;
  c.show();
  c.close();

  hooks = {{"made", pause_twice}};
  co_await connect(c, "pause in connection_made", "kept", hooks);
  co_await turns();
  c.show();
  c.transport->resume_reading();
  c.trace.push_back("reading " + str(c.transport->is_reading()));
  co_await turns();
  c.show();
  c.transport->pause_reading();
  c.transport->resume_reading();
  c.transport->resume_reading();
  c.send("more");
  co_await turns();
  c.show();
  c.transport->pause_reading();
  c.send("and the end");
  c.close();
  co_await turns();
  c.show();
  c.transport->resume_reading();
  co_await c.p->lost;
  c.show();

  hooks = {{"data", pause_twice}};
  co_await connect(c, "pause in data_received", "", hooks);
  c.send("one");
  co_await turns();
  c.send("two");
  co_await turns();
  c.show();
  c.transport->close();
  c.transport->resume_reading();
  c.trace.push_back("reading " + str(c.transport->is_reading()));
  co_await c.p->lost;
  c.show();
  c.close();

  hooks = {{"data", eof_twice}};
  co_await connect(c, "write_eof in data_received", "", hooks);
  c.send("one");
  co_await turns();
  c.show();
  const std::string last = c.received();
  print(last, c.received());
  c.send("two");
  c.p->hooks.clear();
  co_await turns();
  c.show();
  c.close();
  co_await c.p->lost;
  c.show();

  co_await connect(c, "set_protocol in data_received");
  const auto other = std::make_shared<P>(c.trace, "other ", Hooks());
  c.p->hooks["data"] = [&other](P& p) { p.transport->set_protocol(other); };
  c.send("one");
  co_await turns();
  c.send("two");
  co_await turns();
  const auto buffered = std::make_shared<B>(c.trace);
  c.transport->set_protocol(buffered);
  c.send("threefour");
  co_await turns();
  c.show();
  print(c.transport->get_protocol() == buffered);
  c.close();
  co_await buffered->lost;
  c.show();

  co_await connect(c, "half open");
  c.p->keep_open = true;
  ::shutdown(c.theirs, SHUT_WR);
  co_await turns();
  c.show();
  print(c.transport->is_closing(), c.transport->is_reading());
  c.transport->write("still there");
  co_await turns();
  print(c.received());
  c.show();
  c.transport->close();
  co_await c.p->lost;
  c.show();
  c.close();

  hooks = {{"eof", close_between}};
  co_await connect(c, "close in eof_received", "", hooks);
  c.p->keep_open = true;
  c.close();
  co_await c.p->lost;
  c.show();

  hooks = {{"lost", write_when_lost}};
  co_await connect(c, "write in connection_lost", "", hooks);
  c.transport->abort();
  c.transport->close();
  co_await c.p->lost;
  c.show();
  c.close();

  hooks = {{"pause", [](P& p) { p.trace.push_back("paused"); }}};
  co_await connect(c, "close with something left", "", hooks);
  const std::string block(100000, 'x');
  c.transport->set_write_buffer_limits({.high = 1000000000});
  while (c.transport->get_write_buffer_size() == 0) c.transport->write(block);
  c.transport->close();
  c.transport->write("dropped");
  co_await turns();
  c.show();
  while (!c.p->lost.done()) {
    c.received();
    co_await sleep(0);
  }
  c.show();
  c.close();

  co_await connect(c, "abort with something left");
  c.transport->set_write_buffer_limits({.high = 1000000000});
  while (c.transport->get_write_buffer_size() == 0) c.transport->write(block);
  c.transport->close();
  c.transport->abort();
  print(c.transport->get_write_buffer_size());
  co_await c.p->lost;
  c.show();
  c.close();

  hooks = {{"pause", [](P&) {}}};
  co_await connect(c, "the peer goes while we write", "", hooks);
  c.close();
  c.transport->write("x");
  c.trace.push_back("closing " + str(c.transport->is_closing()));
  co_await c.p->lost;
  c.show();
}

int main() { run(amain()); }
