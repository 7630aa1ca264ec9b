// Rule: streams made of transports: StreamReaderProtocol, FlowControlMixin, StreamWriter(transport, ...), set_transport().
// SPDX-License-Identifier: MIT
#include "pair.hpp"

#include <asyncio/stream_protocols.hpp>
#include <asyncio/transports.hpp>

#include <cctype>

std::string bytes(std::string_view text) {
  std::string quoted = "b'";
  for (const char c : text) quoted += c == '\n' ? std::string("\\n") : std::string(1, c);
  return quoted + "'";
}
std::string list(const std::vector<std::string>& trace) {
  std::string all;
  for (const std::string& entry : trace) all += (all.empty() ? "'" : ", '") + entry + "'";
  return "[" + all + "]";
}

Coroutine<> client(Server server) {
  StreamReader reader;
  const auto protocol = std::make_shared<StreamReaderProtocol>(reader);
  auto [transport, made] = co_await create_connection([&] { return protocol; }, "127.0.0.1",
                                                      server.addresses()[0].port());
  StreamWriter writer(transport, protocol, reader, loop());
  print(made == protocol, &writer.transport() == &transport, transport.get_protocol() == protocol);
  writer.writelines({"one\n", "two\n"});
  co_await writer.drain();
  const std::string one = co_await reader.readline();
  const std::string two = co_await reader.readline();
  print(bytes(one), bytes(two));
  writer.write_eof();
  const std::string rest = co_await reader.read();
  print(bytes(rest), reader.at_eof(), writer.is_closing());
  writer.close();
  co_await writer.wait_closed();
  print(writer.is_closing(), transport.get_protocol() == nullptr ? "None" : "?");
  try {
    co_await writer.drain();
  } catch (const ConnectionResetError&) {
    print(err());
  }
}

Coroutine<> serve(StreamReader reader, StreamWriter writer) {
  while (auto line = co_await reader.next()) {
    writer.write("got " + *line);
    co_await writer.drain();
  }
  print("server: end");
  writer.write("bye");
  writer.close();
}

class Counting : public StreamReaderProtocol {
 public:
  using StreamReaderProtocol::StreamReaderProtocol;
  void connection_made(Transport& transport) override {
    trace.push_back("made");
    StreamReaderProtocol::connection_made(transport);
  }
  void data_received(std::string_view data) override {
    trace.push_back("data " + str(data.size()));
    std::string upper(data);
    for (char& c : upper) c = static_cast<char>(std::toupper(c));
    StreamReaderProtocol::data_received(upper);
  }
  bool eof_received() override {
    trace.push_back("eof");
    return StreamReaderProtocol::eof_received();
  }
  void connection_lost(std::exception_ptr exc) override {
    trace.push_back("lost " + str(exc));
    StreamReaderProtocol::connection_lost(exc);
  }
  std::vector<std::string> trace;
};

class T : public Transport {
 public:
  using WriteTransport::write;
  void write(std::string_view data) override { trace.push_back("write " + std::string(data)); }
  bool is_closing() const override { return false; }
  void close() override { trace.push_back("close"); }
  void pause_reading() override { trace.push_back("pause"); }
  void resume_reading() override { trace.push_back("resume"); }
  std::vector<std::string> trace;
};

Coroutine<> drain(std::string name, StreamWriter& writer) {
  try {
    co_await writer.drain();
    print(name, "drained");
  } catch (const ConnectionError&) {
    print(name, err());
  }
}

Coroutine<std::string> exactly(StreamReader& reader, int n) { co_return co_await reader.readexactly(n); }

Coroutine<> by_hand() {
  T transport;
  StreamReader reader(4);
  Counting protocol(reader);
  protocol.connection_made(transport);
  StreamWriter writer(transport, protocol, reader, loop());
  for (const char* chunk : {"12345678", "9", "0", "ab"}) {
    protocol.data_received(chunk);
    print(list(transport.trace));
  }
  for (const int n : {5, 2, 1, 3}) {
    const std::string got = co_await reader.read(n);
    print(bytes(got), list(transport.trace));
  }
  for (const char* chunk : {"123456789", "0"}) {
    protocol.data_received(chunk);
    print(list(transport.trace));
  }
  auto waits = create_task(exactly(reader, 16));
  co_await sleep(0);
  print(list(transport.trace));
  protocol.data_received("cdefgh");
  const std::string sixteen = co_await waits;
  print(bytes(sixteen), list(transport.trace));
  writer.write("x");
  protocol.pause_writing();
  auto first = create_task(drain("first", writer));
  auto second = create_task(drain("second", writer));
  co_await sleep(0);
  protocol.resume_writing();
  co_await first;
  co_await second;
  protocol.pause_writing();
  first = create_task(drain("first", writer));
  second = create_task(drain("second", writer));
  co_await sleep(0);
  first.cancel();
  protocol.connection_lost(std::make_exception_ptr(ConnectionResetError("cut")));
  std::vector<Task<>> both{first, second};
  co_await wait(both);
  std::string all;
  for (const std::string& entry : protocol.trace) all += (all.empty() ? "" : ", ") + entry;
  print(first.cancelled(), all);
  try {
    co_await reader.read();
  } catch (const ConnectionResetError&) {
    print(err());
  }
  try {
    co_await writer.wait_closed();
  } catch (const ConnectionResetError&) {
    print(err());
  }
}

Coroutine<> amain() {
  Server server = co_await create_server(
      [] {
        StreamReader reader;
        return std::make_unique<StreamReaderProtocol>(reader, serve);
      },
      "127.0.0.1", 0);
  co_await client(server);
  server.close();
  co_await server.wait_closed();
  co_await by_hand();
}

int main() { run(amain()); }
