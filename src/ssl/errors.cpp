// errors.cpp - OpenSSL's queue of errors as Python's exceptions.
//
// SPDX-License-Identifier: MIT
#include "openssl.hpp"

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <new>
#include <utility>

#include <openssl/err.h>

namespace asyncio::detail {

namespace {

/// An error of the queue in Python's words.
struct Reported {
    std::string library;  // "SSL"
    std::string reason;   // "WRONG_VERSION_NUMBER"
    std::string text;     // "wrong version number"

    [[nodiscard]] std::string what() const {
        std::string prefix;
        if (!library.empty() && !reason.empty()) {
            prefix = "[" + library + ": " + reason + "] ";
        } else if (!library.empty()) {
            prefix = "[" + library + "] ";
        }
        return prefix + text;
    }
};

const char* library_name(int library) noexcept {
    switch (library) {
        case ERR_LIB_SSL:
            return "SSL";
        case ERR_LIB_X509:
            return "X509";
        case ERR_LIB_X509V3:
            return "X509V3";
        case ERR_LIB_PEM:
            return "PEM";
        case ERR_LIB_ASN1:
            return "ASN1";
        case ERR_LIB_EVP:
            return "EVP";
        case ERR_LIB_RSA:
            return "RSA";
        case ERR_LIB_EC:
            return "EC";
        case ERR_LIB_BIO:
            return "BIO";
        default:
            return "";
    }
}

// Python's names of reasons are those of OpenSSL's macros, which are the texts in capitals.
std::string reason_name(std::string_view text) {
    std::string name;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        name += std::isalnum(byte) != 0 ? static_cast<char>(std::toupper(byte)) : '_';
    }
    return name;
}

Reported describe_code(unsigned long code, std::string_view otherwise) {
    Reported reported;
    reported.library = library_name(ERR_GET_LIB(code));
    const char* const text = code == 0 ? nullptr : ERR_reason_error_string(code);
    if (text != nullptr) {
        reported.text = text;
        reported.reason = reason_name(text);
    } else {
        reported.text = otherwise;
    }
    return reported;
}

// What Python says besides: which name the certificate is not for.
std::string verify_text(long code, const std::string& hostname) {
    switch (code) {
        case X509_V_ERR_HOSTNAME_MISMATCH:
            return "Hostname mismatch, certificate is not valid for '" + hostname + "'.";
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
            return "IP address mismatch, certificate is not valid for '" + hostname + "'.";
        default:
            return X509_verify_cert_error_string(code);
    }
}

// The last one; but want of memory comes first, and is then told of by others as an error of
// theirs.
unsigned long take_code() noexcept {
    unsigned long last = 0;
    while (const unsigned long code = ERR_get_error()) {
        if (ERR_GET_REASON(last) != ERR_R_MALLOC_FAILURE) {
            last = code;
        }
    }
    return last;
}

std::exception_ptr make_error(unsigned long code, std::string_view otherwise) {
    if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) {
        return std::make_exception_ptr(std::bad_alloc());
    }
    Reported reported = describe_code(code, otherwise);
    const std::string what = reported.what();
    return std::make_exception_ptr(
        SSLError(what, std::move(reported.library), std::move(reported.reason)));
}

}  // namespace

std::exception_ptr take_error(std::string_view otherwise) {
    return make_error(take_code(), otherwise);
}

void raise_error(std::string_view otherwise) {
    std::rethrow_exception(take_error(otherwise));
}

std::exception_ptr take_error_of(SSL* ssl, const std::string& hostname) {
    const unsigned long code = take_code();
    if (ERR_GET_LIB(code) == ERR_LIB_SSL) {
        Reported reported = describe_code(code, "");
        if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
            const long verify_code = SSL_get_verify_result(ssl);
            std::string verify = verify_text(verify_code, hostname);
            const std::string what = reported.what() + ": " + verify;
            return std::make_exception_ptr(SSLCertVerificationError(
                what, std::move(reported.library), std::move(reported.reason),
                static_cast<int>(verify_code), std::move(verify)));
        }
        if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
            reported.text = "EOF occurred in violation of protocol";
            const std::string what = reported.what();
            return std::make_exception_ptr(
                SSLEOFError(what, std::move(reported.library), std::move(reported.reason)));
        }
    }
    return make_error(code, "A failure in the SSL library occurred");
}

BIOPtr memory_bio(std::string_view bytes) {
    BIOPtr bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
    if (bio == nullptr) {
        raise_error("BIO_new_mem_buf() failed");
    }
    return bio;
}

std::string read_file(const std::string& path) {
    struct Close {
        void operator()(std::FILE* file) const noexcept { std::fclose(file); }
    };
    const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rbe"));
    if (file == nullptr) {
        raise_os_error(errno, "open " + path);
    }
    std::string contents;
    char block[4096];
    while (const std::size_t size = std::fread(block, 1, sizeof block, file.get())) {
        contents.append(block, size);
    }
    if (std::ferror(file.get()) != 0) {
        raise_os_error(errno, "read " + path);
    }
    return contents;
}

}  // namespace asyncio::detail
