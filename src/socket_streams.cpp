// socket_streams.cpp - streams over sockets: a connection, how one is made, and how a server makes
// them.
//
// SPDX-License-Identifier: MIT
#include <asyncio/streams.hpp>

#include <asyncio/detail/blocks.hpp>
#include <asyncio/detail/config.hpp>
#include <asyncio/log.hpp>

#include "servers.hpp"
#include "sockets.hpp"
#include "streams.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace asyncio {

using lowlevel::Callback;
using lowlevel::Opcode;
using lowlevel::Operation;
using lowlevel::SocketAddress;

namespace detail {

namespace {

// Of operations that are attempted: these run no callback.
void run_nothing(Callback&) {}

/// An address in less memory: there are two in each connection. Longer ones (Unix sockets with a
/// path) are forgotten.
class ShortAddress {
public:
    explicit ShortAddress(const SocketAddress& raw) noexcept {
        if (raw.size <= bytes_.size()) {
            std::memcpy(bytes_.data(), raw.storage, raw.size);
            size_ = static_cast<std::uint8_t>(raw.size);
        }
    }
    [[nodiscard]] Address get() const noexcept {
        SocketAddress raw;
        std::memcpy(raw.storage, bytes_.data(), size_);
        raw.size = size_;
        return Address(raw);
    }

private:
    std::array<unsigned char, sizeof(sockaddr_in6)> bytes_{};
    std::uint8_t size_ = 0;
};

// Bases of a connection, so that each callback leads back to it without a pointer of its own.
struct LossCallback : Callback {
    using Callback::Callback;
};
struct InputOperation : Operation {
    using Operation::Operation;
    using Operation::set_function;
};
struct HandlerCallback : Callback {
    using Callback::Callback;
};

}  // namespace

// ------------------------------------------------------------------------- SocketConnection

/// A connected stream socket. It is kept by its handles, and by what is under way: an operation,
/// or the turn in which it becomes lost.
///
/// Nothing is received unless a task reads. A connection whose task waits has no buffer: the
/// proactor tells when there is something, which is then received into memory that the whole loop
/// shares. What the system does not take is kept in memory that is freed when it has been sent.
class SocketConnection : public Connection,
                         public LoopResource,
                         private LossCallback,
                         private InputOperation {
public:
    SocketConnection(LoopIO& io, Socket socket, std::size_t limit, const SocketAddress& peer);
    ~SocketConnection() override;

    bool receive(ReadWaiter& reader) override;
    void want_data() noexcept override;

    void write(std::string_view bytes) override;
    void write_all(std::span<const std::string_view> views) override;
    void write_eof() override;
    [[nodiscard]] bool can_write_eof() const noexcept override { return true; }
    void close() noexcept override;
    void abort() noexcept override { force_close(nullptr); }
    [[nodiscard]] std::size_t write_buffer_size() const noexcept override;
    [[nodiscard]] Address peername() const override { return peer_.get(); }
    [[nodiscard]] Address sockname() const override { return own_.get(); }
    [[nodiscard]] TransportSocket socket() const override { return TransportSocket(socket_); }

    void loop_closed() noexcept override;

    static void* operator new(std::size_t size) { return allocate_block(size); }
    static void operator delete(void* memory, std::size_t size) noexcept {
        free_block(memory, size);
    }

protected:
    [[nodiscard]] EventLoop* loop() const noexcept { return socket_.io()->loop(); }
    /// The server, if it is one's, is told that the connection is no more.
    virtual void leave_server() noexcept {}

    void destroy() noexcept override { delete this; }
    void abandoned() noexcept override;

private:
    struct Outgoing;

    void start_input(Opcode opcode) noexcept;
    void end_input() noexcept;
    bool receive_now(ReadWaiter& reader);
    bool receive_for(ReadWaiter& reader);
    void received(std::int64_t result, const char* data);
    static void on_input(Callback& callback);
    static void on_delivery(Callback& callback);

    bool refuses_writes() noexcept;
    std::int64_t send_now(Operation& operation) noexcept;
    Outgoing& outgoing();
    void start_output() noexcept;
    void sent(std::int64_t result) noexcept;
    void shut_output() const;
    static void on_output(Callback& callback);

    void fail(int error, const char* doing) noexcept;
    void force_close(std::exception_ptr error) noexcept;
    void lose_soon(std::exception_ptr error) noexcept;
    void lose(std::exception_ptr error) noexcept;
    void discard_unread() noexcept;
    static void on_loss(Callback& callback);

    Socket socket_;
    std::unique_ptr<Outgoing> outgoing_;      // what the system has not taken yet
    std::unique_ptr<char[]> receive_buffer_;  // of an operation that receives; see receive_for()
    std::exception_ptr loss_;                 // what it is about to be lost by
    ShortAddress peer_;
    ShortAddress own_;
    bool input_under_way_ = false;
    bool losing_ = false;  // it is about to be lost, or is
    bool loss_scheduled_ = false;
    bool eof_written_ = false;
};

/// What is still to be sent. While the operation is under way its bytes stay where they are; what
/// is written meanwhile is queued behind them.
struct SocketConnection::Outgoing final : Operation {
    Outgoing(SocketConnection& connection, int fd) noexcept
        : Operation(&SocketConnection::on_output, Opcode::send, fd), connection(connection) {}

