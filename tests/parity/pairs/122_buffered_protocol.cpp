// Rule: BufferedProtocol: get_buffer(-1), buffer_updated(), an empty buffer; set_protocol() while bytes arrive.
// SPDX-License-Identifier: MIT
#include "pair.hpp"

#include <asyncio/transports.hpp>

#include <sys/socket.h>
#include <unistd.h>

class B : public BufferedProtocol {
 public:
  explicit B(std::size_t size) : buffer(size, ' ') {}
  void connection_made(Transport&) override { trace.push_back("made"); }
  std::span<std::byte> get_buffer(std::ptrdiff_t sizehint) override {
    trace.push_back("get_buffer " + std::to_string(sizehint));
    return std::as_writable_bytes(std::span(buffer));
  }
  void buffer_updated(std::size_t nbytes) override {
    trace.push_back("updated " + buffer.substr(0, nbytes));
  }
  bool eof_received() override {
    trace.push_back("eof");
    return false;
  }
  void connection_lost(std::exception_ptr exc) override {
    trace.push_back("lost " + str(exc));
    lost.set_result();
  }

  std::string buffer;
  std::vector<std::string> trace;
  Future<> lost = loop().create_future();
};

class P : public Protocol {
 public:
  explicit P(std::shared_ptr<B> n) : next(std::move(n)) {}
  void connection_made(Transport& made) override {
    trace.push_back("made");
    transport = &made;
  }
  void data_received(std::string_view data) override {
    trace.push_back("data " + std::string(data));
    transport->set_protocol(next);
  }

  std::shared_ptr<B> next;
  Transport* transport = nullptr;
  std::vector<std::string> trace;
};

void show(const std::vector<std::string>& trace) {
  std::string all;
  for (const std::string& entry : trace) {
    const char* quote = entry.find('\'') == std::string::npos ? "'" : "\"";
    all += (all.empty() ? "" : ", ") + (quote + entry + quote);
  }
  print("[" + all + "]");
}

int connected(Socket& ours) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw OSError("socketpair");
  ours = Socket(ends[0]);
  return ends[1];
}

void send(int fd, std::string_view text) {
  if (::send(fd, text.data(), text.size(), 0) < 0) throw OSError("send");
}

Coroutine<> amain() {
  loop().set_exception_handler([](EventLoop&, const ExceptionContext& context) {
    print(context.message, context.exception);
  });
  {
    Socket ours;
    const int theirs = connected(ours);
    auto [transport, first] =
        co_await create_connection([] { return std::make_unique<B>(4); }, std::move(ours));
    send(theirs, "abcdef");
    ::close(theirs);
    co_await first->lost;
    show(first->trace);
  }
  {
    Socket ours;
    const int theirs = connected(ours);
    auto [transport, first] =
        co_await create_connection([] { return std::make_unique<B>(0); }, std::move(ours));
    send(theirs, "abcdef");
    co_await first->lost;
    show(first->trace);
    ::close(theirs);
  }
  Socket ours;
  const int theirs = connected(ours);
  const auto second = std::make_shared<B>(3);
  auto [transport, first] =
      co_await create_connection([&] { return std::make_unique<P>(second); }, std::move(ours));
  send(theirs, "one");
  while (first->trace.size() < 2) co_await sleep(0);
  print(transport.get_protocol() == second);
  send(theirs, "four");
  ::close(theirs);
  co_await second->lost;
  show(first->trace);
  show(second->trace);
}

int main() { run(amain()); }
