// certificate.hpp - what is in a certificate.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/ssl_types.hpp>

#include "openssl.hpp"

#include <string>

namespace asyncio::detail {

[[nodiscard]] Certificate decode_certificate(X509& certificate);
/// As Python writes the dict that getpeercert() gives.
[[nodiscard]] std::string python_text(const Certificate& certificate);
/// DER.
[[nodiscard]] std::string encode_certificate(X509& certificate);

}  // namespace asyncio::detail
