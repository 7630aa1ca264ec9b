// datagram_echo.cpp - both ends of an echo by UDP.
//
// usage: datagram_echo server; serves on a free port until Ctrl-C.
//        datagram_echo client PORT COUNT; says how many came back.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

using namespace asyncio;

class Echo : public DatagramProtocol {
public:
    void connection_made(DatagramTransport& transport) override { transport_ = &transport; }
    void datagram_received(std::string_view data, const Address& from) override {
        transport_->sendto(data, from);
    }

private:
    DatagramTransport* transport_ = nullptr;
};

class Client : public DatagramProtocol {
public:
    void datagram_received(std::string_view data, const Address&) override {
        received.put_nowait(std::string(data));
    }

    Queue<std::string> received;
};

Coroutine<> serve() {
    auto make = [] { return std::make_unique<Echo>(); };
    auto [transport, protocol] =
        co_await create_datagram_endpoint(make, {.local_addr = {"127.0.0.1", 0}});
    const auto name = transport.get_extra_info("sockname");
    std::printf("serving on %s\n", name.value_or("nothing").c_str());
    std::fflush(stdout);
    Event never;
    co_await never.wait();
}

Coroutine<> ask(int port, int count) {
    auto make = [] { return std::make_unique<Client>(); };
    auto [transport, protocol] =
        co_await create_datagram_endpoint(make, {.remote_addr = {"127.0.0.1", port}});
    int right = 0;
    for (int i = 0; i < count; ++i) {
        const std::string data(static_cast<std::size_t>(1 + i * 7919 % 20'000),
                               static_cast<char>(i));
        transport.sendto(data);
        const std::string received = co_await protocol->received.get();
        right += received == data ? 1 : 0;
    }
    transport.close();
    std::printf("%d of %d came back\n", right, count);
}

int main(int argc, char** argv) {
    if (argc > 3) {
        run(ask(std::atoi(argv[2]), std::atoi(argv[3])));
        return 0;
    }
    try {
        run(serve());
    } catch (const KeyboardInterrupt&) {
        std::puts("bye");
    }
}
