// tls_pair.hpp - two SSLObjects and what lies between them, moved by hand.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/ssl.hpp>

#include "certificates.hpp"

#include <cstddef>
#include <exception>
#include <string>
#include <string_view>

namespace asyncio::testing {

inline SSLContext server_context() {
    SSLContext context(PROTOCOL_TLS_SERVER);
    context.load_cert_chain(TestAuthority::instance().server_file);
    return context;
}
inline SSLContext client_context() {
    SSLContext context(PROTOCOL_TLS_CLIENT);
    context.load_verify_locations(TestAuthority::instance().ca_file);
    return context;
}

/// A client and a server, and the bytes between them.
struct TLSPair {
    TLSPair(const SSLContext& client_context, const SSLContext& server_context,
            std::string_view hostname = "localhost", const SSLSession* session = nullptr)
        : client(client_context.wrap_bio(to_client, from_client,
                                         {.server_hostname = hostname, .session = session})),
          server(server_context.wrap_bio(to_server, from_server, {.server_side = true})) {}

    /// Moves up to `most` bytes each way; false if there were none.
    bool move(std::size_t most = std::size_t{1} << 20) const {
        MemoryBIO out = from_client;
        MemoryBIO back = from_server;
        MemoryBIO into = to_server;
        MemoryBIO home = to_client;
        const std::string there = out.read(static_cast<std::ptrdiff_t>(most));
        const std::string here = back.read(static_cast<std::ptrdiff_t>(most));
        into.write(there);
        home.write(here);
        return !there.empty() || !here.empty();
    }

    /// True when `step` did not ask for more.
    template <class Step>
    static bool try_step(Step step) {
        try {
            step();
            return true;
        } catch (const SSLWantReadError&) {
            return false;
        }
    }

    /// Until both have done it; `piece` bytes at a time. Throws what either does.
    void handshake(std::size_t piece = std::size_t{1} << 20) {
        bool client_done = false;
        bool server_done = false;
        for (;;) {
            client_done = client_done || try_step([&] { client.do_handshake(); });
            server_done = server_done || try_step([&] { server.do_handshake(); });
            const bool moved = move(piece);
            if (client_done && server_done && !moved) {
                return;
            }
            if (!moved && !client_done && !server_done) {
                throw std::runtime_error("the handshake does not get on");
            }
        }
    }

    MemoryBIO to_client, from_client, to_server, from_server;
    SSLObject client, server;
};

/// All that can be read without receiving more; stops at the end of the stream.
inline std::string read_available(SSLObject& object) {
    std::string all;
    try {
        for (;;) {
            const std::string bytes = object.read(16384);
            if (bytes.empty()) {
                return all;
            }
            all += bytes;
        }
    } catch (const SSLWantReadError&) {
        return all;
    }
}

inline void write_all(SSLObject& object, std::string_view bytes) {
    while (!bytes.empty()) {
        bytes.remove_prefix(object.write(bytes));
    }
}

/// What `call` throws; null if nothing.
template <class Call>
std::exception_ptr thrown_by(Call call) {
    try {
        call();
        return nullptr;
    } catch (...) {
        return std::current_exception();
    }
}

}  // namespace asyncio::testing
