// socket_connection.cpp - how a connected socket receives, sends and ends.
//
// SPDX-License-Identifier: MIT
#include "socket_connection.hpp"

#include <asyncio/log.hpp>

#include "receive_text.hpp"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace asyncio::detail {

using lowlevel::Callback;
using lowlevel::Opcode;
using lowlevel::Operation;
using lowlevel::SocketAddress;

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

// The same, when there is something. A message as long as the last one is received into the string
// that the task will get, which spares a copy. If it is longer, the rest is received at once.
bool SocketConnection::receive_message(ReadWaiter& reader) {
    constexpr std::size_t least = std::size_t{4} * 1024;
    constexpr std::size_t most = std::size_t{64} * 1024;

    if (last_received_ < least || last_received_ >= most || !takes_text(reader)) {
        return receive_now(reader);
    }
    const std::size_t size = last_received_ + least / 8;
    std::string text;
    Operation operation(&run_nothing, Opcode::recv, socket_.fileno());
    if (!receive_text(*loop(), operation, size, text)) {
        return false;
    }
    if (operation.result <= 0 || text.size() < size / 2) {
        received(operation.result, text.data());
        return true;
    }
    last_received_ = static_cast<std::uint32_t>(text.size());
    const bool more = text.size() == size;
    feed_text(std::move(text));
    if (more) {
        receive_now(reader);
    }
    return true;
}

void SocketConnection::received(std::int64_t result, const char* data) {
    if (result > 0) {
        last_received_ = static_cast<std::uint32_t>(result);
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
        if (!(i == 0 ? receive_message(reader) : receive_now(reader))) {
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
    keep({&bytes, 1}, 0);
}

// A part of it may have been sent. So without memory for the rest the stream cannot go on: whoever
// wrote it again would send that part twice.
void SocketConnection::keep(std::span<const std::string_view> views, std::size_t offset) {
    try {
        std::string& queued = outgoing().queued;
        for (const std::string_view view : views) {
            queued.append(view.substr(std::exchange(offset, 0)));
        }
    } catch (const std::exception&) {
        force_close(std::current_exception());
        throw;
    }
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
    if (!views.empty()) {
        keep(views, offset);
    }
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
    std::exception_ptr failure;
    try {
        failure = make_os_error(error, doing + peer_.get().to_string());
    } catch (const std::bad_alloc&) {
        failure = std::current_exception();
    }
    force_close(std::move(failure));
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
// was sent to it. CPython has received what was there by now. It is called, not attempted: the
// attempts of this turn may be used up. Bounded, because the peer may go on sending.
void SocketConnection::discard_unread() noexcept {
    constexpr int most_receives = 32;
    constexpr std::size_t reserve_size = 1024;

    std::array<char, reserve_size> reserve;
    Operation operation(&run_nothing, Opcode::recv, socket_.fileno());
    try {
        operation.data = socket_.io()->scratch();
        operation.size = LoopIO::scratch_size;
    } catch (const std::bad_alloc&) {
        operation.data = reserve.data();
        operation.size = reserve.size();
    }
    for (int i = 0; i < most_receives; ++i) {
        if (loop()->call(operation) <= 0) {
            return;
        }
    }
}

void SocketConnection::abandoned() noexcept {
    if (closing_ || loop() == nullptr) {
        return;
    }
    if (loop()->get_debug()) {
        try {
            log(Level::warning, "unclosed <StreamWriter> of " + peer_.get().to_string());
        } catch (const std::bad_alloc&) {
            log(Level::warning, "unclosed <StreamWriter>");
        }
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
void SocketConnection::loop_closing() noexcept {
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

}  // namespace asyncio::detail
