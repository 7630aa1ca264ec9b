// context.cpp - a context's settings, and what OpenSSL calls during a handshake.
//
// SPDX-License-Identifier: MIT
#include "context.hpp"

#include <asyncio/log.hpp>

#include "engine.hpp"

#include <cerrno>
#include <cstring>
#include <exception>
#include <utility>

#include <openssl/err.h>

namespace asyncio::detail {

// Forward secrecy and authenticated encryption first; nothing without a key exchange, a cipher or
// an authentication, and no SHA-1. As CPython.
static constexpr const char* default_ciphers =
    "@SECLEVEL=2:ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM";

OpenSSLContext::OpenSSLContext(SSLMethod protocol) : protocol_(protocol) {
    const bool server = protocol == SSLMethod::tls_server;
    ERR_clear_error();
    ctx_.reset(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()));
    if (ctx_ == nullptr) {
        raise_error("SSL_CTX_new() failed");
    }
    SSL_CTX_set_options(ctx(), SSL_OP_ALL | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE);
    static constexpr unsigned char session_id_context[] = "asyncio";
    if (SSL_CTX_set_cipher_list(ctx(), default_ciphers) != 1 ||
        SSL_CTX_set_min_proto_version(ctx(), TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_session_id_context(ctx(), session_id_context, sizeof session_id_context) != 1) {
        raise_error("the defaults cannot be set");
    }
    // A client's sessions are kept by who wants them: SSLObject::session().
    SSL_CTX_set_session_cache_mode(ctx(), server ? SSL_SESS_CACHE_SERVER : SSL_SESS_CACHE_OFF);
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx()), X509_V_FLAG_TRUSTED_FIRST);
    if (server) {
        SSL_CTX_set_tlsext_servername_callback(ctx(), &on_server_name);
        SSL_CTX_set_tlsext_servername_arg(ctx(), this);
    } else {
        check_hostname_ = true;
        set_verify_mode(CERT_REQUIRED);
    }
}

std::shared_ptr<TLSEngine> OpenSSLContext::make_engine(std::shared_ptr<TLSBuffer> incoming,
                                                       std::shared_ptr<TLSBuffer> outgoing,
                                                       bool server_side,
                                                       std::string_view server_hostname) {
    return std::make_shared<OpenSSLEngine>(
        std::static_pointer_cast<OpenSSLContext>(shared_from_this()), std::move(incoming),
        std::move(outgoing), server_side, server_hostname);
}

VerifyMode OpenSSLContext::verify_mode() const noexcept {
    const int mode = SSL_CTX_get_verify_mode(ctx());
    if ((mode & SSL_VERIFY_PEER) == 0) {
        return CERT_NONE;
    }
    return (mode & SSL_VERIFY_FAIL_IF_NO_PEER_CERT) != 0 ? CERT_REQUIRED : CERT_OPTIONAL;
}

void OpenSSLContext::set_verify_mode(VerifyMode mode) {
    if (mode == CERT_NONE && check_hostname_) {
        raise_value_error("Cannot set verify_mode to CERT_NONE when check_hostname is enabled.");
    }
    int flags = SSL_VERIFY_NONE;
    if (mode != CERT_NONE) {
        flags = SSL_VERIFY_PEER | (mode == CERT_REQUIRED ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
    }
    SSL_CTX_set_verify(ctx(), flags, nullptr);
}

void OpenSSLContext::set_check_hostname(bool check) noexcept {
    if (check && verify_mode() == CERT_NONE) {
        SSL_CTX_set_verify(ctx(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
    check_hostname_ = check;
}

// -------------------------------------------------------------------------------------- ALPN

void OpenSSLContext::set_alpn_protocols(const std::vector<std::string>& protocols) {
    std::vector<unsigned char> list;
    for (const std::string& protocol : protocols) {
        if (protocol.empty() || protocol.size() > 255) {
            throw SSLError("ALPN protocols must be 1 to 255 bytes long");
        }
        list.push_back(static_cast<unsigned char>(protocol.size()));
        list.insert(list.end(), protocol.begin(), protocol.end());
    }
    ERR_clear_error();
    // Of all functions this one gives 0 if it succeeds.
    if (SSL_CTX_set_alpn_protos(ctx(), list.data(), static_cast<unsigned>(list.size())) != 0) {
        raise_error("the ALPN protocols cannot be set");
    }
    alpn_ = std::move(list);
    if (protocol_ == SSLMethod::tls_server) {
        SSL_CTX_set_alpn_select_cb(ctx(), &on_alpn, this);
    }
}

// Without one in common the connection goes on without, as in CPython.
int OpenSSLContext::on_alpn(SSL* /*ssl*/, const unsigned char** out, unsigned char* out_size,
                            const unsigned char* in, unsigned in_size, void* context) noexcept {
    const auto& alpn = static_cast<const OpenSSLContext*>(context)->alpn_;
    unsigned char* chosen = nullptr;
    const int result = SSL_select_next_proto(&chosen, out_size, alpn.data(),
                                             static_cast<unsigned>(alpn.size()), in, in_size);
    *out = chosen;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

// --------------------------------------------------------------------------------------- SNI

void OpenSSLContext::set_sni_callback(SSLContext::SniCallback callback) {
    if (protocol_ != SSLMethod::tls_server) {
        raise_value_error("sni_callback cannot be set on TLS_CLIENT context");
    }
    sni_callback_ = std::move(callback);
}

int OpenSSLContext::on_server_name(SSL* ssl, int* alert, void* context) noexcept {
    auto& self = *static_cast<OpenSSLContext*>(context);
    if (!self.sni_callback_) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    OpenSSLEngine& engine = OpenSSLEngine::of(ssl);
    try {
        const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        SSLObject object(engine.shared_from_this());
        SSLContext own(self.shared_from_this());
        const std::optional<int> refused = self.sni_callback_(
            object, name == nullptr ? std::nullopt : std::optional<std::string_view>(name), own);
        if (!refused.has_value()) {
            return SSL_TLSEXT_ERR_OK;
        }
        *alert = *refused;
    } catch (...) {
        engine.set_callback_error(std::current_exception());
        *alert = SSL_AD_HANDSHAKE_FAILURE;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// ------------------------------------------------------------------------------------ keylog

void OpenSSLContext::set_keylog_filename(std::string path) {
    std::unique_ptr<std::FILE, CloseFile> file;
    if (!path.empty()) {
        file.reset(std::fopen(path.c_str(), "ae"));
        if (file == nullptr) {
            raise_os_error(errno, "open " + path);
        }
        std::setvbuf(file.get(), nullptr, _IOLBF, 0);
    }
    const std::lock_guard lock(keylog_mutex_);
    SSL_CTX_set_keylog_callback(ctx(), file == nullptr ? nullptr : &on_key);
    keylog_ = std::move(file);
    keylog_filename_ = std::move(path);
}

void OpenSSLContext::on_key(const SSL* ssl, const char* line) noexcept {
    OpenSSLContext& self = *OpenSSLEngine::of(ssl).context();
    const std::lock_guard lock(self.keylog_mutex_);
    if (self.keylog_ != nullptr && std::fprintf(self.keylog_.get(), "%s\n", line) < 0) {
        log(Level::warning, "the keys of a connection could not be logged");
    }
}

}  // namespace asyncio::detail
