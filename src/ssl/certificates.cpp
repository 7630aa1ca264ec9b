// certificates.cpp - loading the own certificate, and those that are trusted.
//
// SPDX-License-Identifier: MIT
#include "context.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include <openssl/err.h>
#include <openssl/pem.h>

namespace asyncio::detail {

namespace {

/// What a private key is encrypted with. Without one nobody is asked: OpenSSL would, on the
/// terminal.
struct Password {
    std::string_view text;
    bool too_long = false;
};

int give_password(char* into, int size, int /*writing*/, void* data) noexcept {
    auto& password = *static_cast<Password*>(data);
    if (password.text.empty() || password.text.size() > static_cast<std::size_t>(size)) {
        password.too_long = !password.text.empty();
        return -1;
    }
    std::memcpy(into, password.text.data(), password.text.size());
    return static_cast<int>(password.text.size());
}

bool at_end_of_pem() noexcept {
    const unsigned long code = ERR_peek_last_error();
    return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

struct Chain {
    X509Ptr own;
    X509StackPtr others;
};

Chain read_chain(std::string_view text, Password& password) {
    const BIOPtr bio = memory_bio(text);
    Chain chain;
    chain.own.reset(PEM_read_bio_X509_AUX(bio.get(), nullptr, &give_password, &password));
    chain.others.reset(sk_X509_new_null());
    if (chain.own == nullptr || chain.others == nullptr) {
        raise_error("no certificate");
    }
    while (X509Ptr next{PEM_read_bio_X509(bio.get(), nullptr, &give_password, &password)}) {
        if (sk_X509_push(chain.others.get(), next.get()) == 0) {
            raise_error("no memory");
        }
        static_cast<void>(next.release());
    }
    if (!at_end_of_pem()) {
        raise_error("a certificate could not be read");
    }
    ERR_clear_error();
    return chain;
}

KeyPtr read_key(std::string_view text, Password& password) {
    const BIOPtr bio = memory_bio(text);
    KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &give_password, &password));
    if (password.too_long) {
        ERR_clear_error();
        raise_value_error("password cannot be longer than 1024 bytes");
    }
    if (key == nullptr) {
        ERR_clear_error();
        throw SSLError("[SSL] PEM lib", "SSL");
    }
    return key;
}

}  // namespace

// All of it is read, and compared, before the context is changed: a server goes on with the
// certificate that it has when the new one is no good.
void OpenSSLContext::load_cert_chain(const std::string& certfile, const std::string& keyfile,
                                     std::string_view password) {
    ERR_clear_error();
    Password given{password};
    const std::string certificates = read_file(certfile);
    const Chain chain = read_chain(certificates, given);
    const std::string keys = keyfile.empty() ? certificates : read_file(keyfile);
    const KeyPtr key = read_key(keys, given);
    if (X509_check_private_key(chain.own.get(), key.get()) != 1) {
        raise_error("key values mismatch");
    }
    constexpr int replace = 1;
    if (SSL_CTX_use_cert_and_key(ctx(), chain.own.get(), key.get(), chain.others.get(), replace) !=
        1) {
        raise_error("the certificate cannot be used");
    }
}

X509StackPtr read_certificates(std::string_view text) {
    ERR_clear_error();
    const bool pem = text.find("-----BEGIN") != std::string_view::npos;
    const BIOPtr bio = memory_bio(text);
    X509StackPtr certificates(sk_X509_new_null());
    while (X509Ptr next{pem ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)
                            : d2i_X509_bio(bio.get(), nullptr)}) {
        if (sk_X509_push(certificates.get(), next.get()) == 0) {
            raise_error("no memory");
        }
        static_cast<void>(next.release());
    }
    const bool end = pem ? at_end_of_pem() : BIO_eof(bio.get()) == 1;
    if (sk_X509_num(certificates.get()) <= 0) {
        ERR_clear_error();
        throw SSLError(pem ? "no start line: cadata does not contain a certificate"
                           : "not enough data: cadata does not contain a certificate");
    }
    if (!end) {
        raise_error("cadata has something else after its certificates");
    }
    ERR_clear_error();
    return certificates;
}

}  // namespace asyncio::detail