    static void* operator new(std::size_t size) { return allocate_block(size); }
    static void operator delete(void* memory, std::size_t size) noexcept {
        free_block(memory, size);
    }

    SocketConnection& connection;
    std::string sending;
    std::size_t sent = 0;
    std::string queued;
    bool under_way = false;
    bool dropped = false;  // the connection was aborted
};

static SocketAddress own_address(const Socket& socket) noexcept {
    Operation operation(&run_nothing, Opcode::socket_name, socket.fileno());
    SocketAddress raw;
    operation.address = &raw;
    if (socket.io()->loop()->call(operation) < 0) {
        raw.size = 0;
    }
    return raw;
}

SocketConnection::SocketConnection(LoopIO& io, Socket socket, std::size_t limit,
                                   const SocketAddress& peer)
    : Connection(limit),
      LossCallback(&on_loss),
      InputOperation(&on_input, Opcode::poll_in, socket.fileno()),
      socket_(std::move(socket)),
      peer_(peer),
      own_(own_address(socket_)) {
    const AddressFamily family = own_.get().family();
    if (family == AddressFamily::ipv4 || family == AddressFamily::ipv6) {
        // What is written is sent at once and not held back until an earlier part is acknowledged.
        int on = 1;
        Operation operation(&run_nothing, Opcode::set_option, socket_.fileno());
        operation.argument = IPPROTO_TCP;
        operation.argument2 = TCP_NODELAY;
        operation.data = &on;
        io.loop()->call(operation);
    }
    io.add(*this);
}

SocketConnection::~SocketConnection() = default;

// -------------------------------------------------------------------------------- receiving

void SocketConnection::start_input(Opcode opcode) noexcept {
    InputOperation& input = *this;
    input.opcode = opcode;
    input.set_function(&on_input);
    input_under_way_ = true;
    retain();
    loop()->start(input);
}

void SocketConnection::end_input() noexcept {
    input_under_way_ = false;
    release();
}

void SocketConnection::want_data() noexcept {
    if (!input_under_way_ && !closing_ && !ended()) {
        start_input(Opcode::poll_in);
    }
}

bool SocketConnection::receive(ReadWaiter& reader) {
    return !input_under_way_ && !closing_ && !ended() && receive_now(reader);
}

// True if the system had something to say.
bool SocketConnection::receive_now(ReadWaiter& reader) {
    const std::span<char> own = direct(reader);
    Operation operation(&run_nothing, Opcode::recv, socket_.fileno());
    operation.data = own.empty() ? socket_.io()->scratch() : own.data();
    operation.size = own.empty() ? receive_size(reader, LoopIO::scratch_size) : own.size();
    if (!loop()->attempt(operation)) {
        return false;
    }
    if (!own.empty() && operation.result > 0) {
        fed_directly(reader, static_cast<std::size_t>(operation.result));
    } else {
        received(operation.result, static_cast<const char*>(operation.data));
    }
    return true;
}

void SocketConnection::received(std::int64_t result, const char* data) {
    if (result > 0) {
        feed_data({data, static_cast<std::size_t>(result)});
    } else if (result == 0) {
        feed_eof();
    } else {
        fail(static_cast<int>(-result), "receive from ");
    }
}

// There is something to receive. The task that waits is to run in the next turn, as in CPython,
// which receives now and then schedules it. Here it is received when its turn has come, just before
// it runs: then a thousand connections that are ready at once need no thousand buffers, and what
// was received is still in the cache when the task looks at it.
void SocketConnection::on_input(Callback& callback) {
    auto& input = static_cast<InputOperation&>(static_cast<Operation&>(callback));
    auto& self = static_cast<SocketConnection&>(input);
    if (input.opcode == Opcode::poll_in && input.result >= 0 && !self.closing_ &&
        self.reader() != nullptr) {
        input.set_function(&on_delivery);
        self.loop()->schedule(input);
        return;
    }
    const StreamKeep keep(self);
    self.end_input();
    if (self.closing_) {
        return;
    }
    if (input.opcode == Opcode::poll_in) {
        if (input.result < 0) {
            self.fail(static_cast<int>(-input.result), "wait for ");
        }
        return;  // otherwise its reader was cancelled
    }
    const std::unique_ptr<char[]> buffer = std::move(self.receive_buffer_);
    try {
        self.received(input.result, buffer.get());
        if (self.reader_waits() && !self.closing_) {
            self.start_input(Opcode::poll_in);
        }
    } catch (...) {  // no memory
        self.force_close(std::current_exception());
    }
}

void SocketConnection::on_delivery(Callback& callback) {
    auto& self = static_cast<SocketConnection&>(
        static_cast<InputOperation&>(static_cast<Operation&>(callback)));
    const StreamKeep keep(self);
    self.end_input();
    if (!self.reader_waits() || self.closing_) {
        return;
    }
    ReadWaiter& reader = *self.reader();
    bool satisfied = false;
    try {
        satisfied = self.receive_for(reader);
    } catch (...) {  // no memory
        self.force_close(std::current_exception());
    }
    if (satisfied) {
        run_task(reader);
    }
}

// True if the task may run; otherwise more is waited for. An attempt should succeed here. If it
// does not, because the proactor has no attempts or has had enough of them for this turn, an
// operation receives, with a buffer of its own.
bool SocketConnection::receive_for(ReadWaiter& reader) {
    constexpr int most_receives = 4;
    constexpr std::size_t buffer_size = std::size_t{16} * 1024;

    const Delivery delivery(reader);
    for (int i = 0; i < most_receives && !closing_; ++i) {
        if (!receive_now(reader)) {
            if (i == 0) {
                receive_buffer_ = std::make_unique<char[]>(buffer_size);
                InputOperation& input = *this;
                input.data = receive_buffer_.get();
                input.size = buffer_size;
                start_input(Opcode::recv);
                return false;
            }
            break;
        }
        if (satisfies(reader)) {
            return true;
        }
    }
    if (!closing_) {
        start_input(Opcode::poll_in);
    }
    return false;
}

// ---------------------------------------------------------------------------------- sending

bool SocketConnection::refuses_writes() noexcept {
    if (closing_) {
        dropped_write();
    }
    return closing_;
}

// How many bytes the system took; negative if the connection has failed.
std::int64_t SocketConnection::send_now(Operation& operation) noexcept {
    if (!loop()->attempt(operation)) {
        return 0;
    }
    if (operation.result < 0) {
        fail(static_cast<int>(-operation.result), "send to ");
    }
    return operation.result;
}

SocketConnection::Outgoing& SocketConnection::outgoing() {
    if (outgoing_ == nullptr) {
        outgoing_ = std::make_unique<Outgoing>(*this, socket_.fileno());
    }
    return *outgoing_;
}

void SocketConnection::write(std::string_view bytes) {
    if (eof_written_) {
        throw RuntimeError("Cannot call write() after write_eof()");
    }
    if (bytes.empty() || refuses_writes()) {
        return;
    }
    if (outgoing_ == nullptr) {
        Operation operation(&run_nothing, Opcode::send, socket_.fileno());
        operation.data = const_cast<char*>(bytes.data());
        operation.size = bytes.size();
        const std::int64_t taken = send_now(operation);
        if (taken < 0 || static_cast<std::size_t>(taken) == bytes.size()) {
            return;
        }
        bytes.remove_prefix(static_cast<std::size_t>(taken));
    }
    outgoing().queued.append(bytes);
    start_output();
    check_high_water();
}

void SocketConnection::write_all(std::span<const std::string_view> views) {
    constexpr std::size_t most_buffers = 64;

    if (eof_written_) {
        throw RuntimeError("Cannot call writelines() after write_eof()");
    }
    const auto is_empty = [](std::string_view view) { return view.empty(); };
    if (std::all_of(views.begin(), views.end(), is_empty) || refuses_writes()) {
        return;
    }
    std::size_t offset = 0;  // in the first of the views that are left
    bool more = outgoing_ == nullptr;
    while (more && !views.empty()) {
        std::array<lowlevel::Buffer, most_buffers> buffers;
        const std::size_t count = std::min(views.size(), buffers.size());
        std::size_t size = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const std::string_view view = views[i].substr(i == 0 ? offset : 0);
            buffers[i] = {const_cast<char*>(view.data()), view.size()};
            size += view.size();
        }
        Operation operation(&run_nothing, Opcode::send_vector, socket_.fileno());
        operation.data = buffers.data();
        operation.size = count;
        const std::int64_t taken = send_now(operation);
        if (taken < 0) {
            return;
        }
        more = static_cast<std::size_t>(taken) == size;
        offset += static_cast<std::size_t>(taken);
        while (!views.empty() && offset >= views.front().size()) {
            offset -= views.front().size();
            views = views.subspan(1);
        }
    }
    if (views.empty()) {
        return;
    }
    Outgoing& rest = outgoing();
    for (const std::string_view view : views) {
        rest.queued.append(view.substr(std::exchange(offset, 0)));
    }
    start_output();
    check_high_water();
}

