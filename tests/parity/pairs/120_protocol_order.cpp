// Rule: Protocol: made, data, eof, lost, once each and in this order; half-open connections; what is written after close().
// SPDX-License-Identifier: MIT
#include "pair.hpp"

#include <asyncio/transports.hpp>

class P : public Protocol {
 public:
  explicit P(std::string n, bool keep = false) : name(std::move(n)), keep_open(keep) {}
  void connection_made(Transport& made) override {
    transport = &made;
    trace.push_back("made");
    loop().call_soon([this] { trace.push_back("turn after made"); });
  }
  void data_received(std::string_view data) override {
    if (got.empty()) trace.push_back("data");
    got += data;
  }
  bool eof_received() override {
    trace.push_back("eof");
    ended.set_result();
    return keep_open;
  }
  void connection_lost(std::exception_ptr exc) override {
    trace.push_back("lost " + str(exc));
    lost.set_result();
  }
  void show() const {
    std::string all;
    for (const std::string& entry : trace) all += (all.empty() ? "" : ", ") + entry;
    print(name, all, "got", "'" + got + "'");
  }

  std::string name;
  bool keep_open;
  std::vector<std::string> trace;
  std::string got;
  Transport* transport = nullptr;
  Future<> lost = loop().create_future();
  Future<> ended = loop().create_future();
};

Coroutine<> talk(bool keep_open) {
  std::vector<std::shared_ptr<P>> served;
  Server server = co_await create_server(
      [&] { return served.emplace_back(std::make_shared<P>("server", keep_open)); }, "127.0.0.1", 0);
  const int port = server.addresses()[0].port();
  const auto client = std::make_shared<P>("client");
  auto [transport, protocol] =
      co_await create_connection([&] { return client; }, "127.0.0.1", port);
  client->trace.push_back("connected");
  print(protocol == client, &transport == client->transport, transport.is_closing(),
        transport.is_reading());
  transport.write("question");
  print("can_write_eof", transport.can_write_eof());
  transport.write_eof();
  try {
    transport.write("more");
  } catch (const RuntimeError&) {
    print(err());
  }
  try {
    transport.writelines({"more"});
  } catch (const RuntimeError&) {
    print(err());
  }
  while (served.empty()) co_await sleep(0);
  const auto other = served[0];
  co_await other->ended;
  print("other closing", other->transport->is_closing());
  if (keep_open) {
    other->transport->write("answer");
    other->transport->writelines({" ", "in parts"});
    other->transport->close();
    other->transport->close();
  }
  co_await client->lost;
  co_await other->lost;
  print(transport.is_closing(), transport.is_reading(),
        transport.get_protocol() == nullptr ? "None" : "?");
  transport.write_eof();
  transport.pause_reading();
  transport.resume_reading();
  transport.close();
  transport.abort();
  co_await sleep(0);
  client->show();
  other->show();
  server.close();
  co_await server.wait_closed();
}

Coroutine<> amain() {
  co_await talk(false);
  co_await talk(true);
}

int main() { run(amain()); }
