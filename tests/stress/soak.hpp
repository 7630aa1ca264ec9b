// soak.hpp - what soak.cpp takes of TLS, which the library may have been built without.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/streams.hpp>

namespace stress {

/// Null where there is no TLS.
struct TLSContexts {
    const asyncio::SSLContext* server = nullptr;
    const asyncio::SSLContext* client = nullptr;
};
[[nodiscard]] TLSContexts tls_contexts();

}  // namespace stress
