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
#include "tls_connection.hpp"
#include "unix_endpoints.hpp"

#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace asyncio::detail {

namespace {

/// A connection with TLS, as the server sees it: from the beginning of the handshake.
class AcceptedTLS final : public TLSConnection, public ServerClient {
public:
    AcceptedTLS(ServerCore& server, Connection& carrier, const TLSSettings& settings)
        : TLSConnection(carrier, default_stream_limit, settings), server_(server) {
        server_.retain();
        server_.attach(*this);
    }
    void close_client() noexcept override { close(); }
    void abort_client() noexcept override { abort(); }

private:
    ~AcceptedTLS() override { server_.release(); }
    void destroy() noexcept override { delete this; }
    void leave_server() noexcept override { server_.detach(*this); }

    ServerCore& server_;
};

class ProtocolServer final : public ServerCore {
public:
    template <class Options>
    ProtocolServer(LoopIO& io, MakeProtocol make, const Options& options,
                   std::optional<TLSSettings> tls)
        : ServerCore(io, {options.backlog, options.max_connections}),
          make_(std::move(make)),
          tls_(std::move(tls)) {}

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
        auto& carrier = *new SocketConnection(io(), std::move(socket), default_stream_limit, peer);
        if (tls_.has_value()) {
            shake_hands(carrier, std::move(protocol));
            return;
        }
        StreamHandle connection(carrier);
        std::make_shared<ProtocolTransport>(std::move(connection), std::move(protocol))
            ->begin(Future<>(), this);
    }

    void shake_hands(SocketConnection& carrier, std::shared_ptr<BaseProtocol> protocol) {
        const StreamKeep keep(carrier);
        auto& connection = *new AcceptedTLS(*this, carrier, *tls_);
        TLSConnection::HandshakeDone done;
        try {
            done = [&connection, protocol = std::move(protocol),
                    context = copy_context()](const std::exception_ptr& error) {
                if (error == nullptr) {
                    context.run([&] {
                        std::make_shared<ProtocolTransport>(StreamHandle(connection), protocol)
                            ->begin(Future<>());
                    });
                } else {
                    connection.tell_of_failed_handshake(error);
                }
            };
        } catch (const std::bad_alloc&) {
            connection.force_close(std::current_exception());
            throw;
        }
        connection.start(std::move(done));
    }

    Context context_ = copy_context();
    MakeProtocol make_;
    std::optional<TLSSettings> tls_;
};

Coroutine<Server> create(MakeProtocol make, std::vector<std::string> hosts, int port,
                         CreateServerOptions options, TLSRequest tls) {
    std::optional<TLSSettings> settings = server_tls_settings(tls);
    const std::vector<Address> addresses =
        co_await server_addresses(std::move(hosts), port, options.family);
    LoopIO& io = LoopIO::of(get_running_loop());
    const ListeningOptions listening{options.reuse_address, options.reuse_port, options.keep_alive};
    std::vector<Socket> sockets = bind_server(addresses, port, listening);
    ServerRef server(*new ProtocolServer(io, std::move(make), options, std::move(settings)));
    for (Socket& socket : sockets) {
        server->add(std::move(socket));
    }
    co_return co_await open_server(std::move(server), options.start_serving);
}

Coroutine<Server> create_on(MakeProtocol make, Socket socket, CreateServerOptions options,
                            TLSRequest tls) {
    std::optional<TLSSettings> settings = server_tls_settings(tls);
    check_stream(socket);
    LoopIO& io = LoopIO::of(get_running_loop());
    ServerRef server(*new ProtocolServer(io, std::move(make), options, std::move(settings)));
    server->add(std::move(socket));
    co_return co_await open_server(std::move(server), options.start_serving);
}

Coroutine<Server> create_at(MakeProtocol make, std::string path, CreateUnixServerOptions options,
                            TLSRequest tls) {
    std::optional<TLSSettings> settings = server_tls_settings(tls);
    UnixListener listener = bind_unix_server(path, options.mode, options.cleanup_socket);
    LoopIO& io = LoopIO::of(get_running_loop());
    ServerRef server(*new ProtocolServer(io, std::move(make), options, std::move(settings)));
    server->add(std::move(listener.socket), std::move(listener.file));
    co_return co_await open_server(std::move(server), options.start_serving);
}

Coroutine<Server> create_on_unix(MakeProtocol make, Socket socket, CreateUnixServerOptions options,
                                 TLSRequest tls) {
    std::optional<TLSSettings> settings = server_tls_settings(tls);
    check_unix_stream(socket);
    SocketFile file = options.cleanup_socket ? file_of(socket) : SocketFile();
    LoopIO& io = LoopIO::of(get_running_loop());
    ServerRef server(*new ProtocolServer(io, std::move(make), options, std::move(settings)));
    server->add(std::move(socket), std::move(file));
    co_return co_await open_server(std::move(server), options.start_serving);
}

}  // namespace

Coroutine<Server> create_protocol_server(MakeProtocol make, std::vector<std::string> hosts,
                                         int port, const CreateServerOptions& options) {
    return create(std::move(make), std::move(hosts), port, options,
                  tls_request(options.ssl, options));
}

Coroutine<Server> create_protocol_server(MakeProtocol make, Socket socket,
                                         const CreateServerOptions& options) {
    return create_on(std::move(make), std::move(socket), options,
                     tls_request(options.ssl, options));
}

Coroutine<Server> create_unix_protocol_server(MakeProtocol make, std::string path,
                                              const CreateUnixServerOptions& options) {
    return create_at(std::move(make), std::move(path), options, tls_request(options.ssl, options));
}

Coroutine<Server> create_unix_protocol_server(MakeProtocol make, Socket socket,
                                              const CreateUnixServerOptions& options) {
    return create_on_unix(std::move(make), std::move(socket), options,
                          tls_request(options.ssl, options));
}

}  // namespace asyncio::detail
