// Rule: protocols over TLS: made after the handshake, data, eof, lost; who closes first does not matter.
// SPDX-License-Identifier: MIT
#include "pair.hpp"
#include "support/tls_pair.hpp"

#include <asyncio/transports.hpp>

class P : public Protocol {
 public:
  P(std::string n, std::size_t size) : name(std::move(n)), wanted(size) {}
  void connection_made(Transport& made) override {
    transport = &made;
    trace.push_back("made " + *made.ssl_object().version());
  }
  void data_received(std::string_view data) override {
    if (got.empty()) trace.push_back("data");
    got += data;
    if (got.size() == wanted) complete.set_result();
  }
  bool eof_received() override {
    trace.push_back("eof");
    return false;
  }
  void connection_lost(std::exception_ptr exc) override {
    trace.push_back("lost " + str(exc));
    lost.set_result();
  }
  void show() const {
    std::string all;
    for (const std::string& entry : trace) all += (all.empty() ? "" : ", ") + entry;
    print(name, all, "got", got.size());
  }

  std::string name;
  std::size_t wanted;
  std::vector<std::string> trace;
  std::string got;
  Transport* transport = nullptr;
  Future<> lost = loop().create_future();
  Future<> complete = loop().create_future();
};

Coroutine<> talk(std::string who_closes) {
  print(who_closes);
  const SSLContext at_server = testing::server_context();
  const SSLContext at_client = testing::client_context();
  std::vector<std::shared_ptr<P>> served;
  Server server = co_await create_server(
      [&] { return served.emplace_back(std::make_shared<P>("server", 100000)); }, "127.0.0.1", 0,
      {.ssl = &at_server});
  const int port = server.addresses()[0].port();
  const auto client = std::make_shared<P>("client", 6);
  auto [transport, protocol] = co_await create_connection([&] { return client; }, "127.0.0.1", port,
                                                          {.ssl = &at_client});
  print(protocol == client, &transport == client->transport, transport.is_closing(),
        transport.is_reading(), transport.can_write_eof());
  client->trace.push_back("connected");
  transport.write(std::string(100000, 'x'));
  while (served.empty()) co_await sleep(0);
  const auto other = served[0];
  co_await other->complete;
  other->transport->write("answer");
  co_await client->complete;
  (who_closes == "client" ? client : other)->transport->close();
  co_await client->lost;
  co_await other->lost;
  transport.write("in vain");
  print(transport.is_closing());
  client->show();
  other->show();
  server.close();
  co_await server.wait_closed();
}

Coroutine<> main_() {
  co_await talk("client");
  co_await talk("server");
}

int main() { run(main_()); }
