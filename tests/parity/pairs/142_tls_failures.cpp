// Rule: what goes wrong with TLS, in which words: names, certificates, no TLS, silence, the end, options.
// SPDX-License-Identifier: MIT
#include "pair.hpp"
#include "support/tls_pair.hpp"

Coroutine<> attempt(std::string what, int port, OpenConnectionOptions options) {
  const auto opened = co_await as_result(open_connection("127.0.0.1", port, options));
  if (!opened.has_value()) {
    const std::string text = describe(opened.error());
    const bool words = what != "side" && what != "leave";  // the same, or none
    print(what, words ? text : text.substr(0, text.find('(')));
    co_return;
  }
  print(what, "opened");
  StreamWriter& writer = const_cast<StreamPair&>(*opened).writer;
  writer.close();
  const auto closed = co_await as_result(writer.wait_closed());
  if (!closed.has_value()) print("lost");
}

Coroutine<> idle(StreamReader reader, StreamWriter writer) {
  co_await reader.read();
  writer.close();
}
Coroutine<> greet(StreamReader reader, StreamWriter writer) {
  writer.write("220 no TLS in here\r\n");
  co_await reader.read(1);
  writer.close();
}
Coroutine<> leave(StreamReader reader, StreamWriter writer) {
  co_await reader.read(1);
  writer.close();
}

int port_of(const Server& server) { return server.addresses()[0].port(); }

Coroutine<> main_() {
  const SSLContext at_server = testing::server_context();
  Server server = co_await start_server(idle, "127.0.0.1", 0, {.ssl = &at_server});
  const int port = port_of(server);
  SSLContext good = testing::client_context();
  co_await attempt("good", port, {.ssl = &good});
  co_await attempt("name", port, {.ssl = &good, .server_hostname = "example.org"});
  co_await attempt("address", port, {.ssl = &good, .server_hostname = "127.0.0.2"});
  SSLContext strangers(PROTOCOL_TLS_CLIENT);
  co_await attempt("unknown authority", port, {.ssl = &strangers});
  strangers.set_check_hostname(false);
  co_await attempt("unknown authority, any name", port, {.ssl = &strangers});
  try {
    good.set_verify_mode(CERT_NONE);
  } catch (const std::invalid_argument&) {
    print("one step", err());
  }
  strangers.set_verify_mode(CERT_NONE);
  co_await attempt("nothing checked", port, {.ssl = &strangers});
  co_await attempt("side", port, {.ssl = &at_server, .server_hostname = "localhost"});

  Server greeting = co_await start_server(greet, "127.0.0.1", 0);
  co_await attempt("greet", port_of(greeting), {.ssl = &good});
  greeting.close();
  Server leaving = co_await start_server(leave, "127.0.0.1", 0);
  co_await attempt("leave", port_of(leaving), {.ssl = &good});
  leaving.close();
  Server silent = co_await start_server(idle, "127.0.0.1", 0);
  co_await attempt("silent", port_of(silent), {.ssl = &good, .ssl_handshake_timeout = 0.25});

  co_await attempt("a", port, {.server_hostname = "x"});
  co_await attempt("b", port, {.ssl_handshake_timeout = 1});
  co_await attempt("c", port, {.ssl_shutdown_timeout = 1});
  server.close();
  silent.close();
}

int main() { run(main_()); }
