// servers.cpp - listening and accepting, and how a server ends.
//
// SPDX-License-Identifier: MIT
#include <asyncio/servers.hpp>

#include <asyncio/log.hpp>
#include <asyncio/tasks.hpp>

#include "addresses.hpp"
#include "report.hpp"
#include "servers.hpp"

#include <cerrno>
#include <new>
#include <utility>

namespace asyncio {

using lowlevel::Callback;
using lowlevel::Opcode;
using lowlevel::Operation;
using lowlevel::SocketAddress;

namespace detail {

// How long nothing is accepted after the process or the system was out of descriptors or memory.
static constexpr int accept_retry_delay = 1;  // s

// The connection had ended, or could not be made: the next one may be better (accept(2)).
static bool concerns_one_connection(int error) noexcept {
    switch (error) {
        case ECONNABORTED:
        case EPROTO:
        case EPERM:
        case EINTR:
        case EAGAIN:
        case ENETDOWN:
        case ENETUNREACH:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case EHOSTUNREACH:
        case ENONET:
        case ETIMEDOUT:
            return true;
        default:
            return false;
    }
}

static bool out_of_resources(int error) noexcept {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/// A listening socket, and the operation that accepts. It keeps the server while that is under way
/// or is to be tried again.
class ServerCore::Listener final : public Operation {
public:
    Listener(ServerCore& server, Socket socket, SocketFile file) noexcept
        : Operation(&on_accept, Opcode::accept, socket.fileno()),
          socket_(std::move(socket)),
          file_(std::move(file)),
          server_(server),
          retry_(*this) {
        address = &peer_;
    }
    ~Listener() = default;

    [[nodiscard]] const Socket& socket() const noexcept { return socket_; }

    /// Waits for the next connection, unless there may be no more for now. With a limit only for
    /// it to come: what has been accepted cannot be put back.
    void start() noexcept {
        held_ = server_.full();
        if (held_) {
            return;
        }
        opcode = server_.limited() ? Opcode::poll_in : Opcode::accept;
        server_.retain();
        under_way_ = true;
        server_.io_.loop()->start(*this);
    }

    /// A connection has ended.
    void go_on() noexcept {
        if (held_) {
            start();
        }
    }

    void close() noexcept {
        if (under_way_) {
            server_.io_.loop()->cancel(*this);
        }
        stop_waiting();
        socket_.close();
        file_.remove();
    }

    /// Its loop is being closed: nothing completes any more.
    void drop() noexcept {
        if (linked()) {
            unlink();
        }
        if (under_way_ && completed && result >= 0 && opcode == Opcode::accept) {
            server_.io_.close(static_cast<int>(result));
        }
        stop_waiting();
        socket_.close();
        file_.remove();
        if (std::exchange(under_way_, false)) {
            server_.release();
        }
    }

private:
    struct Retry : Callback {
        explicit Retry(Listener& listener) noexcept
            : Callback(&Listener::on_retry), listener(listener) {}
        Listener& listener;
        bool waits = false;
    };

    static void on_accept(Callback& callback) {
        auto& self = static_cast<Listener&>(static_cast<Operation&>(callback));
        const ServerRef keep(self.server_);
        self.under_way_ = false;
        self.server_.release();
        try {
            self.accept_pending();
        } catch (...) {  // a SystemExit leaves the loop, which may be run again
            const std::exception_ptr error = std::current_exception();
            if (!self.server_.closed_ && !self.under_way_ && !self.retry_.waits && !self.held_) {
                self.start();
            }
            if (leaves_the_loop(error)) {
                throw;
            }
            log_error("a server could not report what it met: ", error);
        }
    }

    static void on_retry(Callback& callback) {
        auto& retry = static_cast<Retry&>(callback);
        retry.waits = false;
        retry.listener.start();
        retry.listener.server_.release();
    }

    // What one wake-up accepts is bounded: by the backlog, and by what the proactor lets through.
    void accept_pending() {
        if (std::exchange(opcode, Opcode::accept) == Opcode::poll_in && result >= 0) {
            if (server_.closed_ || server_.full()) {
                held_ = !server_.closed_;
                return;
            }
            if (!server_.io_.loop()->attempt(*this)) {
                result = server_.io_.loop()->call(*this);
            }
        }
        for (int count = 0;; ++count) {
            if (result >= 0) {
                reported_ = false;
                hand_over();
            } else if (!server_.closed_ && !concerns_one_connection(static_cast<int>(-result))) {
                try_later(static_cast<int>(-result));
                return;
            }
            if (server_.closed_) {
                return;
            }
            if (count == server_.backlog_ || server_.full() ||
                !server_.io_.loop()->attempt(*this)) {
                start();
                return;
            }
        }
    }

    void hand_over() {
        Socket connection(server_.io_, static_cast<int>(result));
        if (server_.closed_) {
            return;
        }
        try {
            server_.accepted(std::move(connection), peer_);
        } catch (...) {
            const std::exception_ptr error = std::current_exception();
            if (leaves_the_loop(error)) {
                throw;
            }
            report("Error on transport creation for incoming connection", error);
        }
    }

    // One report, until something has been accepted again.
    void try_later(int error) {
        EventLoop& loop = *server_.io_.loop();
        try {
            loop.arm(retry_, after(loop.time(), accept_retry_delay));
        } catch (const std::bad_alloc&) {
            start();
            return;
        }
        server_.retain();
        retry_.waits = true;
        if (!std::exchange(reported_, true)) {
            report(out_of_resources(error) ? "socket.accept() out of system resource"
                                           : "socket.accept() failed",
                   make_os_error(error, "accept on " + socket_.getsockname().to_string()));
        }
    }

    void stop_waiting() noexcept {
        if (std::exchange(retry_.waits, false)) {
            server_.io_.loop()->withdraw(retry_);
            server_.release();
        }
    }

    void report(const char* message, std::exception_ptr error) const {
        ExceptionContext context;
        set_message(context, [message] { return message; });
        context.exception = std::move(error);
        context.socket = &socket_;
        server_.io_.loop()->call_exception_handler(context);
    }

    Socket socket_;
    SocketFile file_;
    ServerCore& server_;
    SocketAddress peer_;
    Retry retry_;
    bool under_way_ = false;
    bool held_ = false;  // until a connection has ended
    bool reported_ = false;
};

// -------------------------------------------------------------------------------- ServerCore

ServerCore::ServerCore(LoopIO& io, const ServingOptions& options)
    : io_(io), most_(options.max_connections.value_or(no_limit)), backlog_(options.backlog) {
    if (most_ == 0) {
        raise_value_error("max_connections must be positive");
    }
    io.retain();
    io.add(*this);
}

ServerCore::~ServerCore() {
    listeners_.clear();
    io_.release();
}

void ServerCore::add(Socket socket, SocketFile file) {
    listeners_.push_back(std::make_unique<Listener>(*this, std::move(socket), std::move(file)));
}

EventLoop& ServerCore::loop() const {
    if (io_.loop() == nullptr) {
        raise_runtime_error("Event loop is closed");
    }
    return *io_.loop();
}

void ServerCore::start_serving() {
    if (closed_) {
        throw RuntimeError("server " + description() + " is closed");
    }
    if (serving_) {
        return;
    }
    for (const auto& listener : listeners_) {
        listener->socket().listen(backlog_);
    }
    serving_ = true;
    for (const auto& listener : listeners_) {
        listener->start();
    }
}

void ServerCore::close() noexcept {
    if (std::exchange(closed_, true)) {
        return;
    }
    const ServerRef keep(*this);
    serving_ = false;
    for (const auto& listener : listeners_) {
        listener->close();
    }
    forever_waiters.wake_all();
    if (clients_.empty()) {
        closed_waiters.wake_all();
    }
}

void ServerCore::close_clients() noexcept {
    for (ServerClient& client : clients_) {
        client.close_client();
    }
}

void ServerCore::abort_clients() noexcept {
    for (ServerClient& client : clients_) {
        client.abort_client();
    }
}

void ServerCore::cancel_clients() noexcept {
    for (ServerClient& client : clients_) {
        client.cancel_client();
    }
}

void ServerCore::detach(ServerClient& client) noexcept {
    client.unlink();
    const bool was_full = open_-- >= most_;
    if (finished()) {
        closed_waiters.wake_all();
    } else if (was_full && serving_) {
        for (const auto& listener : listeners_) {
            listener->go_on();
        }
    }
}

// Waiting tasks are not woken: they are about to be destroyed.
void ServerCore::loop_closing() noexcept {
    const ServerRef keep(*this);
    closed_ = true;
    serving_ = false;
    for (const auto& listener : listeners_) {
        listener->drop();
    }
}

std::vector<TransportSocket> ServerCore::sockets() const {
    std::vector<TransportSocket> sockets;
    if (!closed_) {
        for (const auto& listener : listeners_) {
            sockets.emplace_back(listener->socket());
        }
    }
    return sockets;
}

static const char* family_number(AddressFamily family) noexcept {
    return family == AddressFamily::ipv4 ? "2" : family == AddressFamily::ipv6 ? "10" : "1";
}

std::string ServerCore::description() const {
    std::string list;
    const std::vector<TransportSocket> all = sockets();
    for (const TransportSocket& socket : all) {
        list += list.empty() ? "" : ", ";
        list += "<asyncio.TransportSocket fd=" + std::to_string(socket.fileno()) +
                ", family=" + family_number(socket.family()) +
                ", type=1, proto=" + std::to_string(socket.proto()) +
                ", laddr=" + python_address(socket.getsockname()) + ">";
    }
    return "<Server sockets=(" + list + (all.size() == 1 ? ",)>" : ")>");
}

// ------------------------------------------------------------------------------------ waiting

ServerRef::ServerRef(ServerCore& core) noexcept : core_(&core) {
    core.retain();
}

ServerRef::~ServerRef() {
    core_->release();
}

WaitClosedAwaiter ServerClosed::operator co_await() const noexcept {
    return {server_->finished(), server_->closed_waiters, nullptr, "server"};
}

namespace {

/// Waits until the server is closed, which ends in a CancelledError as a cancellation does.
class ForeverAwaiter final : public lowlevel::ListWaiter {
public:
    explicit ForeverAwaiter(ServerCore& core) noexcept : core_(core) {}

    bool await_ready() const noexcept { return false; }
    template <class P>
    void await_suspend(std::coroutine_handle<P>) noexcept {
        core_.forever_waiters.park(lowlevel::running_task(), *this);
    }
    std::exception_ptr await_resume() const {
        std::exception_ptr cancelled = lowlevel::running_task().take_interrupt();
        return cancelled != nullptr ? cancelled : std::make_exception_ptr(CancelledError());
    }
    [[nodiscard]] const char* reason() const noexcept override { return "server"; }

private:
    ServerCore& core_;
};

class [[nodiscard]] Forever {
public:
    static constexpr bool awaited_by_value = true;

    explicit Forever(ServerCore& core) noexcept : core_(core) {}
    ForeverAwaiter operator co_await() const noexcept { return ForeverAwaiter(core_); }

private:
    ServerCore& core_;
};

Coroutine<> serve_until_closed(ServerRef core) {
    if (core->served_forever) {
        throw RuntimeError("server " + core->description() +
                           " is already being awaited on serve_forever()");
    }
    core->start_serving();
    struct Mark {
        ServerCore& core;
        ~Mark() { core.served_forever = false; }
    } mark{*core};
    core->served_forever = true;
    const std::exception_ptr cancelled = co_await Forever(*core);
    core->close();
    core->close_clients();
    const Result<void> closed = co_await as_result(ServerClosed(core));
    static_cast<void>(closed);  // a second cancellation ends the wait
    std::rethrow_exception(cancelled);
}

Coroutine<> begin_serving(ServerRef core) {
    core->start_serving();
    co_await sleep(0);
}

Coroutine<bool> close_and_wait(ServerRef core) {
    core->close();
    co_await ServerClosed(core);
    co_return false;
}

}  // namespace

Coroutine<Server> open_server(ServerRef server, bool start_serving) {
    if (start_serving) {
        server->start_serving();
        const Result<void> waited = co_await as_result(sleep(0));
        if (!waited.has_value()) {
            server->close();
            std::rethrow_exception(waited.error());
        }
    }
    co_return Server(*server);
}

std::vector<std::string> one_host(std::string_view host) {
    return host.empty() ? std::vector<std::string>() : std::vector{std::string(host)};
}

}  // namespace detail

// ------------------------------------------------------------------------------------ Server

std::vector<TransportSocket> Server::sockets() const {
    return core_->sockets();
}

std::vector<Address> Server::addresses() const {
    std::vector<Address> addresses;
    for (const TransportSocket& socket : core_->sockets()) {
        addresses.push_back(socket.getsockname());
    }
    return addresses;
}

Coroutine<> Server::start_serving() const {
    return detail::begin_serving(core_);
}
bool Server::is_serving() const noexcept {
    return core_->serving();
}
Coroutine<> Server::serve_forever() const {
    return detail::serve_until_closed(core_);
}
void Server::close() const noexcept {
    core_->close();
}
void Server::close_clients() const noexcept {
    core_->close_clients();
}
void Server::abort_clients() const noexcept {
    core_->abort_clients();
}
void Server::cancel_clients() const noexcept {
    core_->cancel_clients();
}
EventLoop& Server::get_loop() const {
    return core_->loop();
}
Coroutine<bool> Server::aexit(std::exception_ptr) {
    return detail::close_and_wait(core_);
}

}  // namespace asyncio
