// openssl.hpp - OpenSSL's objects, owned; and its errors as exceptions.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/ssl_errors.hpp>

#include <exception>
#include <memory>
#include <string>
#include <string_view>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace asyncio::detail {

template <auto Free>
struct FreeWith {
    template <class T>
    void operator()(T* object) const noexcept {
        Free(object);
    }
};
inline void free_certificates(STACK_OF(X509) * stack) noexcept {
    sk_X509_pop_free(stack, &X509_free);
}

using SSLPtr = std::unique_ptr<SSL, FreeWith<&SSL_free>>;
using SSLCtxPtr = std::unique_ptr<SSL_CTX, FreeWith<&SSL_CTX_free>>;
using SSLSessionPtr = std::unique_ptr<SSL_SESSION, FreeWith<&SSL_SESSION_free>>;
using X509Ptr = std::unique_ptr<X509, FreeWith<&X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeWith<&EVP_PKEY_free>>;
using BIOPtr = std::unique_ptr<BIO, FreeWith<&BIO_free_all>>;
using X509StackPtr = std::unique_ptr<STACK_OF(X509), FreeWith<&free_certificates>>;

/// The exception for the last error in this thread's queue, which is emptied; std::bad_alloc if
/// that is what it says. `otherwise` is the text if the queue is empty.
[[nodiscard]] std::exception_ptr take_error(std::string_view otherwise);
[[noreturn]] void raise_error(std::string_view otherwise);

/// The same for one that SSL_get_error() told of: a failed verification has its reason from `ssl`.
[[nodiscard]] std::exception_ptr take_error_of(SSL* ssl, const std::string& hostname);

/// A BIO to read from memory that stays where it is.
[[nodiscard]] BIOPtr memory_bio(std::string_view bytes);

/// Certificates in a row, PEM or DER; SSLError if there are none, or something else.
[[nodiscard]] X509StackPtr read_certificates(std::string_view text);

/// What is in a file; throws an OSError that names it.
[[nodiscard]] std::string read_file(const std::string& path);

}  // namespace asyncio::detail
