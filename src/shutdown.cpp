// shutdown.cpp - from the first signal to the last connection.
//
// SPDX-License-Identifier: MIT
#include <asyncio/shutdown.hpp>

#include <asyncio/lowlevel/loop_resource.hpp>
#include <asyncio/tasks.hpp>

#include <csignal>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace asyncio {

static_assert(SIGTERM == 15 && SIGINT == 2);

namespace {

/// The event of a loop.
class ShutdownEvent final : public lowlevel::LoopResource {
public:
    static Event& of(EventLoop& loop) {
        for (LoopResource& resource : loop.resources()) {
            if (auto* const found = dynamic_cast<ShutdownEvent*>(&resource)) {
                return found->event_;
            }
        }
        auto* const made = new ShutdownEvent;
        loop.resources().push_back(*made);
        return made->event_;
    }
    void loop_closing() noexcept override { delete this; }

private:
    Event event_;
};

Coroutine<> wait_closed(Server server) {
    co_await server.wait_closed();
}

/// What ends the wait for connections.
enum class End : std::uint8_t { finished, signalled, too_late };

class Shutdown {
public:
    Shutdown(Server server, SignalSet set)
        : server_(std::move(server)),
          signals_(set),
          closed_(create_task(wait_closed(server_), {.name = "wait for connections"})) {}
    Shutdown(const Shutdown&) = delete;
    Shutdown& operator=(const Shutdown&) = delete;
    ~Shutdown() {
        closed_.cancel();
        if (next_) {
            next_.cancel();
        }
    }

    /// Waits for the next signal, for the last connection, or for so long.
    Coroutine<End> wait(std::optional<Duration> limit) {
        if (!next_ || next_.done()) {
            next_ = create_task(signals_.next(), {.name = "wait for signals"});
        }
        const std::vector<AnyFuture> both{closed_, next_};
        const DoneAndPending ended =
            co_await asyncio::wait(both, {.timeout = limit, .return_when = FIRST_COMPLETED});
        if (closed_.done()) {
            co_return End::finished;
        }
        co_return ended.done.empty() ? End::too_late : End::signalled;
    }

    [[nodiscard]] int signal() const { return next_.result().value_or(0); }

private:
    Server server_;
    Signals signals_;
    Task<> closed_;
    Task<std::optional<int>> next_;
};

Coroutine<> shut_down(Shutdown& shutdown, Server server, ServeOptions options) {
    shutdown_event().set();
    server.close();
    End end = co_await shutdown.wait(options.grace);
    if (end == End::too_late) {
        server.cancel_clients();
        end = co_await shutdown.wait(options.cleanup);
    }
    if (end != End::finished) {
        server.abort_clients();
    }
    co_await server.wait_closed();
}

Coroutine<int> serve(Server server, ServeOptions options) {
    co_await server.start_serving();
    Shutdown shutdown(server, options.signals);
    // If somebody else closes the server, connections may go on as long as they like: that is for
    // him to decide.
    auto first = co_await as_result(shutdown.wait(std::nullopt));
    if (first.has_value() && first.value() == End::finished) {
        co_return 0;
    }
    if (first.has_value()) {
        const int signal = shutdown.signal();
        auto ended = co_await as_result(shut_down(shutdown, server, options));
        if (ended.has_value()) {
            co_return signal;
        }
        server.abort_clients();
        ended.get();
    }
    server.close();
    server.abort_clients();
    first.get();
    co_return 0;
}

}  // namespace

Coroutine<int> serve_until_signalled(Server server, ServeOptions options) {
    return serve(std::move(server), options);
}

Event& shutdown_event() {
    return ShutdownEvent::of(get_running_loop());
}

}  // namespace asyncio