// Sends what is queued, if nothing is under way.
void SocketConnection::start_output() noexcept {
    Outgoing& out = *outgoing_;
    if (out.under_way) {
        return;
    }
    if (out.sent == out.sending.size()) {
        out.sending = std::exchange(out.queued, std::string());
        out.sent = 0;
    }
    out.data = out.sending.data() + out.sent;
    out.size = out.sending.size() - out.sent;
    out.under_way = true;
    retain();
    loop()->start(out);
}

void SocketConnection::on_output(Callback& callback) {
    auto& out = static_cast<Outgoing&>(static_cast<Operation&>(callback));
    SocketConnection& self = out.connection;
    const StreamKeep keep(self);
    out.under_way = false;
    self.release();
    if (out.dropped) {
        self.outgoing_.reset();
    } else {
        self.sent(out.result);
    }
}

void SocketConnection::sent(std::int64_t result) noexcept {
    Outgoing& out = *outgoing_;
    if (result < 0) {
        fail(static_cast<int>(-result), "send to ");
        return;
    }
    out.sent += static_cast<std::size_t>(result);
    check_low_water();
    if (out.sent < out.sending.size() || !out.queued.empty()) {
        start_output();
        return;
    }
    outgoing_.reset();
    if (closing_) {
        lose(nullptr);
    } else if (eof_written_) {
        try {
            shut_output();
        } catch (const OSError&) {  // there is no connection any more, as the next read will tell
        }
    }
}

