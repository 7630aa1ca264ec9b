// Rule: Transport: pause_writing above the high mark, resume_writing at the low one; the marks; what callbacks throw.
// SPDX-License-Identifier: MIT
#include "pair.hpp"

#include <asyncio/transports.hpp>

#include <sys/socket.h>
#include <unistd.h>

class P : public Protocol {
 public:
  void connection_made(Transport& made) override { transport = &made; }
  void data_received(std::string_view data) override {
    trace.push_back("data " + std::string(data));
    throw std::invalid_argument("bad data");
  }
  void pause_writing() override {
    trace.push_back("pause");
    throw std::invalid_argument("bad pause");
  }
  void resume_writing() override {
    trace.push_back("resume " + str(transport->get_write_buffer_size() <= 1000));
    resumed.set_result();
  }
  void connection_lost(std::exception_ptr exc) override {
    trace.push_back("lost " + str(exc));
    lost.set_result();
  }

  std::vector<std::string> trace;
  Transport* transport = nullptr;
  Future<> lost = loop().create_future();
  Future<> resumed = loop().create_future();
};

std::string str(const std::vector<std::string>& trace) {
  std::string all;
  for (const std::string& entry : trace) {
    const char* quote = entry.find('\'') == std::string::npos ? "'" : "\"";
    all += (all.empty() ? "" : ", ") + (quote + entry + quote);
  }
  return "[" + all + "]";
}
std::string str(std::pair<std::size_t, std::size_t> marks) {
  return "(" + std::to_string(marks.first) + ", " + std::to_string(marks.second) + ")";
}
template <class... A>
void show(const A&... a) {
  print(str(a)...);
}

Coroutine<> amain() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) co_return;
  const int theirs = ends[1];
  std::shared_ptr<P> known = std::make_shared<P>();
  loop().set_exception_handler([&known](EventLoop&, const ExceptionContext& context) {
    print(context.message, context.exception, context.transport == known->transport,
          context.protocol == known.get());
  });
  auto [transport, protocol] =
      co_await create_connection([&] { return known; }, Socket(ends[0]));
  show(transport.get_write_buffer_limits(), transport.get_write_buffer_size());
  transport.set_write_buffer_limits({.high = 4000});
  show(transport.get_write_buffer_limits());
  transport.set_write_buffer_limits({.low = 100});
  show(transport.get_write_buffer_limits());
  try {
    transport.set_write_buffer_limits({.high = 10, .low = 11});
  } catch (const std::invalid_argument&) {
    print(err());
  }
  transport.set_write_buffer_limits({.high = 1000000000, .low = 1000});
  std::size_t written = 0;
  while (transport.get_write_buffer_size() == 0) {
    transport.write(std::string(100000, 'x'));
    written += 100000;
  }
  const std::size_t size = transport.get_write_buffer_size();
  transport.set_write_buffer_limits({.high = size, .low = 1000});
  show(protocol->trace);
  transport.write("y");
  written += 1;
  show(protocol->trace, transport.get_write_buffer_size() - size);
  transport.write("z");
  written += 1;
  show(protocol->trace);
  std::size_t got = 0;
  std::string buffer(65536, ' ');
  while (got < written) {
    const ssize_t n = ::recv(theirs, buffer.data(), buffer.size(), MSG_DONTWAIT);
    got += n > 0 ? static_cast<std::size_t>(n) : 0;
    co_await sleep(0);
  }
  co_await protocol->resumed;
  show(got == written, protocol->trace);
  transport.set_write_buffer_limits({.high = 0});
  show(transport.get_write_buffer_limits());
  if (::send(theirs, "hello", 5, 0) != 5) co_return;
  co_await protocol->lost;
  show(protocol->trace);
  ::close(theirs);
  loop().set_exception_handler(nullptr);
}

int main() { run(amain()); }
