// ssl_errors.hpp - what goes wrong with TLS: SSLError and its kin.
//
// Part of the core, so that they have names there (describe()), whether or not the program has TLS.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/exceptions.hpp>

#include <string>
#include <utility>

namespace asyncio {

/// Something about TLS went wrong: an OSError of no errno, as in Python.
///
///     [SSL: WRONG_VERSION_NUMBER] wrong version number
///
/// Python's texts, without the line of C that they end with.
class SSLError : public OSError {
public:
    explicit SSLError(const std::string& text, std::string library = {}, std::string reason = {})
        : OSError(text), library_(std::move(library)), reason_(std::move(reason)) {}
    ~SSLError() override;

    /// Where it was found: "SSL", "X509", "PEM"; empty if it is not known.
    [[nodiscard]] const std::string& library() const noexcept { return library_; }
    /// A name for it: "CERTIFICATE_VERIFY_FAILED"; empty if there is none.
    [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
    /// What Python has as `errno`: 1 (SSL), 2 and 3 (want read, write), 5 (system call), 6
    /// (closed), 8 (end of file). OpenSSL's names for these are macros.
    [[nodiscard]] virtual int ssl_errno() const noexcept;

private:
    std::string library_;
    std::string reason_;
};

/// The peer's certificate was refused.
class SSLCertVerificationError : public SSLError {
public:
    SSLCertVerificationError(const std::string& text, std::string library, std::string reason,
                             int verify_code, std::string verify_message)
        : SSLError(text, std::move(library), std::move(reason)),
          verify_message_(std::move(verify_message)),
          verify_code_(verify_code) {}
    ~SSLCertVerificationError() override;

    /// The number of the reason (X509_V_ERR_...): 10 expired, 18 self-signed, 20 unknown issuer,
    /// 62 wrong host name, 64 wrong address.
    [[nodiscard]] int verify_code() const noexcept { return verify_code_; }
    [[nodiscard]] const std::string& verify_message() const noexcept { return verify_message_; }

private:
    std::string verify_message_;
    int verify_code_;
};
using CertificateError = SSLCertVerificationError;

/// The stream ended without the message that ends it: what was received may not be all.
class SSLEOFError : public SSLError {
public:
    using SSLError::SSLError;
    ~SSLEOFError() override;
    [[nodiscard]] int ssl_errno() const noexcept override;
};

/// The peer has ended its stream properly.
class SSLZeroReturnError : public SSLError {
public:
    using SSLError::SSLError;
    ~SSLZeroReturnError() override;
    [[nodiscard]] int ssl_errno() const noexcept override;
};

/// Of an SSLObject: more has to be received before this can be done.
class SSLWantReadError : public SSLError {
public:
    using SSLError::SSLError;
    ~SSLWantReadError() override;
    [[nodiscard]] int ssl_errno() const noexcept override;
};

/// Of an SSLObject: something has to be sent before this can be done.
class SSLWantWriteError : public SSLError {
public:
    using SSLError::SSLError;
    ~SSLWantWriteError() override;
    [[nodiscard]] int ssl_errno() const noexcept override;
};

/// Reading or writing the stream below failed.
class SSLSyscallError : public SSLError {
public:
    using SSLError::SSLError;
    ~SSLSyscallError() override;
    [[nodiscard]] int ssl_errno() const noexcept override;
};

}  // namespace asyncio
