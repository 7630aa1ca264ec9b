// SPDX-License-Identifier: MIT
#include "pair.hpp"

std::string text(std::string_view data) {
    return data.empty() ? "nothing" : std::string(data);
}

struct Recorder : DatagramProtocol {
    explicit Recorder(std::string n) : name(std::move(n)) {}

    using DatagramProtocol::connection_made;
    void connection_made(DatagramTransport& made) override {
        transport = &made;
        print(name, "made", made.is_closing());
        loop().call_soon([name = name] { print(name, "after made"); });
    }
    void datagram_received(std::string_view data, const Address& addr) override {
        ++count;
        print(name, "got", text(data));
        loop().call_soon([name = name, what = text(data)] { print(name, "after", what); });
        if (data == "ping") {
            transport->sendto("pong", addr);
        }
    }
    void error_received(std::exception_ptr exc) override {
        const std::string kind = describe(exc);
        print(name, "error", kind.substr(0, kind.find('(')));
    }
    void connection_lost(std::exception_ptr exc) override {
        print(name, "lost", describe(exc));
    }

    std::string name;
    int count = 0;
    DatagramTransport* transport = nullptr;
};

Coroutine<> until(const Recorder& protocol, int count) {
    while (protocol.count < count) {
        co_await sleep(0.001);
    }
}

Coroutine<> refuse(CreateDatagramEndpointOptions options) {
    try {
        co_await create_datagram_endpoint([] { return std::make_unique<Recorder>("no"); }, options);
    } catch (const std::invalid_argument&) {
        print(err());
    }
}

Coroutine<> main_() {
    auto server = co_await create_datagram_endpoint(
        [] { return std::make_unique<Recorder>("server"); }, {.local_addr = DatagramAddress("127.0.0.1", 0)});
    print("server is there");
    const Address address = server.transport.sockname();
    auto client = co_await create_datagram_endpoint(
        [] { return std::make_unique<Recorder>("client"); }, {.remote_addr = address});
    DatagramTransport& transport = client.transport;
    print("client is there", transport.peername() == address);
    const auto [low, high] = transport.get_write_buffer_limits();
    print("limits", "(" + std::to_string(low) + ", " + std::to_string(high) + ")");

    transport.sendto("ping");
    print("sent");
    co_await until(*client.protocol, 1);
    for (const char* data : {"one", "", "three"}) {
        transport.sendto(data);
    }
    co_await until(*server.protocol, 4);
    co_await sleep(0.001);

    try {
        transport.sendto("x", Address("127.0.0.1", 1));
    } catch (const std::invalid_argument& error) {
        print(std::string(error.what()).substr(0, 32));
    }
    transport.sendto(std::string(70000, 'x'));
    print("closing", transport.is_closing());

    loop().call_soon([] { print("before lost"); });
    transport.close();
    loop().call_soon([] { print("behind lost"); });
    print("closing", transport.is_closing());
    transport.close();
    co_await sleep(0);
    print("closed");
    server.transport.abort();
    co_await sleep(0.001);

    co_await refuse({});
    co_await refuse({.local_addr = DatagramAddress("127.0.0.1", 0), .remote_addr = DatagramAddress("::1", 9)});
}

int main() {
    run(main_());
}
