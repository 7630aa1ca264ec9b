// transports.cpp - what transports do that override nothing.
//
// SPDX-License-Identifier: MIT
#include <asyncio/transports.hpp>

#include <asyncio/ssl.hpp>

#include "repr.hpp"
#include "source_names.hpp"

#include <string>
#include <typeinfo>

namespace asyncio {

[[noreturn]] static void not_implemented() {
    throw NotImplementedError("");
}

BaseTransport::~BaseTransport() = default;

std::optional<std::string> BaseTransport::get_extra_info(std::string_view) const {
    return std::nullopt;
}
Address BaseTransport::peername() const {
    return {};
}
Address BaseTransport::sockname() const {
    return {};
}
TransportSocket BaseTransport::socket() const {
    return TransportSocket(Socket());
}
bool BaseTransport::is_closing() const {
    not_implemented();
}
void BaseTransport::close() {
    not_implemented();
}
void BaseTransport::set_protocol(std::shared_ptr<BaseProtocol>) {
    not_implemented();
}
std::shared_ptr<BaseProtocol> BaseTransport::get_protocol() const {
    not_implemented();
}
SSLObject BaseTransport::ssl_object() const {
    return SSLObject();
}
std::string BaseTransport::repr() const {
    return "<Transport>";
}

bool ReadTransport::is_reading() const {
    not_implemented();
}
void ReadTransport::pause_reading() {
    not_implemented();
}
void ReadTransport::resume_reading() {
    not_implemented();
}

void WriteTransport::set_write_buffer_limits(WriteBufferLimits) {
    not_implemented();
}
std::pair<std::size_t, std::size_t> WriteTransport::get_write_buffer_limits() const {
    not_implemented();
}
std::size_t WriteTransport::get_write_buffer_size() const {
    not_implemented();
}
void WriteTransport::write(std::string_view) {
    not_implemented();
}
void WriteTransport::writelines(std::span<const std::string_view> lines) {
    std::string data;
    for (const std::string_view line : lines) {
        data += line;
    }
    write(data);
}
void WriteTransport::write_eof() {
    not_implemented();
}
bool WriteTransport::can_write_eof() const {
    not_implemented();
}
void WriteTransport::abort() {
    not_implemented();
}

void DatagramTransport::sendto(std::string_view, const Address&) {
    not_implemented();
}
void DatagramTransport::abort() {
    not_implemented();
}
void DatagramTransport::set_write_buffer_limits(WriteBufferLimits) {
    not_implemented();
}
std::pair<std::size_t, std::size_t> DatagramTransport::get_write_buffer_limits() const {
    not_implemented();
}
std::size_t DatagramTransport::get_write_buffer_size() const {
    not_implemented();
}

int SubprocessTransport::get_pid() const {
    not_implemented();
}
std::optional<int> SubprocessTransport::get_returncode() const {
    not_implemented();
}
BaseTransport* SubprocessTransport::get_pipe_transport(int) const {
    not_implemented();
}
void SubprocessTransport::send_signal(int) {
    not_implemented();
}
void SubprocessTransport::terminate() {
    not_implemented();
}
void SubprocessTransport::kill() {
    not_implemented();
}

namespace detail {

std::string repr(const BaseTransport& transport) {
    return transport.repr();
}
std::string repr(const BaseProtocol& protocol) {
    return "<" + type_name(typeid(protocol)) + ">";
}

}  // namespace detail

}  // namespace asyncio
