// server_process.hpp - the server of a pool, as the pool sees it.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "pool_worker.hpp"
#include "protocol.hpp"
#include "spawn.hpp"

#include <optional>
#include <string>

namespace asyncio::detail {

/// This program, started again. Started, used and stopped by one thread, and ended by the kernel if
/// that thread ends without having stopped it.
class ServerProcess {
public:
    ServerProcess() = default;
    ServerProcess(const ServerProcess&) = delete;
    ServerProcess& operator=(const ServerProcess&) = delete;
    ~ServerProcess() { stop(); }

    [[nodiscard]] bool is_running() const noexcept { return static_cast<bool>(socket_); }
    [[nodiscard]] int socket() const noexcept { return socket_.fileno(); }

    /// OSError.
    void start();
    /// All of its workers end as well. Its exit status, or 0.
    int stop() noexcept;

    /// 0, or errno: EAGAIN if it has much to do, EPIPE or ECONNRESET if it is gone. A message that
    /// starts a worker takes the descriptors with it.
    int send(const ServerMessage& message, const PoolWorker* worker = nullptr) noexcept;
    /// `ended` if it is gone; RuntimeError if it is another program.
    std::optional<ServerMessage> receive(bool& ended);

private:
    FileDescriptor socket_;
    ChildProcess child_;
};

}  // namespace asyncio::detail
