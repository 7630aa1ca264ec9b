// socket_operations.cpp - sock_recv() and its kin: operations of a socket, awaited.
//
// SPDX-License-Identifier: MIT
#include <asyncio/sockets.hpp>

#include "addresses.hpp"
#include "loop_io.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <string>
#include <utility>

namespace asyncio::detail {

using lowlevel::Opcode;
using lowlevel::Operation;
using lowlevel::SocketAddress;

SocketOperation::SocketOperation(const SocketBase& socket, Opcode opcode)
    : OperationWaiter(socket.get_loop(), opcode, socket.fileno()), io_(*socket.io()) {
    io_.retain();
}

bool SocketOperation::await_ready() {
    if (io_.loop()->attempt(*this)) {
        return true;
    }
    prepare_to_wait();
    return false;
}

void SocketOperation::prepare_to_wait() {
    others_ = &io_.operations(fd);
}

void SocketOperation::enlist() noexcept {
    task_ = &lowlevel::running_task();
    others_->push_back(*this);
}

void SocketOperation::end() noexcept {
    socket_closed_ = true;
    io_.loop()->cancel(*this);
}

bool SocketOperation::must_end() noexcept {
    if (socket_closed_ || task_->interrupted()) {
        result = -ECANCELED;
        return true;
    }
    return false;
}

void SocketOperation::start_again() noexcept {
    io_.loop()->start(*this);
}

SocketOperation::~SocketOperation() {
    auto& hook = static_cast<ListHook<SocketOperations>&>(*this);
    if (hook.linked()) {
        hook.unlink();
    }
    io_.release();
}

// Null if it was not cancelled, or too late.
std::exception_ptr SocketOperation::cancellation() noexcept {
    if (task_ != nullptr && task_->interrupted()) {
        if (result == -ECANCELED) {
            return task_->take_interrupt();
        }
        task_->postpone_interrupt();  // the operation was quicker: what it did is not lost
    }
    return nullptr;
}

std::exception_ptr SocketOperation::failure(const std::string& doing) {
    if (std::exception_ptr cancelled = cancellation()) {
        return cancelled;
    }
    return result < 0 ? make_os_error(static_cast<int>(-result), doing) : nullptr;
}

std::exception_ptr SocketOperation::failure(const char* doing, Opcode name) {
    if (std::exception_ptr cancelled = cancellation()) {
        return cancelled;
    }
    if (result >= 0) {
        return nullptr;
    }
    std::string address;
    if (!socket_closed_) {  // then the number may be another one's
        Operation operation(&run_nothing, name, fd);
        SocketAddress raw;
        operation.address = &raw;
        if (io_.loop()->call(operation) >= 0) {
            address = Address(raw).to_string();
        }
    }
    const char* const unknown = socket_closed_ ? "a socket that was closed" : "an unknown address";
    return make_os_error(static_cast<int>(-result),
                         doing + (address.empty() ? std::string(unknown) : address));
}

// Bounded, because `n` may be anybody's guess.
RecvAwaiter::RecvAwaiter(const SocketBase& socket, std::size_t n)
    : SocketOperation(socket, Opcode::recv), complete_(function()) {
    size = std::min(n, LoopIO::scratch_size);
    set_function(&advance);
}

bool RecvAwaiter::await_ready() {
    data = io().scratch();
    if (io().loop()->attempt(*this)) {
        keep();
        return true;
    }
    opcode = Opcode::poll_in;
    prepare_to_wait();
    return false;
}

void RecvAwaiter::keep() {
    if (result > 0) {
        received_.assign(static_cast<const char*>(data), static_cast<std::size_t>(result));
    }
}

// There is something to receive, unless somebody else was quicker.
void RecvAwaiter::advance(lowlevel::Callback& callback) {
    auto& self = static_cast<RecvAwaiter&>(static_cast<Operation&>(callback));
    if (self.result >= 0 && !self.must_end()) {
        self.receive();
        if (self.result == -EAGAIN) {
            self.start_again();
            return;
        }
    }
    self.complete_(callback);
}

void RecvAwaiter::receive() noexcept {
    Operation operation(&run_nothing, Opcode::recv, fd);
    operation.data = data;
    operation.size = size;
    result = io().loop()->call(operation);
    try {
        keep();
    } catch (const std::bad_alloc&) {
        result = -ENOMEM;
    }
}

Result<std::string> RecvAwaiter::await_result() {
    if (std::exception_ptr error = failure("receive from ", Opcode::peer_name)) {
        return Result<std::string>(std::move(error));
    }
    return Result<std::string>(std::in_place, std::move(received_));
}

std::string RecvAwaiter::await_resume() {
    return await_result().get();
}

RecvIntoAwaiter::RecvIntoAwaiter(const SocketBase& socket, std::span<std::byte> buffer)
    : SocketOperation(socket, Opcode::recv) {
    data = buffer.data();
    size = buffer.size();
}

Result<std::size_t> RecvIntoAwaiter::await_result() {
    if (std::exception_ptr error = failure("receive from ", Opcode::peer_name)) {
        return Result<std::size_t>(std::move(error));
    }
    return Result<std::size_t>(std::in_place, static_cast<std::size_t>(result));
}

std::size_t RecvIntoAwaiter::await_resume() {
    return await_result().get();
}

SendAllAwaiter::SendAllAwaiter(const SocketBase& socket, std::string_view bytes)
    : SocketOperation(socket, Opcode::send), complete_(function()) {
    data = const_cast<char*>(bytes.data());
    size = bytes.size();
    set_function(&advance);
}

bool SendAllAwaiter::account() noexcept {
    if (result < 0) {
        return true;
    }
    data = static_cast<char*>(data) + result;
    size -= static_cast<std::size_t>(result);
    return size == 0;
}

bool SendAllAwaiter::await_ready() {
    if (size == 0) {
        return true;
    }
    while (io().loop()->attempt(*this)) {
        if (account()) {
            return true;
        }
    }
    prepare_to_wait();
    return false;
}

void SendAllAwaiter::advance(lowlevel::Callback& callback) {
    auto& self = static_cast<SendAllAwaiter&>(static_cast<Operation&>(callback));
    if (!self.account() && !self.must_end()) {  // a part of it is no result to deliver
        self.start_again();
        return;
    }
    self.complete_(callback);
}

Result<void> SendAllAwaiter::await_result() {
    if (std::exception_ptr error = failure("send to ", Opcode::peer_name)) {
        return Result<void>(std::move(error));
    }
    return Result<void>(std::in_place);
}

void SendAllAwaiter::await_resume() {
    await_result().get();
}

ConnectAwaiter::ConnectAwaiter(const SocketBase& socket, const SocketAddress& peer)
    : SocketOperation(socket, Opcode::connect), peer_(peer) {
    address = &peer_;
}

std::exception_ptr ConnectAwaiter::connect_failure() {
    return failure(result >= 0 ? std::string()
                               : "Connect call failed " + python_address(Address(peer_)));
}

Result<void> ConnectAwaiter::await_result() {
    if (std::exception_ptr error = connect_failure()) {
        return Result<void>(std::move(error));
    }
    return Result<void>(std::in_place);
}

void ConnectAwaiter::await_resume() {
    await_result().get();
}

AcceptAwaiter::AcceptAwaiter(const SocketBase& listener)
    : SocketOperation(listener, Opcode::accept) {
    address = &peer_;
}

// Destroyed between its completion and its task's turn: by the loop's close().
AcceptAwaiter::~AcceptAwaiter() {
    if (completed && !taken_ && result >= 0) {
        io().close(static_cast<int>(result));
    }
}

Accepted AcceptAwaiter::take() noexcept {
    taken_ = true;
    return {Socket(io(), static_cast<int>(result)), Address(peer_)};
}

Result<Accepted> AcceptAwaiter::await_result() {
    if (std::exception_ptr error = failure("accept on ", Opcode::socket_name)) {
        return Result<Accepted>(std::move(error));
    }
    return Result<Accepted>(std::in_place, take());
}

Accepted AcceptAwaiter::await_resume() {
    return await_result().get();
}

}  // namespace asyncio::detail