std::size_t SocketConnection::write_buffer_size() const noexcept {
    return outgoing_ == nullptr || outgoing_->dropped
               ? 0
               : outgoing_->sending.size() - outgoing_->sent + outgoing_->queued.size();
}

void SocketConnection::write_eof() {
    if (closing_ || eof_written_) {
        return;
    }
    eof_written_ = true;
    if (outgoing_ == nullptr) {
        shut_output();
    }
}

void SocketConnection::shut_output() const {
    socket_.shutdown(SHUT_WR);
}

// ---------------------------------------------------------------------------------- the end

void SocketConnection::close() noexcept {
    if (closing_) {
        return;
    }
    closing_ = true;
    if (outgoing_ == nullptr) {
        lose_soon(nullptr);
    }
}

void SocketConnection::fail(int error, const char* doing) noexcept {
    force_close(make_os_error(error, doing + peer_.get().to_string()));
}

// What is left to send is dropped.
void SocketConnection::force_close(std::exception_ptr error) noexcept {
    if (losing_ || lost()) {
        return;
    }
    closing_ = true;
    if (outgoing_ != nullptr) {
        if (outgoing_->under_way) {
            outgoing_->dropped = true;
            loop()->cancel(*outgoing_);
        } else {
            outgoing_.reset();
        }
    }
    lose_soon(std::move(error));
}

