// message_operations.cpp - receiving and sending messages, awaited.
//
// SPDX-License-Identifier: MIT
#include <asyncio/sockets.hpp>

#include "addresses.hpp"
#include "loop_io.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

namespace asyncio::detail {

using lowlevel::Callback;
using lowlevel::Opcode;
using lowlevel::Operation;
using lowlevel::SocketAddress;

// ------------------------------------------------------------------------- MessageReceiver

MessageReceiver::MessageReceiver(const SocketBase& socket, std::size_t n,
                                 std::span<std::byte> buffer)
    : SocketOperation(socket, Opcode::recv_message),
      complete_(function()),
      part_{buffer.data(), std::min(n, buffer.data() != nullptr ? n : LoopIO::scratch_size)},
      own_memory_(buffer.data() != nullptr) {
    set_function(&advance);
    message_.buffers = &part_;
    message_.buffer_count = 1;
    data = &message_;
}

void MessageReceiver::prepare() {
    if (!own_memory_) {
        part_.data = io().scratch();
    }
    message_.address = sender_.storage;
    message_.address_size = sizeof sender_.storage;
    message_.flags = 0;
    attach();
}

// Who sends from a Unix socket without a name has no address, and a stream tells none.
void MessageReceiver::note() noexcept {
    if (result < 0) {
        return;
    }
    sender_.size = std::min<std::uint32_t>(message_.address_size, sizeof sender_.storage);
    try {
        keep();
    } catch (const std::bad_alloc&) {
        result = -ENOMEM;
    }
}

bool MessageReceiver::await_ready() {
    prepare();
    if (io().loop()->attempt(*this)) {
        note();
        return true;
    }
    opcode = Opcode::poll_in;
    prepare_to_wait();
    return false;
}

// There is something to receive, unless somebody else was quicker.
void MessageReceiver::advance(Callback& callback) {
    auto& self = static_cast<MessageReceiver&>(static_cast<Operation&>(callback));
    if (self.result >= 0 && !self.must_end()) {
        Operation operation(&run_nothing, Opcode::recv_message, self.fd);
        self.prepare();
        operation.data = &self.message_;
        operation.argument = self.argument;
        self.result = self.io().loop()->call(operation);
        if (self.result == -EAGAIN) {
            self.start_again();
            return;
        }
        self.note();
    }
    self.complete_(callback);
}

// --------------------------------------------------------------- sock_recvfrom() and its kin

void RecvFromAwaiter::keep() {
    received_.assign(buffer());
}

Result<ReceivedFrom> RecvFromAwaiter::await_result() {
    if (std::exception_ptr error = failure("receive on ", Opcode::socket_name)) {
        return Result<ReceivedFrom>(std::move(error));
    }
    return Result<ReceivedFrom>(std::in_place,
                                ReceivedFrom{std::move(received_), Address(sender())});
}

ReceivedFrom RecvFromAwaiter::await_resume() {
    return await_result().get();
}

Result<ReceivedFromInto> RecvFromIntoAwaiter::await_result() {
    if (std::exception_ptr error = failure("receive on ", Opcode::socket_name)) {
        return Result<ReceivedFromInto>(std::move(error));
    }
    return Result<ReceivedFromInto>(
        std::in_place, ReceivedFromInto{static_cast<std::size_t>(result), Address(sender())});
}

ReceivedFromInto RecvFromIntoAwaiter::await_resume() {
    return await_result().get();
}

// -------------------------------------------------------------------------------- sock_sendto()

SendToAwaiter::SendToAwaiter(const SocketBase& socket, std::string_view bytes,
                             const SocketAddress& address)
    : SocketOperation(socket, Opcode::send_message),
      to_(address),
      part_{const_cast<char*>(bytes.data()), bytes.size()} {
    if (to_.size != 0) {
        message_.address = to_.storage;
        message_.address_size = to_.size;
    }
    message_.buffers = &part_;
    message_.buffer_count = 1;
    data = &message_;
}

Result<std::size_t> SendToAwaiter::await_result() {
    if (std::exception_ptr error =
            failure(result >= 0 ? std::string() : "send to " + Address(to_).to_string())) {
        return Result<std::size_t>(std::move(error));
    }
    return Result<std::size_t>(std::in_place, static_cast<std::size_t>(result));
}

std::size_t SendToAwaiter::await_resume() {
    return await_result().get();
}

}  // namespace asyncio::detail
