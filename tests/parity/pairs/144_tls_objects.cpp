// Rule: SSLObject and MemoryBIO: what is wanted when, what is pending, sessions, the end, its absence.
// SPDX-License-Identifier: MIT
#include "pair.hpp"
#include "support/tls_pair.hpp"

#include <array>

template <class F> void attempt(const char* what, F f) {
  try {
    print(what, f());
  } catch (const SSLError& e) {
    const std::string text = describe(std::current_exception());
    print(what, text.substr(0, text.find('(')), e.ssl_errno());
  } catch (const std::invalid_argument&) {
    print(what, err());
  }
}

struct Pair {
  Pair(const SSLContext& at_client, const SSLContext& at_server, const SSLSession* session = nullptr)
      : client(at_client.wrap_bio(a, b, {.server_hostname = "localhost", .session = session})),
        server(at_server.wrap_bio(b, a, {.server_side = true})) {}
  MemoryBIO a, b;
  SSLObject client, server;
};

std::string text(const std::optional<Cipher>& cipher) { return cipher ? cipher->name : "None"; }

void talk(TLSVersion version) {
  SSLContext at_client = testing::client_context();
  const SSLContext at_server = testing::server_context();
  at_client.set_maximum_version(version);
  Pair pair(at_client, at_server);
  SSLObject client = pair.client, server = pair.server;
  print(client.version().value_or("None"), text(client.cipher()), client.server_side(),
        server.server_side(), *client.server_hostname());
  attempt("early getpeercert", [&] { return client.getpeercert().has_value(); });
  const auto shake = [](SSLObject& object) {
    return [&object] {
      object.do_handshake();
      return "None";
    };
  };
  for (int turn = 0; turn < 4; ++turn) {
    attempt("client", shake(client));
    attempt("server", shake(server));
  }
  print(*client.version(), *server.version(), text(client.cipher()) == text(server.cipher()));
  print(client.session_reused(), client.pending(), server.getpeercert() ? "a certificate" : "None");
  attempt("client read", [&] { return client.read(10); });
  print("client write", client.write(std::string(20000, 'x')));
  const std::size_t first = server.read(100).size();
  const std::size_t pending = server.pending();
  print("server read", first, pending, server.read(20000).size());
  print("server read", server.read(20000).size());
  attempt("server read", [&] { return server.read(10); });
  print("server write", server.write("yes"));
  print("client read", client.read());
  const SSLSession session = client.session();
  print("session", static_cast<bool>(session), session.has_ticket());
  const auto unwrap = [](SSLObject& object) {
    return [&object] {
      object.unwrap();
      return "None";
    };
  };
  attempt("client unwrap", unwrap(client));
  attempt("server read", [&] { return server.read(10); });
  attempt("server unwrap", unwrap(server));
  attempt("client unwrap", unwrap(client));

  Pair again(at_client, at_server, &session);
  for (int turn = 0; turn < 4; ++turn) {
    for (SSLObject* each : std::array{&again.client, &again.server}) {
      try {
        each->do_handshake();
      } catch (const SSLWantReadError&) {
      }
    }
  }
  print("again", again.client.session_reused(), again.server.session_reused());
  again.b.write_eof();
  attempt("cut off", [&] { return again.server.read(10); });
  attempt("cut off again", [&] { return again.server.read(10); });
  attempt("write after the end", [&] { return again.b.write("x"); });
}

int main() {
  talk(TLSVersion::TLSv1_3);
  talk(TLSVersion::TLSv1_2);
}
