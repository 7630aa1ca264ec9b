// datagram_output.hpp - what a DatagramEndpoint has still to send, and how it tells its protocol:
// for its source files.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "datagram_transport.hpp"

#include <deque>
#include <exception>
#include <memory>
#include <string>

namespace asyncio::detail {

/// What is still to be sent, and the operation that waits until it can be.
struct DatagramEndpoint::Output final : lowlevel::Operation {
    Output(DatagramEndpoint& endpoint, int fd) noexcept
        : Operation(&DatagramEndpoint::on_output, lowlevel::Opcode::poll_out, fd),
          endpoint(endpoint) {}

    struct Datagram {
        std::string data;
        Address to;
    };
    struct Retry : lowlevel::Callback {
        explicit Retry(Output& output) noexcept
            : Callback(&DatagramEndpoint::on_retry), output(output) {}
        Output& output;
    };

    DatagramEndpoint& endpoint;
    std::deque<Datagram> datagrams;
    Retry retry{*this};
    bool under_way = false;  // or what it waited for is being done
    bool stuck = false;      // the socket is writable, and takes nothing
};

// What it throws is reported; the transport goes on.
template <class Call>
void DatagramEndpoint::tell(const char* failure, Call call) {
    if (protocol_ == nullptr) {
        return;
    }
    const std::shared_ptr<BaseProtocol> keep = protocol_;
    const ContextScope scope(context_, ContextScope::Again());
    try {
        call(*keep);
    } catch (...) {
        report(failure, std::current_exception());
    }
}

}  // namespace asyncio::detail
