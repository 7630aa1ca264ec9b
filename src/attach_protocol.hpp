// attach_protocol.hpp - how a protocol gets its connection.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/stream_handle.hpp>
#include <asyncio/transports.hpp>

#include <memory>

namespace asyncio::detail {

/// What a factory makes; std::invalid_argument if that is nothing.
[[nodiscard]] std::shared_ptr<BaseProtocol> protocol_made_by(const MakeProtocol& make);

/// A transport over `connection`; goes on when the protocol knows it.
[[nodiscard]] Coroutine<UntypedPair<Transport>> attach_protocol(
    StreamHandle connection, std::shared_ptr<BaseProtocol> protocol);

}  // namespace asyncio::detail
