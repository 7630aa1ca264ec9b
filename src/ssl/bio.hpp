// bio.hpp - a TLSBuffer in the form in which OpenSSL reads and writes it.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/tls_engine.hpp>

#include "openssl.hpp"

namespace asyncio::detail {

/// Reads and writes `buffer`, which must outlive it. Empty, it asks to be tried again, unless the
/// buffer has ended. (OpenSSL's own memory BIO would copy what is received once more.)
[[nodiscard]] BIOPtr buffer_bio(TLSBuffer& buffer);

}  // namespace asyncio::detail
