// unix_endpoints.cpp - Unix sockets to connect from and to listen on, and the files of the latter.
//
// SPDX-License-Identifier: MIT
#include "unix_endpoints.hpp"

#include "addresses.hpp"

#include <cerrno>
#include <utility>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace asyncio::detail {

// --------------------------------------------------------------------------------- listening

// Does a process listen there, or wait for datagrams? Only connecting tells; whoever listens sees a
// connection that ends at once.
static bool somebody_listens(const Address& address) {
    const Socket probe(AddressFamily::unix_);
    const lowlevel::SocketAddress& raw = address.raw();
    return ::connect(probe.fileno(), reinterpret_cast<const sockaddr*>(raw.storage), raw.size) ==
               0 ||
           errno != ECONNREFUSED;
}

// CPython removes every socket that it finds there, also one that another server listens on, which
// then goes on without ever getting a connection.
void remove_stale_socket(const std::string& path) {
    struct ::stat status{};
    if (::stat(path.c_str(), &status) != 0) {
        if (errno != ENOENT) {
            log_socket_file("check or remove stale", path, errno);
        }
        return;
    }
    if (!S_ISSOCK(status.st_mode) || somebody_listens(Address::from_path(path))) {
        return;  // bind() says that it is in use
    }
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
        log_socket_file("check or remove stale", path, errno);  // the directory may not allow it
    }
}

static void bind_to(const Socket& socket, const Address& address) {
    try {
        socket.bind(address);
    } catch (const OSError& error) {
        if (error.error_number() == EADDRINUSE) {
            raise_os_error(EADDRINUSE, "Address " + python_address(address) + " is already in use");
        }
        throw;
    }
}

UnixListener bind_unix_server(std::string_view path, std::optional<int> mode, bool cleanup) {
    const Address address = Address::from_path(path);
    const bool has_file = !path.empty() && path.front() != '\0';
    const std::string name(path);
    if (mode.has_value() && (*mode & ~0777) != 0) {
        raise_value_error("mode must be 0 to 0777");
    }
    UnixListener listener;
    listener.socket = Socket(AddressFamily::unix_);
    if (has_file) {
        remove_stale_socket(name);
    }
    bind_to(listener.socket, address);
    if (has_file) {
        listener.file = SocketFile(name);  // until it is known that it is to stay
        // Nobody can connect yet: it does not listen.
        if (mode.has_value() && ::chmod(name.c_str(), static_cast<mode_t>(*mode)) != 0) {
            raise_os_error(errno, "chmod '" + name + "'");
        }
        if (!cleanup) {
            listener.file.keep();
        }
    }
    return listener;
}

void check_unix_stream(const Socket& socket) {
    if (socket.family() != AddressFamily::unix_ || socket.type() != SocketType::stream) {
        raise_value_error("A UNIX Domain Stream Socket was expected");
    }
}

// -------------------------------------------------------------------------------- connecting

Coroutine<Connected> connect_unix(std::string path) {
    const Address address = Address::from_path(path);
    Socket socket(AddressFamily::unix_);
    co_await sock_connect(socket, address);
    co_return Connected{std::move(socket), address};
}

}  // namespace asyncio::detail
