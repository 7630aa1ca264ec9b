// transport_of.hpp - how a protocol gets to keep its transport: TransportOf.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/transports.hpp>

#include <memory>
#include <utility>

namespace asyncio::detail {

/// The way of a transport into its protocol.
struct TransportOf {
    static void set(BaseProtocol& protocol, std::shared_ptr<BaseTransport> transport) noexcept {
        protocol.transport_ = std::move(transport);
    }
};

}  // namespace asyncio::detail