void SocketConnection::lose_soon(std::exception_ptr error) noexcept {
    losing_ = true;
    in_vain_ = std::max<std::uint8_t>(in_vain_, 1);
    loss_ = std::move(error);
    loss_scheduled_ = true;
    retain();
    loop()->schedule(static_cast<LossCallback&>(*this));
}

void SocketConnection::on_loss(Callback& callback) {
    auto& self = static_cast<SocketConnection&>(static_cast<LossCallback&>(callback));
    const StreamKeep keep(self);
    self.loss_scheduled_ = false;
    self.release();
    self.lose(std::exchange(self.loss_, nullptr));
}

void SocketConnection::lose(std::exception_ptr error) noexcept {
    if (lost()) {
        return;
    }
    losing_ = true;
    if (error == nullptr && !ended()) {
        discard_unread();
    }
    set_lost(std::move(error));
    if (input_under_way_) {
        loop()->cancel(static_cast<InputOperation&>(*this));
    }
    socket_.close();
    leave_server();
}

// A socket that is closed with bytes unread resets the connection, and the peer may not get what
// was sent to it. CPython has received what was there by now.
void SocketConnection::discard_unread() noexcept {
    constexpr int most_receives = 4;

    for (int i = 0; i < most_receives && !input_under_way_; ++i) {
        Operation operation(&run_nothing, Opcode::recv, socket_.fileno());
        try {
            operation.data = socket_.io()->scratch();
        } catch (const std::bad_alloc&) {
            return;
        }
        operation.size = LoopIO::scratch_size;
        if (!loop()->attempt(operation) || operation.result <= 0) {
            return;
        }
    }
}

void SocketConnection::abandoned() noexcept {
    if (closing_ || loop() == nullptr) {
        return;
    }
    if (loop()->get_debug()) {
        log(Level::warning, "unclosed <StreamWriter> of " + peer_.get().to_string());
    }
    close();
}

static void unlink_if_linked(Callback& callback) noexcept {
    if (callback.linked()) {
        callback.unlink();
    }
}

// What was to run is in some list of the loop's, or was taken out of it already. Tasks that wait
// are not woken: they are about to be destroyed.
void SocketConnection::loop_closed() noexcept {
    const StreamKeep keep(*this);
    const bool was_lost = lost();
    closing_ = true;
    set_lost_silently();
    if (std::exchange(loss_scheduled_, false)) {
        unlink_if_linked(static_cast<LossCallback&>(*this));
        release();
    }
    if (std::exchange(input_under_way_, false)) {
        unlink_if_linked(static_cast<InputOperation&>(*this));
        release();
    }
    if (outgoing_ != nullptr && outgoing_->under_way) {
        unlink_if_linked(*outgoing_);
        release();
    }
    outgoing_.reset();
    socket_.close();
    if (!was_lost) {
        leave_server();
    }
}

// ------------------------------------------------------------------------- ServedConnection

namespace {

class StreamServer;

/// A connection of a server's, with the task that serves it.
class ServedConnection final : public SocketConnection,
                               public ServerClient,
                               private HandlerCallback {
public:
    ServedConnection(Socket socket, const SocketAddress& peer, StreamServer& server);

    void serve();

    void close_client() noexcept override { close(); }
    void abort_client() noexcept override { abort(); }
    void loop_closed() noexcept override;

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
    StreamServer(LoopIO& io, StartClient start, const StartServerOptions& options)
        : ServerCore(io, options.backlog), limit_(options.limit), start_(std::move(start)) {}

    [[nodiscard]] std::size_t limit() const noexcept { return limit_; }
    [[nodiscard]] const StartClient& start() const noexcept { return start_; }

private:
    ~StreamServer() override = default;
    void accepted(Socket socket, const SocketAddress& peer) override {
        auto* const connection = new ServedConnection(std::move(socket), peer, *this);
        connection->serve();
    }

    std::size_t limit_;
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
        watch(server_.start()(*loop(), std::move(reader), std::move(writer)));
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
        self.report(error);
        self.close();
    }
}

void ServedConnection::report(std::exception_ptr error) {
    ExceptionContext context;
    context.message = "Unhandled exception in client_connected_cb";
    context.exception = std::move(error);
    loop()->call_exception_handler(context);
}

void ServedConnection::loop_closed() noexcept {
    const StreamKeep keep(*this);
    SocketConnection::loop_closed();
    if (task_) {
        unlink_if_linked(static_cast<HandlerCallback&>(*this));
        task_ = {};
        release();
    }
}

