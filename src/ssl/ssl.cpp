// ssl.cpp - SSLContext's face, and create_default_context().
//
// SPDX-License-Identifier: MIT
#include <asyncio/ssl.hpp>

#include "context.hpp"
#include "session.hpp"

#include <cerrno>
#include <cstdio>
#include <string>
#include <utility>

#include <openssl/err.h>

namespace asyncio {

using detail::context_of;

SSLContext::SSLContext(SSLMethod protocol)
    : context_(std::make_shared<detail::OpenSSLContext>(protocol)) {}

SSLMethod SSLContext::protocol() const noexcept {
    return context_of(*this).protocol();
}

// ------------------------------------------------------------------------------ certificates

void SSLContext::load_cert_chain(std::string_view certfile, std::string_view keyfile,
                                 std::string_view password) {
    context_of(*this).load_cert_chain(std::string(certfile), std::string(keyfile), password);
}

void SSLContext::load_verify_locations(VerifyLocations locations) {
    if (locations.cafile.empty() && locations.capath.empty() && locations.cadata.empty()) {
        detail::raise_value_error("cafile, capath and cadata cannot be all omitted");
    }
    detail::OpenSSLContext& context = context_of(*this);
    // All of it is read before anything is trusted.
    const detail::X509StackPtr given =
        locations.cadata.empty() ? nullptr : detail::read_certificates(locations.cadata);
    ERR_clear_error();
    if (!locations.cafile.empty()) {
        const std::string path(locations.cafile);
        static_cast<void>(detail::read_file(path));  // or else say that it cannot be opened
        if (SSL_CTX_load_verify_file(context.ctx(), path.c_str()) != 1) {
            detail::raise_error("no certificate in " + path);
        }
    }
    if (!locations.capath.empty() &&
        SSL_CTX_load_verify_dir(context.ctx(), std::string(locations.capath).c_str()) != 1) {
        detail::raise_error("the directory of certificates cannot be used");
    }
    for (int i = 0; given != nullptr && i < sk_X509_num(given.get()); ++i) {
        X509_STORE* const store = SSL_CTX_get_cert_store(context.ctx());
        if (X509_STORE_add_cert(store, sk_X509_value(given.get(), i)) != 1) {
            detail::raise_error("a certificate could not be added");
        }
    }
}

void SSLContext::load_default_certs(Purpose /*purpose*/) {
    ERR_clear_error();
    if (SSL_CTX_set_default_verify_paths(context_of(*this).ctx()) != 1) {
        detail::raise_error("the system's certificates cannot be used");
    }
}

CertStoreStats SSLContext::cert_store_stats() const {
    CertStoreStats stats;
    X509_STORE* const store = SSL_CTX_get_cert_store(context_of(*this).ctx());
    STACK_OF(X509_OBJECT)* const objects = X509_STORE_get0_objects(store);
    for (int i = 0; i < sk_X509_OBJECT_num(objects); ++i) {
        const X509_OBJECT* const object = sk_X509_OBJECT_value(objects, i);
        if (X509* const certificate = X509_OBJECT_get0_X509(object)) {
            ++stats.x509;
            stats.x509_ca += X509_check_ca(certificate) != 0 ? 1 : 0;
        } else if (X509_OBJECT_get0_X509_CRL(object) != nullptr) {
            ++stats.crl;
        }
    }
    return stats;
}

// ------------------------------------------------------------------------------ verification

VerifyMode SSLContext::verify_mode() const noexcept {
    return context_of(*this).verify_mode();
}
void SSLContext::set_verify_mode(VerifyMode mode) {
    context_of(*this).set_verify_mode(mode);
}
bool SSLContext::check_hostname() const noexcept {
    return context_of(*this).check_hostname();
}
void SSLContext::set_check_hostname(bool check) noexcept {
    context_of(*this).set_check_hostname(check);
}
bool SSLContext::hostname_checks_common_name() const noexcept {
    return (context_of(*this).host_flags() & X509_CHECK_FLAG_NEVER_CHECK_SUBJECT) == 0;
}
void SSLContext::set_hostname_checks_common_name(bool checks) noexcept {
    context_of(*this).set_host_flags(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                     (checks ? 0U : X509_CHECK_FLAG_NEVER_CHECK_SUBJECT));
}
unsigned long SSLContext::verify_flags() const noexcept {
    return X509_VERIFY_PARAM_get_flags(SSL_CTX_get0_param(context_of(*this).ctx()));
}
void SSLContext::set_verify_flags(unsigned long flags) {
    X509_VERIFY_PARAM* const param = SSL_CTX_get0_param(context_of(*this).ctx());
    const unsigned long before = X509_VERIFY_PARAM_get_flags(param);
    ERR_clear_error();
    if (X509_VERIFY_PARAM_clear_flags(param, before & ~flags) != 1 ||
        X509_VERIFY_PARAM_set_flags(param, flags & ~before) != 1) {
        detail::raise_error("the flags cannot be set");
    }
}

// --------------------------------------------------------------------------------- protocols

namespace {

// OpenSSL's number of a version is the protocol's; 0 stands for whatever there is.
int version_number(TLSVersion version) {
    switch (version) {
        case TLSVersion::MINIMUM_SUPPORTED:
        case TLSVersion::MAXIMUM_SUPPORTED:
            return 0;
        case TLSVersion::TLSv1:
        case TLSVersion::TLSv1_1:
        case TLSVersion::TLSv1_2:
        case TLSVersion::TLSv1_3:
            return static_cast<int>(version);
    }
    char text[64];
    std::snprintf(text, sizeof text, "Unsupported TLS/SSL version 0x%x",
                  static_cast<unsigned>(version));
    detail::raise_value_error(text);
}

}  // namespace

TLSVersion SSLContext::minimum_version() const noexcept {
    const auto version = SSL_CTX_get_min_proto_version(context_of(*this).ctx());
    return version == 0 ? TLSVersion::MINIMUM_SUPPORTED : static_cast<TLSVersion>(version);
}
void SSLContext::set_minimum_version(TLSVersion version) {
    ERR_clear_error();
    if (SSL_CTX_set_min_proto_version(context_of(*this).ctx(), version_number(version)) != 1) {
        detail::raise_error("the version cannot be set");
    }
}
TLSVersion SSLContext::maximum_version() const noexcept {
    const auto version = SSL_CTX_get_max_proto_version(context_of(*this).ctx());
    return version == 0 ? TLSVersion::MAXIMUM_SUPPORTED : static_cast<TLSVersion>(version);
}
void SSLContext::set_maximum_version(TLSVersion version) {
    ERR_clear_error();
    if (SSL_CTX_set_max_proto_version(context_of(*this).ctx(), version_number(version)) != 1) {
        detail::raise_error("the version cannot be set");
    }
}

void SSLContext::set_ciphers(std::string_view ciphers) {
    ERR_clear_error();
    if (SSL_CTX_set_cipher_list(context_of(*this).ctx(), std::string(ciphers).c_str()) != 1) {
        ERR_clear_error();
        throw SSLError("No cipher can be selected.");
    }
}
std::vector<std::string> SSLContext::get_ciphers() const {
    std::vector<std::string> names;
    const STACK_OF(SSL_CIPHER)* const ciphers = SSL_CTX_get_ciphers(context_of(*this).ctx());
    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); ++i) {
        names.emplace_back(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, i)));
    }
    return names;
}
void SSLContext::set_alpn_protocols(const std::vector<std::string>& protocols) {
    context_of(*this).set_alpn_protocols(protocols);
}
void SSLContext::set_sni(SniCallback callback) {
    context_of(*this).set_sni_callback(std::move(callback));
}
std::size_t SSLContext::num_tickets() const noexcept {
    return SSL_CTX_get_num_tickets(context_of(*this).ctx());
}
void SSLContext::set_num_tickets(std::size_t count) {
    if (protocol() != SSLMethod::tls_server) {
        detail::raise_value_error("SSLContext is not a server context.");
    }
    if (SSL_CTX_set_num_tickets(context_of(*this).ctx(), count) != 1) {
        detail::raise_value_error("failed to set num tickets.");
    }
}

