// servers.hpp - what listens: ServerCore, whatever becomes of the connections.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/detail/server_ref.hpp>
#include <asyncio/lowlevel/waiter.hpp>
#include <asyncio/sockets.hpp>

#include "loop_io.hpp"
#include "socket_file.hpp"

#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace asyncio {
class Server;
}

namespace asyncio::detail {

/// A connection of a server's, as the server sees it. Attached until it is lost.
class ServerClient : public lowlevel::ListHook<ServerClient> {
public:
    // Neither detaches it at once.
    virtual void close_client() noexcept = 0;
    virtual void abort_client() noexcept = 0;
    /// Asks whoever serves it to end.
    virtual void cancel_client() noexcept { abort_client(); }

protected:
    ServerClient() = default;
    ~ServerClient() = default;
};

/// What servers of all kinds are asked for.
struct ServingOptions {
    int backlog;
    std::optional<std::size_t> max_connections;
};

/// Listens on some sockets, accepts, and knows the connections that are open. Counted: by handles,
/// by its clients, and by itself as long as it listens.
class ServerCore : public lowlevel::LoopResource {
public:
    /// ValueError if no connection would be allowed.
    ServerCore(LoopIO& io, const ServingOptions& options);

    void retain() noexcept { ++references_; }
    void release() noexcept {
        if (--references_ == 0) {
            delete this;
        }
    }

    /// Before it serves: one more socket, bound; with its file, which goes when it is closed.
    void add(Socket socket, SocketFile file = SocketFile());

    void start_serving();
    void close() noexcept;
    void close_clients() noexcept;
    void abort_clients() noexcept;
    void cancel_clients() noexcept;
    void loop_closing() noexcept override;

    [[nodiscard]] bool serving() const noexcept { return serving_; }
    [[nodiscard]] bool closed() const noexcept { return closed_; }
    /// Closed, and all connections too.
    [[nodiscard]] bool finished() const noexcept { return closed_ && clients_.empty(); }
    /// Are as many connections open as may be? Then those that come wait for one to end.
    [[nodiscard]] bool full() const noexcept { return open_ >= most_; }
    [[nodiscard]] EventLoop& loop() const;
    [[nodiscard]] LoopIO& io() const noexcept { return io_; }
    [[nodiscard]] std::vector<TransportSocket> sockets() const;
    /// As Python's repr() of it.
    [[nodiscard]] std::string description() const;

    void attach(ServerClient& client) noexcept {
        clients_.push_back(client);
        ++open_;
    }
    void detach(ServerClient& client) noexcept;

    lowlevel::WaitList closed_waiters;   // in wait_closed()
    lowlevel::WaitList forever_waiters;  // in serve_forever(), one at most
    bool served_forever = false;

protected:
    virtual ~ServerCore();

    /// A connection has come. What this throws is reported.
    virtual void accepted(Socket socket, const lowlevel::SocketAddress& peer) = 0;

private:
    class Listener;

    static constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();
    [[nodiscard]] bool limited() const noexcept { return most_ != no_limit; }

    LoopIO& io_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    lowlevel::List<ServerClient, ServerClient> clients_;
    std::size_t references_ = 0;
    std::size_t open_ = 0;  // clients
    std::size_t most_;
    int backlog_;
    bool serving_ = false;
    bool closed_ = false;
};

/// Begins to serve, if that is wanted, and gives the handle. Cancelled, it closes the server:
/// nobody else could.
[[nodiscard]] Coroutine<Server> open_server(ServerRef server, bool start_serving);

}  // namespace asyncio::detail
