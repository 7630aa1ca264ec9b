// object.cpp - SSLObject and MemoryBIO: an engine, called by hand.
//
// SPDX-License-Identifier: MIT
#include <asyncio/ssl.hpp>

#include "certificate.hpp"
#include "engine.hpp"
#include "session.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <openssl/err.h>

namespace asyncio {

using detail::engine_of;
using detail::OpenSSLEngine;
using detail::TLSStatus;

// --------------------------------------------------------------------------------- MemoryBIO

std::size_t MemoryBIO::write(std::string_view bytes) {
    if (buffer_->has_ended()) {
        throw SSLError("cannot write() after write_eof()");
    }
    buffer_->append(bytes);
    return bytes.size();
}

std::string MemoryBIO::read(std::ptrdiff_t n) {
    const std::size_t most = n < 0 ? pending() : std::min(pending(), static_cast<std::size_t>(n));
    std::string bytes(most, '\0');
    buffer_->take(bytes.data(), most);
    return bytes;
}

// --------------------------------------------------------------------------------- SSLObject

static void check(const OpenSSLEngine& engine, TLSStatus status) {
    if (status != TLSStatus::done) {
        std::rethrow_exception(engine.error());
    }
}

void SSLObject::do_handshake() {
    OpenSSLEngine& engine = engine_of(engine_);
    check(engine, engine.handshake());
}

std::size_t SSLObject::read_into(std::span<char> into) {
    OpenSSLEngine& engine = engine_of(engine_);
    if (into.empty()) {
        return 0;
    }
    std::size_t size = 0;
    const TLSStatus status = engine.read(into, size);
    if (status == TLSStatus::closed) {
        return 0;
    }
    check(engine, status);
    return size;
}

std::string SSLObject::read(std::size_t n) {
    constexpr std::size_t record = std::size_t{16} * 1024;  // what one call gives at most
    std::string bytes(std::min(n, record), '\0');
    bytes.resize(read_into(bytes));
    return bytes;
}

std::size_t SSLObject::write(std::string_view bytes) {
    OpenSSLEngine& engine = engine_of(engine_);
    if (bytes.empty()) {
        return 0;
    }
    std::size_t taken = 0;
    while (taken < bytes.size()) {
        std::size_t size = 0;
        const TLSStatus status = engine.write(bytes.substr(taken), size);
        if (status != TLSStatus::done && taken > 0) {
            break;  // which the next call will tell
        }
        check(engine, status);
        taken += size;
    }
    return taken;
}

void SSLObject::unwrap() {
    OpenSSLEngine& engine = engine_of(engine_);
    check(engine, engine.shut());
}

std::size_t SSLObject::pending() const noexcept {
    return engine_ == nullptr ? 0 : engine_->pending();
}

// ------------------------------------------------------------------- what the handshake gave

std::optional<std::string> SSLObject::version() const {
    const OpenSSLEngine& engine = engine_of(engine_);
    return engine.handshake_done() ? std::optional<std::string>(SSL_get_version(engine.ssl()))
                                   : std::nullopt;
}

std::optional<Cipher> SSLObject::cipher() const {
    const SSL_CIPHER* const cipher = SSL_get_current_cipher(engine_of(engine_).ssl());
    if (cipher == nullptr) {
        return std::nullopt;
    }
    Cipher described;
    described.name = SSL_CIPHER_get_name(cipher);
    described.protocol = SSL_CIPHER_get_version(cipher);
    described.secret_bits = SSL_CIPHER_get_bits(cipher, nullptr);
    return described;
}

std::optional<std::string> SSLObject::selected_alpn_protocol() const {
    const unsigned char* protocol = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(engine_of(engine_).ssl(), &protocol, &size);
    return protocol == nullptr
               ? std::nullopt
               : std::optional(std::string(reinterpret_cast<const char*>(protocol), size));
}

static const OpenSSLEngine& connected(const std::shared_ptr<detail::TLSEngine>& engine) {
    const OpenSSLEngine& connected = engine_of(engine);
    if (!connected.handshake_done()) {
        detail::raise_value_error("handshake not done yet");
    }
    return connected;
}

std::optional<Certificate> SSLObject::getpeercert() const {
    return connected(engine_).peer_certificate();
}

std::string SSLObject::getpeercert_der() const {
    const detail::X509Ptr certificate(SSL_get1_peer_certificate(connected(engine_).ssl()));
    return certificate == nullptr ? std::string() : detail::encode_certificate(*certificate);
}

// OpenSSL leaves a client's own certificate out of what the server has got.
std::vector<std::string> SSLObject::get_unverified_chain() const {
    const OpenSSLEngine& engine = connected(engine_);
    std::vector<std::string> chain;
    if (engine.server_side()) {
        if (std::string own = getpeercert_der(); !own.empty()) {
            chain.push_back(std::move(own));
        }
    }
    STACK_OF(X509)* const sent = SSL_get_peer_cert_chain(engine.ssl());
    for (int i = 0; sent != nullptr && i < sk_X509_num(sent); ++i) {
        chain.push_back(detail::encode_certificate(*sk_X509_value(sent, i)));
    }
    return chain;
}

bool SSLObject::server_side() const noexcept {
    return engine_ != nullptr && engine_of(engine_).server_side();
}

std::optional<std::string> SSLObject::server_hostname() const {
    const std::string& name = engine_of(engine_).server_hostname();
    return name.empty() ? std::nullopt : std::optional(name);
}

SSLContext SSLObject::context() const {
    return SSLContext(engine_of(engine_).context());
}

void SSLObject::set_context(const SSLContext& context) {
    engine_of(engine_).set_context(
        std::static_pointer_cast<detail::OpenSSLContext>(context.implementation()));
}

// ---------------------------------------------------------------------------------- sessions

SSLSession SSLObject::session() const {
    const OpenSSLEngine& engine = engine_of(engine_);
    detail::SSLSessionPtr session(SSL_get1_session(engine.ssl()));
    if (session == nullptr || SSL_SESSION_is_resumable(session.get()) == 0) {
        return SSLSession();
    }
    return SSLSession(
        std::make_shared<const detail::TLSSession>(std::move(session), engine.context()));
}

void SSLObject::set_session(const SSLSession& session) {
    OpenSSLEngine& engine = engine_of(engine_);
    if (engine.server_side()) {
        detail::raise_value_error("Cannot set session for server-side SSLSocket.");
    }
    if (engine.handshake_done()) {
        detail::raise_value_error("Cannot set session after handshake.");
    }
    if (!session) {
        detail::raise_value_error("Value is not a SSLSession.");
    }
    if (session.implementation()->context() != engine.context().get()) {
        detail::raise_value_error("Session refers to a different SSLContext.");
    }
    ERR_clear_error();
    // A copy: a connection that fails makes its session useless, which is no business of the
    // others.
    const detail::SSLSessionPtr own(SSL_SESSION_dup(session.implementation()->get()));
    if (own == nullptr || SSL_set_session(engine.ssl(), own.get()) != 1) {
        detail::raise_error("the session cannot be set");
    }
}

bool SSLObject::session_reused() const noexcept {
    return engine_ != nullptr && SSL_session_reused(engine_of(engine_).ssl()) != 0;
}

}  // namespace asyncio
