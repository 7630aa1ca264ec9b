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
#include "unix_endpoints.hpp"

#include <algorithm>
#include <cstddef>
#include <exception>
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

/// A connection of a server's, with the task that serves it.
class ServedConnection final : public SocketConnection,
                               public ServerClient,
                               private HandlerCallback {
public:
    ServedConnection(Socket socket, const SocketAddress& peer, StreamServer& server);

    void serve();

    void close_client() noexcept override { close(); }
    void abort_client() noexcept override { abort(); }
    void loop_closing() noexcept override;

    using SocketConnection::operator new;
    using SocketConnection::operator delete;

private:
    ~ServedConnection() override;
    void destroy() noexcept override { delete this; }
    void leave_server() noexcept override;

    void watch(AnyFuture task) noexcept;
    void report(std::exception_ptr error);
    static void on_done(Callback& callback);

    StreamServer& server_;
    AnyFuture task_;
};

class StreamServer final : public ServerCore {
public:
    StreamServer(LoopIO& io, StartClient start, std::size_t limit, int backlog)
        : ServerCore(io, backlog), limit_(limit), start_(std::move(start)) {}

    [[nodiscard]] std::size_t limit() const noexcept { return limit_; }
    /// Of the one who started it.
    [[nodiscard]] const Context& context() const noexcept { return context_; }
    [[nodiscard]] const StartClient& start() const noexcept { return start_; }

private:
    ~StreamServer() override = default;
    void accepted(Socket socket, const SocketAddress& peer) override {
        auto* const connection = new ServedConnection(std::move(socket), peer, *this);
        connection->serve();
    }

    std::size_t limit_;
    Context context_ = copy_context();
    StartClient start_;
};

ServedConnection::ServedConnection(Socket socket, const SocketAddress& peer, StreamServer& server)
    : SocketConnection(server.io(), std::move(socket), server.limit(), peer),
      HandlerCallback(&on_done),
      server_(server) {
    server.retain();  // which has the handler, whose captures its coroutine may use
    server.attach(*this);
}

ServedConnection::~ServedConnection() {
    server_.release();
}

void ServedConnection::leave_server() noexcept {
    server_.detach(*this);
}

void ServedConnection::serve() {
    const StreamKeep keep(*this);
    try {
        StreamReader reader(*this);
        StreamWriter writer(*this);
        // Each in a copy of its own.
        watch(server_.context().copy().run(
            [&] { return server_.start()(*loop(), std::move(reader), std::move(writer)); }));
    } catch (...) {
        const std::exception_ptr error = std::current_exception();
        close();
        if (leaves_the_loop(error)) {
            throw;
        }
        report(error);
    }
}

void ServedConnection::watch(AnyFuture task) noexcept {
    if (!task) {
        return;
    }
    task_ = std::move(task);
    retain();
    HandlerCallback& done = *this;
    if (task_.raw()->done()) {
        loop()->schedule(done);
    } else {
        task_.raw()->callbacks().push_back(done);
    }
}

void ServedConnection::on_done(Callback& callback) {
    auto& self = static_cast<ServedConnection&>(static_cast<HandlerCallback&>(callback));
    const StreamKeep keep(self);
    self.release();
    const AnyFuture task = std::exchange(self.task_, AnyFuture());
    if (task.cancelled()) {
        self.close();
    } else if (const std::exception_ptr error = task.exception()) {
        struct Close {  // also when a SystemExit leaves the handler of exceptions
            ServedConnection& connection;
            ~Close() { connection.close(); }
        } close{self};
        self.report(error);
    }
}

void ServedConnection::report(std::exception_ptr error) {
    ExceptionContext context;
    set_message(context, [] { return "Unhandled exception in client_connected_cb"; });
    context.exception = std::move(error);
    loop()->call_exception_handler(context);
}

void ServedConnection::loop_closing() noexcept {
    const StreamKeep keep(*this);
    SocketConnection::loop_closing();
    if (task_) {
        if (HandlerCallback& done = *this; done.linked()) {
            done.unlink();
        }
        task_ = {};
        release();
    }
}

void check_limit(std::size_t limit) {
    if (limit == 0) {
        raise_value_error("Limit cannot be <= 0");
    }
}

Coroutine<Server> serve(ServerRef server, bool start_serving) {
    if (start_serving) {
        server->start_serving();
        const Result<void> waited = co_await as_result(sleep(0));
        if (!waited.has_value()) {  // cancelled: nobody gets a handle to close it
            server->close();
            std::rethrow_exception(waited.error());
        }
    }
    co_return Server(*server);
}

}  // namespace

Coroutine<Server> start_stream_server(StartClient start, std::vector<std::string> hosts, int port,
                                      StartServerOptions options) {
    check_limit(options.limit);
    std::vector<Address> addresses;
    if (hosts.empty()) {
        addresses = all_interfaces(port, options.family);
    }
    for (const std::string& host : hosts) {
        const AddressInfoOptions wanted = stream_addresses(options.family, 0);
        const std::vector<AddressInfo> infos = co_await getaddrinfo(host, port, wanted);
        for (const AddressInfo& info : infos) {
            if (std::find(addresses.begin(), addresses.end(), info.address) == addresses.end()) {
                addresses.push_back(info.address);
            }
        }
    }
    LoopIO& io = LoopIO::of(get_running_loop());
    const ListeningOptions listening{options.reuse_address, options.reuse_port, options.keep_alive};
    std::vector<Socket> sockets = bind_server(addresses, port, listening);
    ServerRef server(*new StreamServer(io, std::move(start), options.limit, options.backlog));
    for (Socket& socket : sockets) {
        server->add(std::move(socket));
    }
    co_return co_await serve(std::move(server), options.start_serving);
}

Coroutine<Server> start_unix_stream_server(StartClient start, std::string path,
                                           StartUnixServerOptions options) {
    check_limit(options.limit);
    UnixListener listener = bind_unix_server(path, options.mode, options.cleanup_socket);
    LoopIO& io = LoopIO::of(get_running_loop());
    ServerRef server(*new StreamServer(io, std::move(start), options.limit, options.backlog));
    server->add(std::move(listener.socket), std::move(listener.file));
    co_return co_await serve(std::move(server), options.start_serving);
}

Coroutine<Server> start_unix_stream_server(StartClient start, Socket socket,
                                           StartUnixServerOptions options) {
    check_limit(options.limit);
    check_unix_stream(socket);
    SocketFile file = options.cleanup_socket ? file_of(socket) : SocketFile();
    LoopIO& io = LoopIO::of(get_running_loop());
    ServerRef server(*new StreamServer(io, std::move(start), options.limit, options.backlog));
    server->add(std::move(socket), std::move(file));
    co_return co_await serve(std::move(server), options.start_serving);
}

}  // namespace asyncio::detail
