// openssl_peer.hpp - the other end of a TLS connection, by OpenSSL and nothing of the library: it
// does what the library never would.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/tasks.hpp>

#include <gtest/gtest.h>

#include "certificates.hpp"
#include "network.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include <openssl/bio.h>
#include <openssl/ssl.h>

namespace asyncio::testing {

/// A client, which trusts everybody, or a server for localhost. What it has to send is taken from
/// it, and what it is to receive is given to it, by hand.
class OpenSSLPeer {
public:
    enum class Side { client, server };

    explicit OpenSSLPeer(Side side)
        : context_(SSL_CTX_new(side == Side::server ? TLS_server_method() : TLS_client_method())) {
        if (side == Side::server) {
            const char* const file = TestAuthority::instance().server_file.c_str();
            EXPECT_EQ(SSL_CTX_use_certificate_file(context(), file, SSL_FILETYPE_PEM), 1);
            EXPECT_EQ(SSL_CTX_use_PrivateKey_file(context(), file, SSL_FILETYPE_PEM), 1);
        }
        server_ = side == Side::server;
    }

    /// To be changed before begin().
    [[nodiscard]] SSL_CTX* context() const noexcept { return context_.get(); }
    [[nodiscard]] SSL* ssl() const noexcept { return ssl_.get(); }

    void begin() {
        ssl_.reset(SSL_new(context()));
        SSL_set_bio(ssl(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        if (server_) {
            SSL_set_accept_state(ssl());
        } else {
            SSL_set_connect_state(ssl());
        }
    }

    void give(std::string_view bytes) const {
        if (!bytes.empty()) {
            EXPECT_EQ(BIO_write(SSL_get_rbio(ssl()), bytes.data(), static_cast<int>(bytes.size())),
                      static_cast<int>(bytes.size()));
        }
    }
    [[nodiscard]] std::string take() const {
        std::string bytes(BIO_ctrl_pending(SSL_get_wbio(ssl())), '\0');
        if (!bytes.empty()) {
            BIO_read(SSL_get_wbio(ssl()), bytes.data(), static_cast<int>(bytes.size()));
        }
        return bytes;
    }
    /// What it can read of what it was given.
    [[nodiscard]] std::string read() const {
        std::string all;
        char block[16384];
        std::size_t size = 0;
        while (SSL_read_ex(ssl(), block, sizeof block, &size) == 1) {
            all.append(block, size);
        }
        return all;
    }
    void write(std::string_view bytes) const {
        std::size_t size = 0;
        EXPECT_EQ(SSL_write_ex(ssl(), bytes.data(), bytes.size(), &size), 1);
    }

    /// By way of a socket. What is left to be sent at its end, as tickets, is left in here.
    Coroutine<> handshake(Peer& peer) {
        begin();
        for (int turn = 0; turn < 1000; ++turn) {
            std::string received;
            peer.receive(received);
            give(received);
            const bool done = SSL_do_handshake(ssl()) == 1;
            if (done && server_) {
                co_return;
            }
            peer.send(take());
            if (done) {
                co_return;
            }
            co_await sleep(0.001);
        }
        ADD_FAILURE() << "the handshake does not get on";
    }

private:
    struct Free {
        void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
        void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
    };

    std::unique_ptr<SSL_CTX, Free> context_;
    std::unique_ptr<SSL, Free> ssl_;
    bool server_ = false;
};

/// The first record of what was sent; the rest stays.
inline std::string first_record(std::string& bytes) {
    const auto byte = [&bytes](std::size_t i) {
        return static_cast<std::size_t>(static_cast<unsigned char>(bytes.at(i)));
    };
    const std::size_t size = 5 + (byte(3) << 8) + byte(4);
    std::string record = bytes.substr(0, size);
    bytes.erase(0, record.size());
    return record;
}

}  // namespace asyncio::testing
