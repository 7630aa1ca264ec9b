// Rule: servers: close() with connections under way, close_clients() and abort_clients(), and what comes before wait_closed() returns.
// SPDX-License-Identifier: MIT
#include "pair.hpp"

#include <asyncio/transports.hpp>

#include <arpa/inet.h>
#include <functional>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

std::vector<std::string> trace;

void show(const std::string& title) {
  std::string all;
  for (const std::string& entry : trace) all += (all.empty() ? "" : ", ") + entry;
  print(title + ":", all);
  trace.clear();
}

class P : public Protocol {
 public:
  static inline int count = 0;
  explicit P(std::function<void()> f) : on_made(std::move(f)), name(++count) {}
  void connection_made(Transport&) override {
    trace.push_back("made " + str(name));
    if (on_made) on_made();
  }
  void connection_lost(std::exception_ptr exc) override {
    trace.push_back("lost " + str(exc));
  }
  std::function<void()> on_made;
  int name;
};

struct Peers {
  ~Peers() { close(); }
  void connect(const Server& server, int n) {
    for (; n > 0; --n) {
      const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(static_cast<std::uint16_t>(server.addresses()[0].port()));
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) print("refused");
      fds.push_back(fd);
    }
  }
  void close(std::size_t i) { ::close(std::exchange(fds[i], -1)); }
  void close() {
    for (const int fd : fds) ::close(fd);
    fds.clear();
  }
  std::vector<int> fds;
};

Coroutine<> turns() { co_await sleep(0.01); }

Coroutine<> waits(Server server, std::string name) {
  co_await server.wait_closed();
  trace.push_back(name);
}

Coroutine<Server> start(std::function<void()> on_made = nullptr, CreateServerOptions options = {}) {
  P::count = 0;
  return create_server([on_made] { return std::make_unique<P>(on_made); }, "127.0.0.1", 0, options);
}

Coroutine<> amain() {
  Peers peers;
  {
    Server server = co_await start();
    peers.connect(server, 3);
    server.close();
    co_await turns();
    trace.push_back("serving " + str(server.is_serving()) + " sockets " + str(server.sockets().size()));
    co_await server.wait_closed();
    show("pending accepts");
    peers.close();
  }
  {
    std::optional<Server> known;
    const std::function<void()> on_made = [&known] { known->close(); };
    Server server = co_await start(on_made);
    known = server;
    peers.connect(server, 3);
    co_await turns();
    trace.push_back("serving " + str(server.is_serving()));
    auto waiting = create_task(waits(server, "closed"));
    co_await turns();
    server.close_clients();
    co_await waiting;
    show("close in connection_made");
    peers.close();
  }
  {
    Server server = co_await start();
    peers.connect(server, 3);
    co_await turns();
    auto first = create_task(waits(server, "first"));
    co_await turns();
    server.close();
    auto second = create_task(waits(server, "second"));
    co_await turns();
    trace.push_back("closing the clients");
    peers.close(1);
    co_await turns();
    server.close_clients();
    server.abort_clients();
    co_await first;
    co_await second;
    show("clients one after the other");
    peers.close();
    co_await server.wait_closed();
    server.close();
    server.close_clients();
    server.abort_clients();
    show("again");
    try {
      co_await server.serve_forever();
    } catch (const RuntimeError&) {
      print(err());
    }
  }
  {
    Server server = co_await start();
    peers.connect(server, 2);
    co_await turns();
    server.abort_clients();
    trace.push_back("serving " + str(server.is_serving()));
    co_await turns();
    peers.connect(server, 1);
    co_await turns();
    show("aborted");
    auto serving = create_task(server.serve_forever());
    co_await turns();
    try {
      co_await server.serve_forever();
    } catch (const RuntimeError& e) {
      print(std::string(e.what()).find("already") != std::string::npos);
    }
    peers.close();
    serving.cancel();
    try {
      co_await serving;
    } catch (const CancelledError&) {
      trace.push_back("cancelled");
    }
    show("serve_forever");
    peers.close();
  }
  {
    CreateServerOptions options;
    options.start_serving = false;
    Server server = co_await start(nullptr, options);
    trace.push_back("serving " + str(server.is_serving()));
    co_await server.start_serving();
    co_await server.start_serving();
    trace.push_back("serving " + str(server.is_serving()));
    const auto body = [&]() -> Coroutine<> {
      peers.connect(server, 1);
      co_await turns();
      loop().call_soon([&peers] { peers.close(); });
    };
    co_await with(server, body);
    trace.push_back("out");
    show("with");
  }
}

int main() { run(amain()); }