// ------------------------------------------------------------------------- making connections

StreamPair make_streams(Socket socket, std::size_t limit, const Address& peer) {
    LoopIO& io = *socket.io();
    auto* const connection = new SocketConnection(io, std::move(socket), limit, peer.raw());
    StreamReader reader(*connection);
    return {std::move(reader), StreamWriter(*connection)};
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

[[noreturn]] void raise_bind_error(const OSError& error, const Address& address) {
    raise_os_error(error.error_number(),
                   "error while attempting to bind on address " + python_address(address) + ": " +
                       lower("[Errno " + std::to_string(error.error_number()) + "] " +
                             std::strerror(error.error_number())));
}

/// What open_connection() was asked for.
struct ConnectRequest {
    std::string host;
    bool has_host;
    int port;
    OpenConnectionOptions options;
    std::string local_host;
    bool has_local;

    [[nodiscard]] std::string_view host_view() const noexcept {
        return has_host ? std::string_view(host) : std::string_view();
    }
};

/// Binds to the first of the addresses of the socket's family that can be had.
void bind_local(const Socket& socket, AddressFamily family,
                const std::vector<AddressInfo>& addresses) {
    std::exception_ptr last;
    for (const AddressInfo& local : addresses) {
        if (local.family != family) {
            continue;
        }
        try {
            try {
                socket.bind(local.address);
                return;
            } catch (const OSError& error) {
                raise_bind_error(error, local.address);
            }
        } catch (const OSError&) {
            last = std::current_exception();
        }
    }
    if (last != nullptr) {
        std::rethrow_exception(last);
    }
    throw OSError(std::string("no matching local address with family=<AddressFamily.") +
                  (family == AddressFamily::ipv6 ? "AF_INET6: 10" : "AF_INET: 2") + "> found");
}

/// A socket to connect to `info`, or why there is none.
Result<Socket> make_client_socket(const AddressInfo& info, bool has_local,
                                  const std::vector<AddressInfo>& local) {
    return Result<Socket>::of([&] {
        Socket socket(info.family);
        if (has_local) {
            bind_local(socket, info.family, local);
        }
        return socket;
    });
}

// Nobody listens, and the socket was given the very port that it is to connect to: TCP then makes a
// connection of one end.
bool connected_to_itself(const Socket& socket, const Address& peer) {
    return socket.getsockname() == peer;
}

[[noreturn]] void raise_all(const std::vector<std::exception_ptr>& errors) {
    ASYNCIO_ASSERT(!errors.empty());
    const std::string first = python_text(errors.front());
    std::string all;
    bool same = true;
    for (const std::exception_ptr& error : errors) {
        const std::string text = python_text(error);
        same = same && text == first;
        all += (all.empty() ? "" : ", ") + text;
    }
    if (same) {
        std::rethrow_exception(errors.front());
    }
    throw OSError("Multiple exceptions: " + all);
}

std::vector<Address> all_interfaces(int port, AddressFamily family) {
    std::vector<Address> addresses;
    for (const char* any : {"0.0.0.0", "::"}) {
        const Address address(any, port);
        if (family == AddressFamily::unspecified || family == address.family()) {
            addresses.push_back(address);
        }
    }
    return addresses;
}

AddressInfoOptions stream_addresses(AddressFamily family, int flags) noexcept {
    AddressInfoOptions options;
    options.family = family;
    options.type = SocketType::stream;
    options.flags = flags;
    return options;
}

Coroutine<StreamPair> connect(ConnectRequest request) {
    const AddressInfoOptions wanted =
        stream_addresses(request.options.family, request.options.flags);
    const std::vector<AddressInfo> infos =
        co_await getaddrinfo(request.host_view(), request.port, wanted);
    std::vector<AddressInfo> local;
    if (!request.local_host.empty()) {
        local = co_await getaddrinfo(request.local_host, request.options.local_port, wanted);
    } else if (request.has_local) {
        for (const Address& any :
             all_interfaces(request.options.local_port, request.options.family)) {
            local.push_back({any.family(), SocketType::stream, 0, "", any});
        }
    }
    if (infos.empty() || (request.has_local && local.empty())) {
        throw OSError("getaddrinfo() returned empty list");
    }
    std::vector<std::exception_ptr> errors;
    for (const AddressInfo& info : infos) {
        Result<Socket> made = make_client_socket(info, request.has_local, local);
        if (!made.has_value()) {
            errors.push_back(made.error());
            continue;
        }
        Socket socket = std::move(made).get();
        const Result<void> connected = co_await as_result(sock_connect(socket, info.address));
        if (connected.has_value()) {
            if (!connected_to_itself(socket, info.address)) {
                co_return make_streams(std::move(socket), request.options.limit, info.address);
            }
            errors.push_back(
                make_os_error(ECONNREFUSED, "Connect call failed " + python_address(info.address)));
            continue;
        }
        if (connected.cancelled()) {
            std::rethrow_exception(connected.error());
        }
        errors.push_back(connected.error());
    }
    raise_all(errors);
}

Coroutine<StreamPair> adopt(Socket socket, std::size_t limit) {
    Address peer = socket.getpeername();
    co_return make_streams(std::move(socket), limit, peer);
}

// --------------------------------------------------------------------------- starting servers

Socket make_listening_socket(const Address& address, const StartServerOptions& options) {
    Socket socket(address.family());
    if (options.reuse_address) {
        socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
    }
    if (options.reuse_port) {
        socket.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1);
    }
    if (options.keep_alive) {
        socket.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1);
    }
    if (address.family() == AddressFamily::ipv6) {
        // Each family has a socket of its own.
        socket.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }
    return socket;
}

