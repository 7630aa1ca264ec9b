// protocol_transport.cpp - how a protocol is told what happens to its connection.
//
// SPDX-License-Identifier: MIT
#include "protocol_transport.hpp"

#include <asyncio/events.hpp>
#include <asyncio/ssl.hpp>

#include "report.hpp"

#include <algorithm>
#include <cstring>

namespace asyncio::detail {

using lowlevel::Callback;

ProtocolTransport::ProtocolTransport(StreamHandle connection,
                                     std::shared_ptr<BaseProtocol> protocol)
    : Callback(&on_begin), connection_(std::move(connection)), protocol_(std::move(protocol)) {
    capture_context(context_, nullptr);
    choose_kind();
}

ProtocolTransport::~ProtocolTransport() {
    leave_server();
}

void ProtocolTransport::begin(Future<> ready, ServerCore* server) {
    ready_ = std::move(ready);
    self_ = shared_from_this();
    TransportOf::set(*protocol_, self_);
    if (server != nullptr) {
        server_ = server;
        server->retain();
        server->attach(*this);
    }
    if (connection().lost()) {  // since its handshake; nobody will tell
        on_begin(*this);
        connection_lost(connection().lost_by());
        return;
    }
    connection().set_receiver(this);
    connection().loop()->schedule(static_cast<Callback&>(*this));
}

// What are three callbacks in CPython, one right after the other.
void ProtocolTransport::on_begin(Callback& callback) {
    auto& self = static_cast<ProtocolTransport&>(callback);
    const std::shared_ptr<ProtocolTransport> keep = self.self_;
    const Future<> ready = std::exchange(self.ready_, Future<>());
    struct Begin {  // also when a SystemExit leaves connection_made()
        ProtocolTransport& transport;
        const Future<>& ready;
        ~Begin() {
            if (transport.is_reading()) {
                transport.connection().start_reading();
            }
            if (ready && !ready.done()) {
                ready.set_result();
            }
        }
    } begin{self, ready};
    self.made();
}

void ProtocolTransport::made() {
    const ContextScope scope(context_, ContextScope::Again());
    try {
        if (stream_ != nullptr) {
            stream_->connection_made(*this);
        } else if (buffered_ != nullptr) {
            buffered_->connection_made(*this);
        } else {
            protocol_->connection_made(*this);
        }
    } catch (...) {
        report("Exception in callback", std::current_exception());
    }
}

// ------------------------------------------------------------------------------- as a transport

SSLObject ProtocolTransport::ssl_object() const {
    return SSLObject(connection().tls_engine());
}

std::optional<std::string> ProtocolTransport::get_extra_info(std::string_view name) const {
    return connection().extra_info(name);
}

// The one before may be running: it is kept until the next turn. There may be none: then tasks have
// read and written so far, and what they have not read is for the protocol.
void ProtocolTransport::set_protocol(std::shared_ptr<BaseProtocol> protocol) {
    if (protocol == nullptr) {
        raise_value_error("a transport must have a protocol");
    }
    if (self_ == nullptr && !connection().pushes()) {
        throw RuntimeError("a file has no protocol");
    }
    if (self_ == nullptr && connection().reader() != nullptr) {
        throw RuntimeError("set_protocol() called while a task reads");
    }
    if (EventLoop* const loop = connection().loop(); loop != nullptr && protocol_ != nullptr) {
        loop->call_soon([before = protocol_] {});
    }
    if (!connection().lost()) {
        TransportOf::set(*protocol, shared_from_this());
        protocol_ = std::move(protocol);
        choose_kind();
        if (self_ == nullptr) {
            take_over();
        }
    }
}

// Over TLS whose handshake is to come it is the receiver already, and reads after that.
void ProtocolTransport::take_over() {
    self_ = shared_from_this();
    if (connection().receiver() == nullptr) {
        connection().set_receiver(this);
        resume_after_upgrade();
    }
}

void ProtocolTransport::choose_kind() noexcept {
    stream_ = dynamic_cast<Protocol*>(protocol_.get());
    buffered_ = dynamic_cast<BufferedProtocol*>(protocol_.get());
    target_ = nullptr;
}

void ProtocolTransport::pause_reading() {
    if (is_reading()) {
        paused_ = true;
        connection().stop_reading();
    }
}

void ProtocolTransport::resume_reading() {
    if (!is_closing() && std::exchange(paused_, false)) {
        connection().start_reading();
    }
}

std::string ProtocolTransport::repr() const {
    const Connection& carrier = connection();
    std::string text = "<Transport";
    if (carrier.lost()) {
        text += " closed";
    } else if (carrier.closing()) {
        text += " closing";
    }
    const std::size_t size = carrier.write_buffer_size();
    return text + " fd=" + std::to_string(carrier.socket().fileno()) +
           (carrier.reading() ? " read=polling" : " read=idle") +
           (size > 0 ? " write=<polling" : " write=<idle") + ", bufsize=" + std::to_string(size) +
           ">>";
}

// -------------------------------------------------------------------------------- as a receiver

// To be called while a callback's exception is handled: the connection cannot go on without it.
void ProtocolTransport::fail(const char* message) {
    const std::exception_ptr error = std::current_exception();
    try {
        throw;
    } catch (const OSError&) {
        // The protocol is told, as it is told of those of the system.
    } catch (...) {
        report(message, error);
    }
    connection().force_close(error);
}

void ProtocolTransport::report(const char* message, std::exception_ptr error) {
    if (leaves_the_loop(error)) {
        std::rethrow_exception(error);
    }
    ExceptionContext context;
    set_message(context, [message] { return message; });
    context.exception = std::move(error);
    context.transport = this;
    context.protocol = protocol_.get();
    connection().loop()->call_exception_handler(context);
}

// Empty if it failed, and the connection with it.
std::span<std::byte> ProtocolTransport::get_buffer(std::ptrdiff_t hint) {
    try {
        const std::span<std::byte> buffer = buffered_->get_buffer(hint);
        if (buffer.empty()) {
            throw RuntimeError("get_buffer() returned an empty buffer");
        }
        return buffer;
    } catch (...) {
        fail("Fatal error: protocol.get_buffer() call failed.");
        return {};
    }
}

void ProtocolTransport::buffer_updated(std::size_t n) {
    try {
        buffered_->buffer_updated(n);
    } catch (...) {
        fail("Fatal error: protocol.buffer_updated() call failed.");
    }
}

std::span<char> ProtocolTransport::receive_buffer() {
    if (buffered_ == nullptr) {
        return {};
    }
    const ContextScope scope(context_, ContextScope::Again());
    const std::span<std::byte> buffer = get_buffer(-1);
    target_ = reinterpret_cast<char*>(buffer.data());
    return {target_, buffer.size()};
}

// What was received elsewhere is copied into as many buffers as it takes. The protocol may be
// another one after each call.
void ProtocolTransport::received(std::span<char> data) {
    const ContextScope scope(context_, ContextScope::Again());
    if (buffered_ != nullptr && data.data() == std::exchange(target_, nullptr)) {
        buffer_updated(data.size());
        return;
    }
    while (buffered_ != nullptr && !data.empty() && !is_closing()) {
        const std::span<std::byte> buffer = get_buffer(static_cast<std::ptrdiff_t>(data.size()));
        if (buffered_ == nullptr || is_closing()) {
            break;
        }
        const std::size_t size = std::min(data.size(), buffer.size());
        std::memcpy(buffer.data(), data.data(), size);
        data = data.subspan(size);
        buffer_updated(size);
    }
    if (stream_ == nullptr || data.empty() || is_closing()) {
        return;
    }
    try {
        stream_->data_received({data.data(), data.size()});
    } catch (...) {
        fail("Fatal error: protocol.data_received() call failed.");
    }
}

void ProtocolTransport::received_end() {
    const ContextScope scope(context_, ContextScope::Again());
    bool keep_open = false;
    try {
        keep_open = stream_ != nullptr     ? stream_->eof_received()
                    : buffered_ != nullptr ? buffered_->eof_received()
                                           : false;
    } catch (...) {
        fail("Fatal error: protocol.eof_received() call failed.");
        return;
    }
    if (!keep_open) {
        close();
    }
}

// In the context of whoever writes, as in CPython.
void ProtocolTransport::writing_paused() {
    try {
        protocol_->pause_writing();
    } catch (...) {
        report("protocol.pause_writing() failed", std::current_exception());
    }
}

void ProtocolTransport::writing_resumed() {
    const ContextScope scope(context_, ContextScope::Again());
    try {
        protocol_->resume_writing();
    } catch (...) {
        report("protocol.resume_writing() failed", std::current_exception());
    }
}

void ProtocolTransport::connection_lost(std::exception_ptr error) {
    const std::shared_ptr<ProtocolTransport> keep = std::exchange(self_, nullptr);
    struct Leave {
        ProtocolTransport& transport;
        ~Leave() {
            transport.protocol_ = nullptr;
            transport.choose_kind();
            transport.leave_server();
        }
    } leave{*this};
    // The end of a handshake may find that the peer has gone: the protocol is told of a connection
    // all the same, as in CPython, and first.
    if (Callback& begin = *this; begin.linked()) {
        begin.unlink();
        on_begin(begin);
    }
    const ContextScope scope(context_, ContextScope::Again());
    try {
        protocol_->connection_lost(std::move(error));
    } catch (...) {
        report("Exception in callback", std::current_exception());
    }
}

void ProtocolTransport::connection_dropped() noexcept {
    const std::shared_ptr<ProtocolTransport> keep = std::exchange(self_, nullptr);
    if (Callback& begin = *this; begin.linked()) {
        begin.unlink();
    }
    ready_ = Future<>();
    protocol_ = nullptr;
    choose_kind();
    leave_server();
}

void ProtocolTransport::leave_server() noexcept {
    if (ServerCore* const server = std::exchange(server_, nullptr)) {
        server->detach(*this);
        server->release();
    }
}

}  // namespace asyncio::detail
