// protocols.cpp - what protocols do that override nothing.
//
// SPDX-License-Identifier: MIT
#include <asyncio/protocols.hpp>
#include <asyncio/transports.hpp>

namespace asyncio {

BaseProtocol::~BaseProtocol() = default;
void BaseProtocol::connection_made(BaseTransport&) {}
void BaseProtocol::connection_lost(std::exception_ptr) {}
void BaseProtocol::pause_writing() {}
void BaseProtocol::resume_writing() {}

void Protocol::connection_made(BaseTransport&) {}
void Protocol::connection_made(Transport& transport) {
    connection_made(static_cast<BaseTransport&>(transport));
}
void Protocol::data_received(std::string_view) {}
bool Protocol::eof_received() {
    return false;
}

void BufferedProtocol::connection_made(BaseTransport&) {}
void BufferedProtocol::connection_made(Transport& transport) {
    connection_made(static_cast<BaseTransport&>(transport));
}
bool BufferedProtocol::eof_received() {
    return false;
}

void DatagramProtocol::connection_made(BaseTransport&) {}
void DatagramProtocol::connection_made(DatagramTransport& transport) {
    connection_made(static_cast<BaseTransport&>(transport));
}
void DatagramProtocol::datagram_received(std::string_view, const Address&) {}
void DatagramProtocol::error_received(std::exception_ptr) {}

void SubprocessProtocol::connection_made(BaseTransport&) {}
void SubprocessProtocol::connection_made(SubprocessTransport& transport) {
    connection_made(static_cast<BaseTransport&>(transport));
}
void SubprocessProtocol::pipe_data_received(int, std::string_view) {}
void SubprocessProtocol::pipe_connection_lost(int, std::exception_ptr) {}
void SubprocessProtocol::process_exited() {}

}  // namespace asyncio
