// Rule: TLS streams: what is known of a connection; the peer's end closes both directions; write_eof() is refused.
// SPDX-License-Identifier: MIT
#include "pair.hpp"
#include "support/tls_pair.hpp"

std::string strip(std::string line) {
  while (!line.empty() && line.back() == '\n') line.pop_back();
  return line;
}

std::string tuple(const Certificate::Names& names, bool nested) {
  std::string text = "(";
  for (const auto& [name, value] : names) {
    const std::string pair = "('" + name + "', '" + value + "')";
    text += (text.size() > 1 ? ", " : "") + (nested ? "(" + pair + ",)" : pair);
  }
  return text + (names.size() == 1 ? ",)" : ")");
}

Coroutine<> serve(StreamReader reader, StreamWriter writer) {
  const SSLObject tls = writer.ssl_object();
  print("server", *tls.version(), tls.server_side(), writer.get_extra_info("peercert").value_or("None"));
  for (;;) {
    const std::string line = co_await reader.readline();
    if (line.empty()) break;
    print("server got", strip(line));
    writer.write("echo " + line);
    co_await writer.drain();
  }
  print("server at_eof", reader.at_eof(), "closing", writer.is_closing());
  writer.close();
  co_await writer.wait_closed();
}

Coroutine<> main_() {
  const SSLContext at_server = testing::server_context();
  const SSLContext at_client = testing::client_context();
  Server server = co_await start_server(serve, "127.0.0.1", 0, {.ssl = &at_server});
  const int port = server.addresses()[0].port();
  auto [reader, writer] = co_await open_connection("127.0.0.1", port, {.ssl = &at_client});
  const SSLObject tls = writer.ssl_object();
  print(*tls.version(), tls.server_side(), *tls.server_hostname(),
        tls.selected_alpn_protocol().value_or("None"), tls.session_reused(),
        *writer.get_extra_info("cipher"), writer.get_extra_info("compression").value_or("None"));
  const Certificate certificate = *tls.getpeercert();
  print(tuple(certificate.subject, true), tuple(certificate.subject_alt_name, false));
  print("can_write_eof", writer.can_write_eof());
  try {
    writer.write_eof();
  } catch (const NotImplementedError&) {
    print("not implemented");
  }
  const auto [low, high] = writer.get_write_buffer_limits();
  print("(" + str(low) + ", " + str(high) + ")");
  for (const char* line : {"one\n", "two\n", "three\n"}) writer.write(line);
  for (int i = 0; i < 3; ++i) {
    const std::string line = co_await reader.readline();
    print(strip(line));
  }
  writer.write("");
  writer.writelines({"a", "", "b\n"});
  const std::string line = co_await reader.readline();
  print(strip(line));
  writer.close();
  print("closing", writer.is_closing());
  co_await writer.wait_closed();
  server.close();
  co_await server.wait_closed();
  print("closed");
}

int main() { run(main_()); }
