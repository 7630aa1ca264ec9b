// engine.cpp - how OpenSSL is called, and what its answers mean.
//
// SPDX-License-Identifier: MIT
#include "engine.hpp"

#include "bio.hpp"
#include "certificate.hpp"

#include <algorithm>
#include <cstddef>
#include <new>
#include <stdexcept>
#include <utility>

#include <arpa/inet.h>
#include <openssl/err.h>

namespace asyncio::detail {

// Names go to the peer and into certificates as ASCII: an international one in its encoded form.
static void check_name(std::string_view name) {
    if (name.starts_with('.')) {
        raise_value_error("server_hostname cannot be an empty string or start with a leading dot.");
    }
    const bool ascii =
        std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < '\x7f'; });
    if (!ascii) {
        raise_value_error(
            "server_hostname must be ASCII; an international name has to be encoded (xn--...)");
    }
}

OpenSSLEngine::OpenSSLEngine(std::shared_ptr<OpenSSLContext> context,
                             std::shared_ptr<TLSBuffer> incoming,
                             std::shared_ptr<TLSBuffer> outgoing, bool server_side,
                             std::string_view server_hostname)
    : context_(std::move(context)),
      incoming_(std::move(incoming)),
      outgoing_(std::move(outgoing)),
      server_hostname_(server_side ? std::string_view() : server_hostname),
      server_side_(server_side) {
    if (server_side_ != (context_->protocol() == SSLMethod::tls_server)) {
        throw SSLError(server_side_
                           ? "Cannot create a server socket with a PROTOCOL_TLS_CLIENT context"
                           : "Cannot create a client socket with a PROTOCOL_TLS_SERVER context");
    }
    if (server_side_ && !server_hostname.empty()) {
        raise_value_error("server_hostname can only be specified in client mode");
    }
    check_name(server_hostname_);
    ERR_clear_error();
    BIOPtr in = buffer_bio(*incoming_);
    BIOPtr out = buffer_bio(*outgoing_);
    ssl_.reset(SSL_new(context_->ctx()));
    if (ssl_ == nullptr) {
        raise_error("SSL_new() failed");
    }
    SSL_set_bio(ssl(), in.release(), out.release());
    SSL_set_app_data(ssl(), this);
    // Records go out as they are made, and what is left to write may have been moved. A connection
    // that waits has no buffers.
    SSL_set_mode(ssl(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_AUTO_RETRY | SSL_MODE_RELEASE_BUFFERS);
    check_hostname();
    if (server_side_) {
        SSL_set_accept_state(ssl());
    } else {
        SSL_set_connect_state(ssl());
    }
}

static bool is_address(const std::string& name) noexcept {
    unsigned char raw[sizeof(in6_addr)];
    return ::inet_pton(AF_INET, name.c_str(), raw) == 1 ||
           ::inet_pton(AF_INET6, name.c_str(), raw) == 1;
}

// What the peer's certificate has to be for; and what the peer is told (an address is not: RFC
// 6066).
void OpenSSLEngine::check_hostname() {
    if (server_hostname_.empty()) {
        if (!server_side_ && context_->check_hostname()) {
            raise_value_error("check_hostname requires server_hostname");
        }
        return;
    }
    const bool address = is_address(server_hostname_);
    bool set = address || SSL_set_tlsext_host_name(ssl(), server_hostname_.c_str()) == 1;
    if (set && context_->check_hostname()) {
        X509_VERIFY_PARAM* const param = SSL_get0_param(ssl());
        X509_VERIFY_PARAM_set_hostflags(param, context_->host_flags());
        set = address ? X509_VERIFY_PARAM_set1_ip_asc(param, server_hostname_.c_str()) == 1
                      : X509_VERIFY_PARAM_set1_host(param, server_hostname_.c_str(),
                                                    server_hostname_.size()) == 1;
    }
    if (!set) {
        raise_error("the host name could not be set");
    }
}

// The queue of errors is the thread's: what another connection left there would be taken for an
// error of this one. So it is emptied before each call.

TLSStatus OpenSSLEngine::handshake() noexcept {
    ERR_clear_error();
    return finish(SSL_do_handshake(ssl()));
}

TLSStatus OpenSSLEngine::read(std::span<char> into, std::size_t& size) noexcept {
    size = 0;
    ERR_clear_error();
    return finish(SSL_read_ex(ssl(), into.data(), into.size(), &size));
}

TLSStatus OpenSSLEngine::write(std::string_view from, std::size_t& size) noexcept {
    size = 0;
    ERR_clear_error();
    return finish(SSL_write_ex(ssl(), from.data(), from.size(), &size));
}

// Once only: a second call takes whatever the peer still sends for an error. In the middle of a
// message of the handshake, as an update of keys, OpenSSL would refuse it for good.
TLSStatus OpenSSLEngine::end_writing() noexcept {
    ERR_clear_error();
    if (SSL_in_init(ssl()) != 0) {
        const TLSStatus status = finish(SSL_do_handshake(ssl()));
        if (status != TLSStatus::done) {
            return status;
        }
        ERR_clear_error();
    }
    const int result = SSL_shutdown(ssl());
    return result == 0 ? last_ = TLSStatus::done : finish(result);
}

// The first call sends the own end, the second looks for the peer's.
TLSStatus OpenSSLEngine::shut() noexcept {
    ERR_clear_error();
    int result = SSL_shutdown(ssl());
    if (result == 0) {
        ERR_clear_error();
        result = SSL_shutdown(ssl());
    }
    return finish(result);
}

TLSStatus OpenSSLEngine::finish(int result) noexcept {
    if (result > 0) {
        return last_ = TLSStatus::done;
    }
    switch (SSL_get_error(ssl(), result)) {
        case SSL_ERROR_WANT_READ:
            return last_ = TLSStatus::want_read;
        case SSL_ERROR_WANT_WRITE:
            return last_ = TLSStatus::want_write;
        case SSL_ERROR_ZERO_RETURN:
            return last_ = TLSStatus::closed;
        default:
            return last_ = fail();
    }
}

// After the first one OpenSSL may have nothing to say about later calls: it is still the same.
TLSStatus OpenSSLEngine::fail() noexcept {
    if (last_ == TLSStatus::ended) {
        ERR_clear_error();
        return TLSStatus::ended;
    }
    try {
        if (callback_error_ != nullptr) {
            failure_ = std::exchange(callback_error_, nullptr);
            ERR_clear_error();
        } else if (ERR_peek_error() != 0) {
            const bool ended =
                ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_SSL &&
                ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
            failure_ = take_error_of(ssl(), server_hostname_);
            if (ended) {
                return TLSStatus::ended;
            }
        } else if (failure_ == nullptr && incoming_->eof()) {
            failure_ =
                std::make_exception_ptr(SSLEOFError("EOF occurred in violation of protocol"));
            return TLSStatus::ended;
        } else if (failure_ == nullptr) {  // the buffer had no memory
            failure_ = std::make_exception_ptr(std::bad_alloc());
        }
    } catch (const std::exception&) {
        failure_ = std::current_exception();
    }
    return TLSStatus::failed;
}

std::exception_ptr OpenSSLEngine::error() const {
    switch (last_) {
        case TLSStatus::done:
            return nullptr;
        case TLSStatus::want_read:
            return std::make_exception_ptr(
                SSLWantReadError("The operation did not complete (read)"));
        case TLSStatus::want_write:
            return std::make_exception_ptr(
                SSLWantWriteError("The operation did not complete (write)"));
        case TLSStatus::closed:
            return std::make_exception_ptr(
                SSLZeroReturnError("TLS/SSL connection has been closed (EOF)"));
        default:
            return failure_;
    }
}

std::size_t OpenSSLEngine::pending() const noexcept {
    return static_cast<std::size_t>(SSL_pending(ssl()));
}

void OpenSSLEngine::set_context(std::shared_ptr<OpenSSLContext> context) {
    if (context->protocol() != context_->protocol()) {
        raise_value_error("the context is for the other side of connections");
    }
    ERR_clear_error();
    if (SSL_set_SSL_CTX(ssl(), context->ctx()) == nullptr) {
        raise_error("SSL_set_SSL_CTX() failed");
    }
    context_ = std::move(context);
}

std::optional<Certificate> OpenSSLEngine::peer_certificate() const {
    const X509Ptr certificate(SSL_get1_peer_certificate(ssl()));
    if (certificate == nullptr) {
        return std::nullopt;
    }
    if ((SSL_get_verify_mode(ssl()) & SSL_VERIFY_PEER) == 0) {
        return Certificate();
    }
    return decode_certificate(*certificate);
}

std::optional<std::string> OpenSSLEngine::extra_info(std::string_view name) const {
    if (!handshake_done()) {
        return std::nullopt;
    }
    if (name == "cipher") {
        const SSL_CIPHER* const cipher = SSL_get_current_cipher(ssl());
        return std::string("('") + SSL_CIPHER_get_name(cipher) + "', '" +
               SSL_CIPHER_get_version(cipher) + "', " +
               std::to_string(SSL_CIPHER_get_bits(cipher, nullptr)) + ")";
    }
    if (name == "peercert") {
        const std::optional<Certificate> certificate = peer_certificate();
        return certificate.has_value() ? std::optional(python_text(*certificate)) : std::nullopt;
    }
    if (name == "ssl_object") {
        return std::string("<SSLObject ") + SSL_get_version(ssl()) + ">";
    }
    if (name == "sslcontext") {
        return std::string("<SSLContext ") + (server_side_ ? "server>" : "client>");
    }
    return std::nullopt;
}

OpenSSLEngine& engine_of(const std::shared_ptr<TLSEngine>& engine) {
    if (engine == nullptr) {
        raise_runtime_error("this SSLObject is empty");
    }
    return static_cast<OpenSSLEngine&>(*engine);
}

}  // namespace asyncio::detail
