// create_server.cpp - a server that makes a protocol for each connection.
//
// SPDX-License-Identifier: MIT
#include <asyncio/contextvars.hpp>
#include <asyncio/transports.hpp>

#include "endpoints.hpp"
#include "loop_io.hpp"
#include "protocol_transport.hpp"
#include "servers.hpp"
#include "socket_connection.hpp"
#include "unix_endpoints.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace asyncio::detail {

namespace {

class ProtocolServer final : public ServerCore {
public:
    template <class Options>
    ProtocolServer(LoopIO& io, MakeProtocol make, const Options& options)
        : ServerCore(io, {options.backlog, options.max_connections}), make_(std::move(make)) {}

private:
    ~ProtocolServer() override = default;

    // Each in a copy of the context of the one who started the server.
    void accepted(Socket socket, const lowlevel::SocketAddress& peer) override {
        context_.copy().run([&] { connect(std::move(socket), peer); });
    }
    void connect(Socket socket, const lowlevel::SocketAddress& peer) {
        std::shared_ptr<BaseProtocol> protocol = make_();
        if (protocol == nullptr) {
            raise_value_error("the protocol factory gave no protocol");
        }
        StreamHandle connection(
            *new SocketConnection(io(), std::move(socket), default_stream_limit, peer));
        std::make_shared<ProtocolTransport>(std::move(connection), std::move(protocol))
            ->begin(Future<>(), this);
    }

    Context context_ = copy_context();
    MakeProtocol make_;
};

Coroutine<Server> create(MakeProtocol make, std::vector<std::string> hosts, int port,
                         CreateServerOptions options) {
    const std::vector<Address> addresses =
        co_await server_addresses(std::move(hosts), port, options.family);
    LoopIO& io = LoopIO::of(get_running_loop());
    const ListeningOptions listening{options.reuse_address, options.reuse_port, options.keep_alive};
    std::vector<Socket> sockets = bind_server(addresses, port, listening);
    ServerRef server(*new ProtocolServer(io, std::move(make), options));
    for (Socket& socket : sockets) {
        server->add(std::move(socket));
    }
    co_return co_await open_server(std::move(server), options.start_serving);
}

Coroutine<Server> create_on(MakeProtocol make, Socket socket, CreateServerOptions options) {
    check_stream(socket);
    LoopIO& io = LoopIO::of(get_running_loop());
    ServerRef server(*new ProtocolServer(io, std::move(make), options));
    server->add(std::move(socket));
    co_return co_await open_server(std::move(server), options.start_serving);
}

Coroutine<Server> create_at(MakeProtocol make, std::string path, CreateUnixServerOptions options) {
    UnixListener listener = bind_unix_server(path, options.mode, options.cleanup_socket);
    LoopIO& io = LoopIO::of(get_running_loop());
    ServerRef server(*new ProtocolServer(io, std::move(make), options));
    server->add(std::move(listener.socket), std::move(listener.file));
    co_return co_await open_server(std::move(server), options.start_serving);
}

Coroutine<Server> create_on_unix(MakeProtocol make, Socket socket,
                                 CreateUnixServerOptions options) {
    check_unix_stream(socket);
    SocketFile file = options.cleanup_socket ? file_of(socket) : SocketFile();
    LoopIO& io = LoopIO::of(get_running_loop());
    ServerRef server(*new ProtocolServer(io, std::move(make), options));
    server->add(std::move(socket), std::move(file));
    co_return co_await open_server(std::move(server), options.start_serving);
}

}  // namespace

Coroutine<Server> create_protocol_server(MakeProtocol make, std::vector<std::string> hosts,
                                         int port, const CreateServerOptions& options) {
    return create(std::move(make), std::move(hosts), port, options);
}

Coroutine<Server> create_protocol_server(MakeProtocol make, Socket socket,
                                         const CreateServerOptions& options) {
    return create_on(std::move(make), std::move(socket), options);
}

Coroutine<Server> create_unix_protocol_server(MakeProtocol make, std::string path,
                                              const CreateUnixServerOptions& options) {
    return create_at(std::move(make), std::move(path), options);
}

Coroutine<Server> create_unix_protocol_server(MakeProtocol make, Socket socket,
                                              const CreateUnixServerOptions& options) {
    return create_on_unix(std::move(make), std::move(socket), options);
}

}  // namespace asyncio::detail
