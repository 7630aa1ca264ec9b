// socket_operations.cpp - sock_recv() and its kin: operations of a socket, awaited.
//
// SPDX-License-Identifier: MIT
#include <asyncio/sockets.hpp>

#include "addresses.hpp"
#include "loop_io.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace asyncio::detail {

using lowlevel::Opcode;
using lowlevel::Operation;
using lowlevel::SocketAddress;

SocketOperation::SocketOperation(const SocketBase& socket, Opcode opcode)
    : OperationWaiter(socket.get_loop(), opcode, socket.fileno()), io_(*socket.io()) {
    io_.retain();
}

void SocketOperation::enlist() noexcept {
    task_ = &lowlevel::running_task();
    io_.operations().push_back(*this);
}

SocketOperation::~SocketOperation() {
    auto& hook = static_cast<ListHook<SocketOperations>&>(*this);
    if (hook.linked()) {
        hook.unlink();
    }
    io_.release();
}

std::exception_ptr SocketOperation::failure(const char* doing) {
    if (task_ != nullptr && task_->interrupted()) {
        if (result == -ECANCELED) {
            return task_->take_interrupt();
        }
        task_->postpone_interrupt();  // the operation was quicker: what it did is not lost
    }
    return result < 0 ? make_os_error(static_cast<int>(-result), doing) : nullptr;
}

// Bounded, because `n` may be anybody's guess.
RecvAwaiter::RecvAwaiter(const SocketBase& socket, std::size_t n)
    : SocketOperation(socket, Opcode::recv) {
    received_.resize(std::min(n, LoopIO::scratch_size));
    data = received_.data();
    size = received_.size();
}

Result<std::string> RecvAwaiter::await_result() {
    if (std::exception_ptr error = failure("recv")) {
        return Result<std::string>(std::move(error));
    }
    received_.resize(static_cast<std::size_t>(result));
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
    if (std::exception_ptr error = failure("recv")) {
        return Result<std::size_t>(std::move(error));
    }
    return Result<std::size_t>(std::in_place, static_cast<std::size_t>(result));
}

std::size_t RecvIntoAwaiter::await_resume() {
    return await_result().get();
}

SendAllAwaiter::SendAllAwaiter(const SocketBase& socket, std::string_view bytes)
    : SocketOperation(socket, Opcode::send), loop_(socket.get_loop()), complete_(function()) {
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

bool SendAllAwaiter::await_ready() noexcept {
    if (size == 0) {
        return true;
    }
    while (loop_.attempt(*this)) {
        if (account()) {
            return true;
        }
    }
    return false;
}

void SendAllAwaiter::advance(lowlevel::Callback& callback) {
    auto& self = static_cast<SendAllAwaiter&>(static_cast<Operation&>(callback));
    if (!self.account()) {
        if (!self.waiting_task()->interrupted()) {
            self.loop_.start(self);
            return;
        }
        self.result = -ECANCELED;  // a part of it was sent, which is no result to deliver
    }
    self.complete_(callback);
}

Result<void> SendAllAwaiter::await_result() {
    if (std::exception_ptr error = failure("send")) {
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
    if (result >= 0) {
        return failure("");
    }
    const std::string doing = "Connect call failed " + python_address(Address(peer_));
    return failure(doing.c_str());
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
    : SocketOperation(listener, Opcode::accept), io_(*listener.io()) {
    address = &peer_;
}

// Destroyed between its completion and its task's turn: by the loop's close().
AcceptAwaiter::~AcceptAwaiter() {
    if (completed && !taken_ && result >= 0) {
        io_.close(static_cast<int>(result));
    }
}

Accepted AcceptAwaiter::take() noexcept {
    taken_ = true;
    return {Socket(io_, static_cast<int>(result)), Address(peer_)};
}

Result<Accepted> AcceptAwaiter::await_result() {
    if (std::exception_ptr error = failure("accept")) {
        return Result<Accepted>(std::move(error));
    }
    return Result<Accepted>(std::in_place, take());
}

Accepted AcceptAwaiter::await_resume() {
    return await_result().get();
}

}  // namespace asyncio::detail
