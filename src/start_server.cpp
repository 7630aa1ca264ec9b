// start_server.cpp - a server whose connections are streams, each served by a handler.
//
// SPDX-License-Identifier: MIT
#include <asyncio/contextvars.hpp>
#include <asyncio/streams.hpp>

#include "endpoints.hpp"
#include "loop_io.hpp"
#include "report.hpp"
#include "servers.hpp"
#include "socket_connection.hpp"
#include "tls_connection.hpp"
#include "unix_endpoints.hpp"

#include <cstddef>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace asyncio::detail {

using lowlevel::Callback;
using lowlevel::SocketAddress;

namespace {

class StreamServer;

// A base of a connection, so that the callback leads back to it without a pointer of its own.
struct HandlerCallback : Callback {
    using Callback::Callback;
};

/// A socket that says when its loop is closed, also after it was lost: a task may still serve it.
class AcceptedSocket : public SocketConnection {
public:
    using SocketConnection::SocketConnection;

    void loop_closing() noexcept override {
        const StreamKeep keep(*this);
        SocketConnection::loop_closing();
        loop_closed();
    }

protected:
    virtual void loop_closed() noexcept = 0;
};

/// The same of TLS.
class AcceptedTLS : public TLSConnection, public lowlevel::LoopResource {
public:
    AcceptedTLS(LoopIO& io, Connection& carrier, std::size_t limit, const TLSSettings& settings)
        : TLSConnection(carrier, limit, settings) {
        io.add(*this);
    }
    void loop_closing() noexcept override {
        const StreamKeep keep(*this);
        loop_closed();
    }

protected:
    virtual void loop_closed() noexcept = 0;
};

/// A connection of a server's, with the task that serves it: an AcceptedSocket or AcceptedTLS.
template <class Base>
class ServedConnection final : public Base, public ServerClient, private HandlerCallback {
public:
    template <class... Args>
    explicit ServedConnection(StreamServer& server, Args&&... args);

    void serve();
    /// The same, when the handshake is done.
    void serve_tls();

    void close_client() noexcept override { current().close(); }
    void abort_client() noexcept override { current().abort(); }
    void cancel_client() noexcept override {
        if (task_) {
            task_.cancel();
        } else {
            current().abort();
        }
    }

private:
    ~ServedConnection() override;
    void destroy() noexcept override { delete this; }
    void leave_server() noexcept override;
    void loop_closed() noexcept override;
    [[nodiscard]] bool served() const noexcept override { return true; }
    /// TLS over it, since start_tls().
    [[nodiscard]] Connection& current() noexcept {
        return this->successor() == nullptr ? *this : connection_of(*this->successor());
    }

    void watch(AnyFuture task) noexcept;
    void report(const char* message, std::exception_ptr error);
    static void on_done(Callback& callback);

    StreamServer& server_;
    AnyFuture task_;
};

class StreamServer final : public ServerCore {
public:
    StreamServer(LoopIO& io, StartClient start, std::size_t limit, const ServingOptions& options,
                 std::optional<TLSSettings> tls)
        : ServerCore(io, options), limit_(limit), start_(std::move(start)), tls_(std::move(tls)) {}

    [[nodiscard]] std::size_t limit() const noexcept { return limit_; }
    /// Of the one who started it.
    [[nodiscard]] const Context& context() const noexcept { return context_; }
    [[nodiscard]] const StartClient& start() const noexcept { return start_; }

private:
    ~StreamServer() override = default;
    void accepted(Socket socket, const SocketAddress& peer) override {
        if (tls_.has_value()) {
            auto& carrier = *new SocketConnection(io(), std::move(socket), limit_, peer);
            const StreamKeep keep(carrier);
            (new ServedConnection<AcceptedTLS>(*this, io(), carrier, limit_, *tls_))->serve_tls();
        } else {
            (new ServedConnection<AcceptedSocket>(*this, io(), std::move(socket), limit_, peer))
                ->serve();
        }
    }

