// Rule: start_tls() of a StreamWriter: plain text before, TLS afterwards, with the same reader and writer.
// SPDX-License-Identifier: MIT
#include "pair.hpp"
#include "support/tls_pair.hpp"

std::string strip(std::string line) {
  while (!line.empty() && line.back() == '\n') line.pop_back();
  return line;
}

std::string upper(std::string line) {
  for (char& c : line) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return line;
}

Coroutine<> serve(StreamReader reader, StreamWriter writer) {
  const std::string first = co_await reader.readline();
  print("server", strip(first));
  writer.write("go on\n");
  co_await writer.drain();
  const SSLContext context = testing::server_context();
  co_await writer.start_tls(context);
  print("server tls", *writer.ssl_object().version(), writer.can_write_eof());
  for (;;) {
    const std::string line = co_await reader.readline();
    if (line.empty()) break;
    writer.write(upper(line));
    co_await writer.drain();
  }
  writer.close();
  print("server ends");
}

Coroutine<> main_() {
  const SSLContext context = testing::client_context();
  {
    Server server = co_await start_server(serve, "127.0.0.1", 0);
    const int port = server.addresses()[0].port();
    auto [reader, writer] = co_await open_connection("127.0.0.1", port);
    print(writer.get_extra_info("ssl_object").value_or("None"),
          writer.get_extra_info("cipher").value_or("None"), writer.can_write_eof());
    writer.write("STARTTLS\n");
    const std::string answer = co_await reader.readline();
    print(strip(answer));
    co_await writer.start_tls(context, {.server_hostname = "localhost"});
    const SSLObject tls = writer.ssl_object();
    print(*tls.version(), *tls.server_hostname(), *writer.get_extra_info("cipher"),
          writer.can_write_eof());
    print(writer.peername().port() == port);
    for (const char* line : {"one\n", "two\n"}) {
      writer.write(line);
      const std::string echo = co_await reader.readline();
      print(strip(echo));
    }
    writer.close();
    co_await writer.wait_closed();
    server.close();
    co_await server.wait_closed();
  }
  Server server = co_await start_server(serve, "127.0.0.1", 0);
  auto [reader, writer] = co_await open_connection("127.0.0.1", server.addresses()[0].port());
  writer.write("STARTTLS, with another name\n");
  const std::string answer = co_await reader.readline();
  print(strip(answer));
  try {
    co_await writer.start_tls(context, {.server_hostname = "example.org"});
  } catch (const SSLCertVerificationError& e) {
    print("SSLCertVerificationError", e.verify_code(), e.verify_message());
  }
  print(writer.is_closing());
  server.close();
}

int main() {
  EventLoop loop;
  loop.set_exception_handler([](EventLoop&, const ExceptionContext&) {});
  loop.run_until_complete(main_());
}
