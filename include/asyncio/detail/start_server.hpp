// start_server.hpp - how start_server() calls whatever handler it was given.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/detail/function.hpp>
#include <asyncio/tasks.hpp>

#include <concepts>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace asyncio {

class Server;
class Socket;
class StreamReader;
class StreamWriter;
struct StartServerOptions;
struct StartUnixServerOptions;

namespace detail {

/// Begins to serve a client; the future of what serves it, empty if that is done.
using StartClient = UniqueFunction<AnyFuture(EventLoop&, StreamReader, StreamWriter)>;

template <class Handler>
StartClient make_start_client(Handler&& handler) {
    using H = std::decay_t<Handler>;
    return [handler = H(std::forward<Handler>(handler))](EventLoop& loop, auto reader,
                                                         auto writer) mutable -> AnyFuture {
        using R = std::invoke_result_t<H&, StreamReader, StreamWriter>;
        if constexpr (std::is_base_of_v<AnyFuture, std::remove_cvref_t<R>>) {
            return handler(std::move(reader), std::move(writer));
        } else if constexpr (Awaitable<R>) {
            return loop.create_task(handler(std::move(reader), std::move(writer)));
        } else {
            static_cast<void>(handler(std::move(reader), std::move(writer)));
            return {};
        }
    };
}

/// No host: all interfaces.
[[nodiscard]] Coroutine<Server> start_stream_server(StartClient start,
                                                    std::vector<std::string> hosts, int port,
                                                    StartServerOptions options);

[[nodiscard]] Coroutine<Server> start_stream_server(StartClient start, Socket socket,
                                                    StartServerOptions options);

[[nodiscard]] Coroutine<Server> start_unix_stream_server(StartClient start, std::string path,
                                                         StartUnixServerOptions options);
[[nodiscard]] Coroutine<Server> start_unix_stream_server(StartClient start, Socket socket,
                                                         StartUnixServerOptions options);

template <class Handler>
concept ClientHandler = std::copy_constructible<std::decay_t<Handler>> &&
                        std::is_invocable_v<std::decay_t<Handler>&, StreamReader, StreamWriter>;

}  // namespace detail

}  // namespace asyncio
