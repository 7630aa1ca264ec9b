// ssl_errors.cpp - the vtables of SSLError's family, and the numbers that Python gives them.
//
// SPDX-License-Identifier: MIT
#include <asyncio/detail/ssl_errors.hpp>

namespace asyncio {

SSLError::~SSLError() = default;
SSLCertVerificationError::~SSLCertVerificationError() = default;
SSLEOFError::~SSLEOFError() = default;
SSLZeroReturnError::~SSLZeroReturnError() = default;
SSLWantReadError::~SSLWantReadError() = default;
SSLWantWriteError::~SSLWantWriteError() = default;
SSLSyscallError::~SSLSyscallError() = default;

// OpenSSL's numbers (SSL_ERROR_...), and Python's own for the end of file.
int SSLError::ssl_errno() const noexcept {
    return 1;
}
int SSLEOFError::ssl_errno() const noexcept {
    return 8;
}
int SSLZeroReturnError::ssl_errno() const noexcept {
    return 6;
}
int SSLWantReadError::ssl_errno() const noexcept {
    return 2;
}
int SSLWantWriteError::ssl_errno() const noexcept {
    return 3;
}
int SSLSyscallError::ssl_errno() const noexcept {
    return 5;
}

}  // namespace asyncio
