// tls_handshake.hpp - waiting for a TLS handshake, and streams whose connection gets TLS.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>

#include "tls_connection.hpp"
#include "tls_settings.hpp"

namespace asyncio::detail {

/// Starts the handshake and waits for its end. If it fails, or if the task is cancelled, the
/// connection is lost.
[[nodiscard]] Coroutine<> tls_handshake(TLSConnection& connection);

/// TLS over a connection that has been used without: whoever holds a handle of it has one of the
/// TLSConnection from now on.
[[nodiscard]] Coroutine<> upgrade_to_tls(StreamKeep connection, TLSRequest request);

}  // namespace asyncio::detail