std::string SSLContext::keylog_filename() const {
    return context_of(*this).keylog_filename();
}
void SSLContext::set_keylog_filename(std::string_view path) {
    context_of(*this).set_keylog_filename(std::string(path));
}

SSLObject SSLContext::wrap_bio(const MemoryBIO& incoming, const MemoryBIO& outgoing,
                               WrapBioOptions options) const {
    SSLObject object(context_->make_engine(incoming.buffer(), outgoing.buffer(),
                                           options.server_side, options.server_hostname));
    if (options.session != nullptr && *options.session) {
        object.set_session(*options.session);
    }
    return object;
}

SSLContext SSLContext::create_default_context(Purpose purpose, VerifyLocations locations) {
    return asyncio::create_default_context(purpose, locations);
}

SSLContext create_default_context(Purpose purpose, VerifyLocations locations) {
    SSLContext context(purpose == Purpose::SERVER_AUTH ? PROTOCOL_TLS_CLIENT : PROTOCOL_TLS_SERVER);
    context.set_verify_flags(context.verify_flags() | VERIFY_X509_PARTIAL_CHAIN |
                             VERIFY_X509_STRICT);
    if (!locations.cafile.empty() || !locations.capath.empty() || !locations.cadata.empty()) {
        context.load_verify_locations(locations);
    } else if (context.verify_mode() != CERT_NONE) {
        context.load_default_certs(purpose);
    }
    return context;
}

}  // namespace asyncio
