// server_ref.hpp - what a Server is a handle of, and what its wait_closed() gives.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/wait_closed.hpp>

#include <utility>

namespace asyncio::detail {

class ServerCore;

/// A counted reference to a server.
class ServerRef {
public:
    explicit ServerRef(ServerCore& core) noexcept;
    ServerRef(const ServerRef& other) noexcept : ServerRef(*other.core_) {}
    ServerRef& operator=(ServerRef other) noexcept {
        std::swap(core_, other.core_);
        return *this;
    }
    ~ServerRef();

    ServerCore& operator*() const noexcept { return *core_; }
    ServerCore* operator->() const noexcept { return core_; }

private:
    ServerCore* core_;
};

/// What wait_closed() of a server gives.
class [[nodiscard]] ServerClosed {
public:
    explicit ServerClosed(const ServerRef& server) noexcept : server_(server) {}
    WaitClosedAwaiter operator co_await() const noexcept;

private:
    ServerRef server_;
};

}  // namespace asyncio::detail