/// One socket for each address that this machine has; on the same port, if any would do.
std::vector<Socket> bind_all(const std::vector<Address>& addresses, int port,
                             const StartServerOptions& options) {
    std::vector<Socket> sockets;
    int chosen = port;
    for (const Address& address : addresses) {
        Socket socket;
        try {
            socket = make_listening_socket(address, options);
        } catch (const OSError& error) {
            if (get_running_loop().get_debug()) {
                log(Level::warning, "start_server() failed to create a socket for " +
                                        address.to_string() + ": " + error.what());
            }
            continue;  // a family that this system does not have
        }
        const Address wanted = Address::parse(address.host(), chosen).value_or(address);
        try {
            socket.bind(wanted);
        } catch (const OSError& error) {
            if (error.error_number() == EADDRNOTAVAIL) {
                continue;  // a family that is switched off
            }
            raise_bind_error(error, wanted);
        }
        if (chosen == 0) {
            chosen = socket.getsockname().port();
        }
        sockets.push_back(std::move(socket));
    }
    if (sockets.empty()) {
        std::string list;
        for (const Address& address : addresses) {
            list += (list.empty() ? "" : ", ") + python_address(address);
        }
        throw OSError("could not bind on any address out of [" + list + "]");
    }
    return sockets;
}

// A port that is free on one address may be taken on another: then another one is tried.
std::vector<Socket> bind_server(const std::vector<Address>& addresses, int port,
                                const StartServerOptions& options) {
    constexpr int most_ports = 20;

    for (int i = 1; port == 0 && addresses.size() > 1 && i < most_ports; ++i) {
        try {
            return bind_all(addresses, port, options);
        } catch (const OSError& error) {
            if (error.error_number() != EADDRINUSE) {
                throw;
            }
        }
    }
    return bind_all(addresses, port, options);
}

}  // namespace

Coroutine<Server> start_stream_server(StartClient start, std::vector<std::string> hosts, int port,
                                      StartServerOptions options) {
    if (options.limit == 0) {
        raise_value_error("Limit cannot be <= 0");
    }
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
    std::vector<Socket> sockets = bind_server(addresses, port, options);
    const ServerRef server(*new StreamServer(io, std::move(start), options));
    for (Socket& socket : sockets) {
        server->add(std::move(socket));
    }
    if (options.start_serving) {
        server->start_serving();
        co_await sleep(0);
    }
    co_return Server(*server);
}

}  // namespace detail

Coroutine<StreamPair> open_connection(std::string_view host, int port,
                                      OpenConnectionOptions options) {
    detail::ConnectRequest request;
    request.host = host;
    request.has_host = host.data() != nullptr;
    request.port = port;
    request.options = options;
    request.local_host = options.local_host;
    request.has_local = !options.local_host.empty() || options.local_port != 0;
    return detail::connect(std::move(request));
}

Coroutine<StreamPair> open_connection(Socket socket, OpenConnectionOptions options) {
    return detail::adopt(std::move(socket), options.limit);
}

}  // namespace asyncio
