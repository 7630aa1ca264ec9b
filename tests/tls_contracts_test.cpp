// tls_contracts_test.cpp - the contract of streams is kept over TLS, whatever carries it.
//
// SPDX-License-Identifier: MIT
#include <asyncio/log.hpp>
#include <asyncio/sockets.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/testing/contracts.hpp>
#include <asyncio/testing/memory_streams.hpp>

#include "support/async_test.hpp"
#include "support/network.hpp"
#include "support/tls_scenarios.hpp"

#include "testing/memory_connection.hpp"
#include "tls_handshake.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <sys/socket.h>

namespace asyncio {

namespace {

using testing::ConnectedStreams;
using testing::MemoryStreamOptions;
using testing::StreamMaker;
using testing::the_client_context;
using testing::the_server_context;

class TCPStreams final : public StreamMaker {
public:
    Coroutine<ConnectedStreams> connect(std::size_t limit) override {
        const auto accepted =
            std::make_shared<Future<StreamPair>>(get_running_loop().create_future<StreamPair>());
        StartServerOptions serving;
        serving.ssl = &the_server_context();
        serving.limit = limit;
        Socket listener = small_socket();
        listener.bind(*Address::parse("127.0.0.1", 0));
        const Address address = listener.getsockname();
        auto accept = [accepted](StreamReader reader, StreamWriter writer) {
            accepted->set_result(StreamPair{std::move(reader), std::move(writer)});
        };
        Server server = co_await start_server(accept, std::move(listener), serving);
        OpenConnectionOptions options;
        options.ssl = &the_client_context();
        options.server_hostname = "localhost";
        options.limit = limit;
        Socket connecting = small_socket();
        co_await sock_connect(connecting, address);
        StreamPair first = co_await open_connection(std::move(connecting), options);
        StreamPair second = co_await std::move(*accepted);
        server.close();
        co_return ConnectedStreams{std::move(first), std::move(second)};
    }
    [[nodiscard]] std::size_t too_much() const noexcept override { return 2'000'000; }

private:
    static Socket small_socket() {
        Socket socket(AddressFamily::ipv4);
        const int small = 65'536;
        socket.setsockopt(SOL_SOCKET, SO_SNDBUF, small);
        socket.setsockopt(SOL_SOCKET, SO_RCVBUF, small);
        return socket;
    }
};

/// TLS over one end of a connection in memory, where no server makes it.
Coroutine<StreamPair> begin_tls(detail::StreamKeep carrier, std::size_t limit,
                                detail::TLSSettings settings) {
    auto& connection =
        *new detail::TLSConnection(detail::connection_of(carrier.get()), limit, settings);
    StreamReader reader(connection);
    StreamPair streams{std::move(reader), StreamWriter(connection)};
    co_await detail::tls_handshake(connection);
    co_return streams;
}

class MemoryStreams final : public StreamMaker {
public:
    explicit MemoryStreams(MemoryStreamOptions options = {}) : options_(options) {}
    Coroutine<ConnectedStreams> connect(std::size_t limit) override {
        detail::LoopIO& io = detail::LoopIO::of(get_running_loop());
        auto& one = *new testing::MemoryConnection(io, options_);
        const detail::StreamKeep keep(one);
        auto& other = *new testing::MemoryConnection(io, options_);
        const detail::StreamKeep keep_other(other);
        testing::MemoryConnection::connect(one, other);
        detail::TLSSettings client;
        client.context = the_client_context().implementation();
        client.server_hostname = "localhost";
        detail::TLSSettings server;
        server.context = the_server_context().implementation();
        server.server_side = true;
        Task<StreamPair> serving = create_task(begin_tls(keep_other, limit, server));
        StreamPair first = co_await begin_tls(keep, limit, client);
        StreamPair second = co_await std::move(serving);
        co_return ConnectedStreams{std::move(first), std::move(second)};
    }
    [[nodiscard]] std::size_t too_much() const noexcept override { return 2'000'000; }

private:
    MemoryStreamOptions options_;
};

void expect_kept(StreamMaker& maker) {
    set_logger([](Level, std::string_view) {});  // what is written in vain is logged
    for (const char* proactor : testing::proactors) {
        const std::size_t before = testing::open_descriptors();
        for (const std::string& violation : testing::check_stream_contract(maker, proactor)) {
            ADD_FAILURE() << "on " << proactor << ": " << violation;
        }
        EXPECT_EQ(testing::open_descriptors(), before);
    }
    set_logger(nullptr);
}

TEST(StreamContract, is_kept_over_tls) {
    TCPStreams maker;
    expect_kept(maker);
}
TEST(StreamContract, is_kept_over_tls_in_memory) {
    MemoryStreams maker;
    expect_kept(maker);
}
TEST(StreamContract, is_kept_over_tls_in_memory_where_bytes_come_in_pieces) {
    MemoryStreamOptions options;
    options.buffer = 10'000;
    options.piece = 333;
    MemoryStreams maker(options);
    expect_kept(maker);
}

}  // namespace

}  // namespace asyncio
