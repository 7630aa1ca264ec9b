// unix_endpoints.hpp - Unix sockets to connect from and to listen on, and the files of the latter.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/sockets.hpp>

#include "connect_socket.hpp"
#include "socket_file.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace asyncio::detail {

struct UnixListener {
    Socket socket;  ///< bound
    SocketFile file;
};

/// A socket to listen on at `path`, where a socket that nobody listens on any more is replaced.
/// With `mode` that is the file's, and 0 to 0777. With `cleanup` the file goes with the server.
/// Errors: OSError(EADDRINUSE) if something else is there, or a server listens.
[[nodiscard]] UnixListener bind_unix_server(std::string_view path, std::optional<int> mode,
                                            bool cleanup);

/// Removes the file at `path` if it is a socket that nobody has any more. Logs if it cannot.
void remove_stale_socket(const std::string& path);

/// ValueError unless it is a Unix stream socket.
void check_unix_stream(const Socket& socket);

/// Connects to the socket at `path`, or of that abstract name.
/// Cancellation: the socket is closed.
[[nodiscard]] Coroutine<Connected> connect_unix(std::string path);

}  // namespace asyncio::detail
