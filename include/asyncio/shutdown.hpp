// shutdown.hpp - servers that end when they are told to, and let their clients finish.
//
// Nothing of Python's: docs/beyond.md.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/detail/config.hpp>
#include <asyncio/locks.hpp>
#include <asyncio/servers.hpp>
#include <asyncio/signals.hpp>
#include <asyncio/time.hpp>

#include <optional>

namespace asyncio {

/// Keyword arguments of serve_until_signalled().
struct ServeOptions {
    SignalSet signals = {15, 2};  ///< SIGTERM and SIGINT
    /// How long connections may take to end by themselves; nullopt: as long as they like.
    std::optional<Duration> grace = Duration(30);
    /// How long those that were cancelled may take to clean up.
    Duration cleanup = Duration(5);
};
static_assert(detail::trivially_destructible<ServeOptions>);

/// Serves until the process gets one of the signals, or somebody closes the server. Then it
///
/// 1. stops listening, and sets shutdown_event();
/// 2. waits for the connections to end, for `grace`;
/// 3. cancels the tasks that serve those that are left, and waits for `cleanup`;
/// 4. drops what is left then.
///
/// A second signal goes to step 4 at once.
///
///     Server server = co_await start_server(handler, "", 8080);
///     co_await serve_until_signalled(server, {.grace = 10s});
///
/// Returns the signal that ended it; 0 if somebody closed the server.
/// Cancellation: closes the server and drops its connections.
/// Errors:       RuntimeError if the server is closed already, and as add_signal_handler()'s.
[[nodiscard]] Coroutine<int> serve_until_signalled(Server server, ServeOptions options = {});

/// Set when the running loop's servers begin to shut down. A handler that keeps its connection
/// looks at it before it waits for the next request; one that has nothing else to do waits for it.
[[nodiscard]] Event& shutdown_event();

}  // namespace asyncio
