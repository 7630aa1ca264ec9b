// datagram_transport.cpp - how an endpoint begins, receives datagrams, and ends.
//
// SPDX-License-Identifier: MIT
#include "datagram_output.hpp"

#include "addresses.hpp"
#include "report.hpp"
#include "transport_of.hpp"
#include "write_buffer_limits.hpp"

#include <algorithm>
#include <cerrno>
#include <new>

#include <sys/socket.h>

namespace asyncio::detail {

using lowlevel::Buffer;
using lowlevel::Callback;
using lowlevel::Message;
using lowlevel::Opcode;
using lowlevel::Operation;
using lowlevel::SocketAddress;

static SocketAddress name_of(const Socket& socket, Opcode which) noexcept {
    Operation operation(&run_nothing, which, socket.fileno());
    SocketAddress raw;
    operation.address = &raw;
    if (socket.io()->loop()->call(operation) < 0) {
        raw.size = 0;
    }
    return raw;
}

DatagramEndpoint::DatagramEndpoint(Socket socket, std::shared_ptr<BaseProtocol> protocol,
                                   const Address& only_to)
    : DatagramTurn(&on_begin),
      DatagramInput(&on_input, Opcode::poll_in, socket.fileno()),
      socket_(std::move(socket)),
      protocol_(std::move(protocol)),
      datagrams_(dynamic_cast<DatagramProtocol*>(protocol_.get())),
      peer_(name_of(socket_, Opcode::peer_name)),
      own_(name_of(socket_, Opcode::socket_name)),
      only_to_(only_to.raw()) {
    capture_context(context_, nullptr);
    socket_.io()->claim(socket_.fileno());
    socket_.io()->add(*this);
}

DatagramEndpoint::~DatagramEndpoint() = default;

// ----------------------------------------------------------------------------------- beginning

void DatagramEndpoint::begin(Future<> ready) {
    ready_ = std::move(ready);
    self_ = shared_from_this();
    TransportOf::set(*protocol_, self_);
    reads_ = true;
    loop().schedule(static_cast<DatagramTurn&>(*this));
}

void DatagramEndpoint::on_begin(Callback& callback) {
    auto& self = static_cast<DatagramEndpoint&>(static_cast<DatagramTurn&>(callback));
    const std::shared_ptr<DatagramEndpoint> keep = self.self_;
    const Future<> ready = std::exchange(self.ready_, Future<>());
    self.reads_ = false;
    struct Begin {  // also when a SystemExit leaves connection_made()
        DatagramEndpoint& endpoint;
        const Future<>& ready;
        ~Begin() {
            if (endpoint.losing_) {  // closed by connection_made(), or before it
                endpoint.lose_soon(std::move(endpoint.loss_));
            } else if (!endpoint.closing_) {
                endpoint.wait_for_input();
            }
            if (ready && !ready.done()) {
                ready.set_result();
            }
        }
    } begin{self, ready};
    self.made();
}

void DatagramEndpoint::made() {
    tell("Exception in callback", [this](BaseProtocol& protocol) {
        if (datagrams_ != nullptr) {
            datagrams_->connection_made(*this);
        } else {
            protocol.connection_made(*this);
        }
    });
}

// ------------------------------------------------------------------------------- as a transport

std::optional<std::string> DatagramEndpoint::get_extra_info(std::string_view name) const {
    if (name == "peername" || name == "sockname") {
        const Address address = name == "peername" ? peername() : sockname();
        return address ? std::optional(address.to_string()) : std::nullopt;
    }
    if (name == "socket" && socket_.fileno() >= 0) {
        return std::to_string(socket_.fileno());
    }
    return std::nullopt;
}

// The one before may be running: it is kept until the next turn.
void DatagramEndpoint::set_protocol(std::shared_ptr<BaseProtocol> protocol) {
    if (protocol == nullptr) {
        raise_value_error("a transport must have a protocol");
    }
    if (lost_) {
        return;
    }
    loop().call_soon([before = protocol_] {});
    TransportOf::set(*protocol, shared_from_this());
    protocol_ = std::move(protocol);
    datagrams_ = dynamic_cast<DatagramProtocol*>(protocol_.get());
}

std::string DatagramEndpoint::repr() const {
    return std::string("<DatagramTransport") +
           (lost_      ? " closed"
            : closing_ ? " closing"
                       : "") +
           " fd=" + std::to_string(socket_.fileno()) +
           (reads_ && !closing_ ? " read=polling" : " read=idle") +
           (kept_ > 0 ? " write=<polling" : " write=<idle") + ", bufsize=" + std::to_string(kept_) +
           ">>";
}

void DatagramEndpoint::set_write_buffer_limits(WriteBufferLimits limits) {
    const auto [low, high] = resolve_limits(limits);
    low_ = low;
    high_ = high;
    pause_if_full();
}

// --------------------------------------------------------------------------------- the protocol

void DatagramEndpoint::tell_error(int error, const char* doing, const Address& address) {
    const std::exception_ptr failure = make_os_error(error, doing + address.to_string());
    tell("Exception in callback", [&](BaseProtocol&) {
        if (datagrams_ != nullptr) {
            datagrams_->error_received(failure);
        }
    });
}

void DatagramEndpoint::report(const char* message, std::exception_ptr error) {
    if (leaves_the_loop(error)) {
        std::rethrow_exception(error);
    }
    ExceptionContext context;
    set_message(context, [message] { return message; });
    context.exception = std::move(error);
    context.transport = this;
    context.protocol = protocol_.get();
    loop().call_exception_handler(context);
}

// ------------------------------------------------------------------------------------ receiving

void DatagramEndpoint::wait_for_input() noexcept {
    reads_ = true;
    loop().start(static_cast<DatagramInput&>(*this));
}

void DatagramEndpoint::on_input(Callback& callback) {
    auto& self = static_cast<DatagramEndpoint&>(
        static_cast<DatagramInput&>(static_cast<Operation&>(callback)));
    const std::shared_ptr<DatagramEndpoint> keep = self.self_;
    self.reads_ = false;
    if (self.closing_) {
        self.let_go();
    } else if (const std::int64_t result = static_cast<DatagramInput&>(self).result; result < 0) {
        self.force_close(make_os_error(static_cast<int>(-result), "wait for datagrams"));
    } else {
        self.receive_one();
    }
}

// One in each turn, so that what the protocol has scheduled runs before it gets the next.
void DatagramEndpoint::on_next(Callback& callback) {
    auto& self = static_cast<DatagramEndpoint&>(static_cast<DatagramTurn&>(callback));
    const std::shared_ptr<DatagramEndpoint> keep = self.self_;
    self.reads_ = false;
    if (self.closing_) {
        self.let_go();
    } else {
        self.receive_one();
    }
}

void DatagramEndpoint::receive_one() {
    SocketAddress sender;
    Buffer part{nullptr, LoopIO::scratch_size};
    try {
        part.data = socket_.io()->scratch();
    } catch (const std::bad_alloc&) {
        force_close(std::current_exception());
        return;
    }
    Message message;
    message.address = sender.storage;
    message.address_size = sizeof sender.storage;
    message.buffers = &part;
    message.buffer_count = 1;
    Operation operation(&run_nothing, Opcode::recv_message, socket_.fileno());
    operation.data = &message;
    operation.argument = MSG_TRUNC;  // its whole length is the result
    const std::int64_t result = loop().call(operation);
    if (result == -EAGAIN) {
        wait_for_input();
        return;
    }
    struct Next {  // also when a SystemExit leaves the protocol
        DatagramEndpoint& endpoint;
        ~Next() {
            if (!endpoint.closing_) {
                endpoint.reads_ = true;
                DatagramTurn& turn = endpoint;
                turn.set_function(&on_next);
                endpoint.loop().schedule(turn);
            }
        }
    } next{*this};
    if (result < 0) {
        tell_error(static_cast<int>(-result), "receive on ", sockname());
    } else if ((message.flags & MSG_TRUNC) != 0) {
        cut_off(result);
    } else {
        sender.size = std::min<std::uint32_t>(message.address_size, sizeof sender.storage);
        const std::string_view data(static_cast<const char*>(part.data),
                                    static_cast<std::size_t>(result));
        const LoopIO::Kept kept(*socket_.io());
        tell("Exception in callback", [&](BaseProtocol&) {
            if (datagrams_ != nullptr) {
                datagrams_->datagram_received(data, Address(sender));
            }
        });
    }
}

void DatagramEndpoint::cut_off(std::int64_t size) {
    const std::string doing = "receive a datagram of " + std::to_string(size) + " bytes on ";
    tell_error(EMSGSIZE, doing.c_str(), sockname());
}

// -------------------------------------------------------------------------------------- the end

void DatagramEndpoint::close() {
    if (std::exchange(closing_, true)) {
        return;
    }
    if (output_ == nullptr) {
        lose_soon(nullptr);
    }
}

// What is left to send is dropped.
void DatagramEndpoint::force_close(std::exception_ptr error) {
    if (losing_ || lost_) {
        return;
    }
    closing_ = true;
    kept_ = 0;
    if (output_ != nullptr) {
        output_->datagrams.clear();
        if (output_->under_way) {
            loop().cancel(*output_);  // goes when that has ended
        }
    }
    lose_soon(std::move(error));
}

void DatagramEndpoint::lose_soon(std::exception_ptr error) noexcept {
    losing_ = true;
    loss_ = std::move(error);
    DatagramTurn& turn = *this;
    if (turn.function() == &on_begin && turn.linked()) {
        return;  // connection_made() comes first
    }
    if (turn.linked()) {
        turn.unlink();  // the next datagram was to be received
        reads_ = false;
    }
    turn.set_function(&on_loss);
    loop().schedule(turn);
}

void DatagramEndpoint::on_loss(Callback& callback) {
    auto& self = static_cast<DatagramEndpoint&>(static_cast<DatagramTurn&>(callback));
    const std::shared_ptr<DatagramEndpoint> keep = self.self_;
    self.lose(std::exchange(self.loss_, nullptr));
}

void DatagramEndpoint::lose(std::exception_ptr error) {
    lost_ = true;
    struct Close {
        DatagramEndpoint& endpoint;
        ~Close() {
            endpoint.protocol_ = nullptr;
            endpoint.datagrams_ = nullptr;
            endpoint.socket_.close();  // and with it ends what is under way
            endpoint.let_go();
        }
    } close{*this};
    tell("Exception in callback",
         [&](BaseProtocol& protocol) { protocol.connection_lost(std::move(error)); });
}

// It is nobody's any more, when nothing is under way.
void DatagramEndpoint::let_go() noexcept {
    if (lost_ && !reads_ && (output_ == nullptr || !output_->under_way)) {
        self_.reset();
    }
}

void DatagramEndpoint::loop_closing() noexcept {
    const std::shared_ptr<DatagramEndpoint> keep = std::exchange(self_, nullptr);
    closing_ = losing_ = lost_ = true;
    for (Callback* callback : {static_cast<Callback*>(static_cast<DatagramTurn*>(this)),
                               static_cast<Callback*>(static_cast<DatagramInput*>(this)),
                               static_cast<Callback*>(output_.get())}) {
        if (callback != nullptr && callback->linked()) {
            callback->unlink();
        }
    }
    ready_ = Future<>();
    output_.reset();
    protocol_ = nullptr;
    datagrams_ = nullptr;
    socket_.close();
}

}  // namespace asyncio::detail
