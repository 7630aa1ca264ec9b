// shutdown_test.cpp - serve_until_signalled().
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/shutdown.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/tasks.hpp>

#include <chrono>
#include <csignal>
#include <string>

namespace asyncio {

using namespace std::chrono_literals;
using testing::settle;

namespace {

struct Service {
    explicit Service(Server listening)
        : server(std::move(listening)), port(server.sockets().front().getsockname().port()) {}
    Server server;
    int port;
};

/// What handlers say; some are still there when a test is over.
std::string log;

Coroutine<Service> listen() {
    log.clear();
    // Answers each line, and "wait" only after an hour; ends when it is told that it is time.
    auto handler = [](StreamReader reader, StreamWriter writer) -> Coroutine<> {
        return [](std::string& said, StreamReader in, StreamWriter out) -> Coroutine<> {
            auto done = co_await as_result(
                [](std::string& what, StreamReader& from, StreamWriter& to) -> Coroutine<> {
                    while (auto line = co_await from.next()) {
                        if (*line == "wait\n") {
                            co_await sleep(1h);
                        }
                        if (*line == "busy\n") {
                            co_await sleep(10s);
                            what += "answered ";
                        }
                        to.write(*line);
                        co_await to.drain();
                        if (shutdown_event().is_set()) {
                            what += "told ";
                            break;
                        }
                    }
                }(said, in, out));
            said += done.cancelled() ? "cancelled " : "";
            out.close();
            done.get();
        }(log, std::move(reader), std::move(writer));
    };
    co_return Service(co_await start_server(handler, "127.0.0.1", 0));
}

Coroutine<StreamPair> connect(int port, std::string line) {
    StreamPair pair = co_await open_connection("127.0.0.1", port);
    pair.writer.write(line);
    co_return std::move(pair);
}

double seconds_since(TimePoint begin) {
    return std::chrono::duration<double>(get_running_loop().time() - begin).count();
}

}  // namespace

ASYNC_TEST(ServeUntilSignalled, lets_clients_finish_and_tells_their_handlers) {
    Service service = co_await listen();
    auto serving = create_task(serve_until_signalled(service.server));
    auto [reader, writer] = co_await connect(service.port, "busy\n");
    co_await sleep(1s);
    EXPECT_FALSE(shutdown_event().is_set());

    ::raise(SIGTERM);
    co_await settle();

    EXPECT_FALSE(service.server.is_serving());
    EXPECT_TRUE(shutdown_event().is_set());
    EXPECT_FALSE(serving.done());
    EXPECT_EQ(co_await reader.read(), "busy\n");
    EXPECT_EQ(co_await serving, SIGTERM);
    EXPECT_EQ(log, "answered told ");
    writer.close();
}

ASYNC_TEST(ServeUntilSignalled, cancels_handlers_after_the_grace_time) {
    Service service = co_await listen();
    auto serving = create_task(serve_until_signalled(service.server, {.grace = 20s}));
    auto [reader, writer] = co_await connect(service.port, "wait\n");
    co_await settle();
    const TimePoint begin = get_running_loop().time();

    ::raise(SIGINT);

    EXPECT_EQ(co_await serving, SIGINT);
    EXPECT_NEAR(seconds_since(begin), 20, 0.1);
    EXPECT_EQ(log, "cancelled ");
    EXPECT_EQ(co_await reader.read(), "");
    writer.close();
}

ASYNC_TEST(ServeUntilSignalled, drops_what_does_not_end_when_it_is_cancelled) {
    auto handler = [](StreamReader, StreamWriter writer) -> Coroutine<> {
        auto kept = co_await as_result(sleep(1h));
        kept = co_await as_result(sleep(1h));
        writer.close();
    };
    Server server = co_await start_server(handler, "127.0.0.1", 0);
    const int port = server.sockets().front().getsockname().port();
    auto serving = create_task(serve_until_signalled(server, {.grace = 20s, .cleanup = 3s}));
    auto [reader, writer] = co_await open_connection("127.0.0.1", port);
    co_await settle();
    const TimePoint begin = get_running_loop().time();

    ::raise(SIGTERM);

    EXPECT_EQ(co_await serving, SIGTERM);
    EXPECT_NEAR(seconds_since(begin), 23, 0.1);
    writer.close();
}

ASYNC_TEST(ServeUntilSignalled, is_over_at_once_with_the_second_signal) {
    Service service = co_await listen();
    auto serving = create_task(serve_until_signalled(service.server, {.grace = std::nullopt}));
    auto [reader, writer] = co_await connect(service.port, "wait\n");
    co_await sleep(1s);
    const TimePoint begin = get_running_loop().time();

    ::raise(SIGTERM);
    co_await sleep(2s);
    EXPECT_FALSE(serving.done());
    ::raise(SIGTERM);

    EXPECT_EQ(co_await serving, SIGTERM);
    EXPECT_NEAR(seconds_since(begin), 2, 0.1);
    writer.close();
}

ASYNC_TEST(ServeUntilSignalled, ends_when_somebody_closes_the_server) {
    Service service = co_await listen();
    auto serving = create_task(serve_until_signalled(service.server));
    co_await settle();

    service.server.close();

    EXPECT_EQ(co_await serving, 0);
    EXPECT_FALSE(shutdown_event().is_set());
}

ASYNC_TEST(ServeUntilSignalled, drops_everything_when_it_is_cancelled) {
    for (const bool signalled : {false, true}) {
        Service service = co_await listen();
        auto serving = create_task(serve_until_signalled(service.server));
        auto [reader, writer] = co_await connect(service.port, "wait\n");
        co_await settle();
        if (signalled) {
            ::raise(SIGTERM);
            co_await settle();
        }

        serving.cancel();
        co_await service.server.wait_closed();
        co_await settle();

        EXPECT_TRUE(serving.cancelled());
        struct sigaction action{};
        ::sigaction(SIGTERM, nullptr, &action);
        EXPECT_EQ(action.sa_handler, SIG_DFL);
        writer.close();
        shutdown_event().clear();
    }
}

}  // namespace asyncio