    std::size_t limit_;
    Context context_ = copy_context();
    StartClient start_;
    std::optional<TLSSettings> tls_;
};

template <class Base>
template <class... Args>
ServedConnection<Base>::ServedConnection(StreamServer& server, Args&&... args)
    : Base(std::forward<Args>(args)...), HandlerCallback(&on_done), server_(server) {
    server.retain();  // which has the handler, whose captures its coroutine may use
    server.attach(*this);
}

template <class Base>
ServedConnection<Base>::~ServedConnection() {
    server_.release();
}

template <class Base>
void ServedConnection<Base>::leave_server() noexcept {
    server_.detach(*this);
}

template <class Base>
void ServedConnection<Base>::serve_tls() {
    TLSConnection::HandshakeDone done;
    try {
        done = [this](const std::exception_ptr& error) {
            if (error == nullptr) {
                serve();
            } else {
                this->tell_of_failed_handshake(error);
            }
        };
    } catch (const std::bad_alloc&) {
        this->force_close(std::current_exception());
        throw;
    }
    this->start(std::move(done));
}

template <class Base>
void ServedConnection<Base>::serve() {
    const StreamKeep keep(*this);
    try {
        StreamReader reader(*this);
        StreamWriter writer(*this);
        // Each in a copy of its own.
        watch(server_.context().copy().run(
            [&] { return server_.start()(*this->loop(), std::move(reader), std::move(writer)); }));
    } catch (...) {
        const std::exception_ptr error = std::current_exception();
        current().close();
        if (leaves_the_loop(error)) {
            throw;
        }
        report("Unhandled exception in client_connected_cb", error);
    }
}

template <class Base>
void ServedConnection<Base>::watch(AnyFuture task) noexcept {
    if (!task) {
        return;
    }
    task_ = std::move(task);
    this->retain();
    HandlerCallback& done = *this;
    if (task_.raw()->done()) {
        this->loop()->schedule(done);
    } else {
        task_.raw()->callbacks().push_back(done);
    }
}

template <class Base>
void ServedConnection<Base>::on_done(Callback& callback) {
    auto& self = static_cast<ServedConnection&>(static_cast<HandlerCallback&>(callback));
    const StreamKeep keep(self);
    self.release();
    const AnyFuture task = std::exchange(self.task_, AnyFuture());
    if (task.cancelled()) {
        self.current().close();
    } else if (const std::exception_ptr error = task.exception()) {
        struct Close {  // also when a SystemExit leaves the handler of exceptions
            ServedConnection& connection;
            ~Close() { connection.current().close(); }
        } close{self};
        self.report("Unhandled exception in client_connected_cb", error);
    }
}

template <class Base>
void ServedConnection<Base>::report(const char* message, std::exception_ptr error) {
    ExceptionContext context;
    set_message(context, [message] { return message; });
    context.exception = std::move(error);
    this->loop()->call_exception_handler(context);
}

template <class Base>
void ServedConnection<Base>::loop_closed() noexcept {
    if (task_) {
        if (HandlerCallback& done = *this; done.linked()) {
            done.unlink();
        }
        task_ = {};
        this->release();
    }
}

template <class Options>
ServingOptions serving(const Options& options) noexcept {
    return {options.backlog, options.max_connections};
}

Coroutine<Server> listen(StartClient start, std::vector<std::string> hosts, int port,
                         StartServerOptions options, TLSRequest tls) {
    check_limit(options.limit);
    std::optional<TLSSettings> settings = server_tls_settings(tls);
    const std::vector<Address> addresses =
        co_await server_addresses(std::move(hosts), port, options.family);
    LoopIO& io = LoopIO::of(get_running_loop());
    const ListeningOptions listening{options.reuse_address, options.reuse_port, options.keep_alive};
    std::vector<Socket> sockets = bind_server(addresses, port, listening);
    ServerRef server(*new StreamServer(io, std::move(start), options.limit, serving(options),
                                       std::move(settings)));
    for (Socket& socket : sockets) {
        server->add(std::move(socket));
    }
    co_return co_await open_server(std::move(server), options.start_serving);
}

Coroutine<Server> listen_on_socket(StartClient start, Socket socket, StartServerOptions options,
                                   TLSRequest tls) {
    check_limit(options.limit);
    std::optional<TLSSettings> settings = server_tls_settings(tls);
    check_stream(socket);
    LoopIO& io = LoopIO::of(get_running_loop());
    ServerRef server(*new StreamServer(io, std::move(start), options.limit, serving(options),
                                       std::move(settings)));
    server->add(std::move(socket));
    co_return co_await open_server(std::move(server), options.start_serving);
}

Coroutine<Server> listen_at_path(StartClient start, std::string path,
                                 StartUnixServerOptions options, TLSRequest tls) {
    check_limit(options.limit);
    std::optional<TLSSettings> settings = server_tls_settings(tls);
    UnixListener listener = bind_unix_server(path, options.mode, options.cleanup_socket);
    LoopIO& io = LoopIO::of(get_running_loop());
    ServerRef server(*new StreamServer(io, std::move(start), options.limit, serving(options),
                                       std::move(settings)));
    server->add(std::move(listener.socket), std::move(listener.file));
    co_return co_await open_server(std::move(server), options.start_serving);
}

Coroutine<Server> listen_on_unix_socket(StartClient start, Socket socket,
                                        StartUnixServerOptions options, TLSRequest tls) {
    check_limit(options.limit);
    std::optional<TLSSettings> settings = server_tls_settings(tls);
    check_unix_stream(socket);
    SocketFile file = options.cleanup_socket ? file_of(socket) : SocketFile();
    LoopIO& io = LoopIO::of(get_running_loop());
    ServerRef server(*new StreamServer(io, std::move(start), options.limit, serving(options),
                                       std::move(settings)));
    server->add(std::move(socket), std::move(file));
    co_return co_await open_server(std::move(server), options.start_serving);
}

}  // namespace

Coroutine<Server> start_stream_server(StartClient start, std::vector<std::string> hosts, int port,
                                      StartServerOptions options) {
    return listen(std::move(start), std::move(hosts), port, options,
                  tls_request(options.ssl, options));
}

Coroutine<Server> start_stream_server(StartClient start, Socket socket,
                                      StartServerOptions options) {
    return listen_on_socket(std::move(start), std::move(socket), options,
                            tls_request(options.ssl, options));
}

Coroutine<Server> start_unix_stream_server(StartClient start, std::string path,
                                           StartUnixServerOptions options) {
    return listen_at_path(std::move(start), std::move(path), options,
                          tls_request(options.ssl, options));
}

Coroutine<Server> start_unix_stream_server(StartClient start, Socket socket,
                                           StartUnixServerOptions options) {
    return listen_on_unix_socket(std::move(start), std::move(socket), options,
                                 tls_request(options.ssl, options));
}

}  // namespace asyncio::detail
