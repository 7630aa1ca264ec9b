// http_server.cpp - an HTTP/1.1 server: keep-alive, requests sent ahead, bodies, and limits.
//
//     ./run examples/http_server.cpp 8080       # and in another terminal:
//     curl -i http://127.0.0.1:8080/
//     curl -d hello http://127.0.0.1:8080/echo
//     wrk -t1 -c64 -d5 http://127.0.0.1:8080/
//
// A second number is how many seconds a client may take for each step (support/http_server.hpp
// says which limits there are). On Ctrl-C or SIGTERM the requests that are under way are still
// answered.
// SPDX-License-Identifier: MIT
#include "support/http_server.hpp"

#include <asyncio/asyncio.hpp>
#include <asyncio/shutdown.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>
#include <utility>

using namespace asyncio;
using namespace std::chrono_literals;

Coroutine<http::Answer> hello(const http::Request&) {
    co_return http::Answer{.body = "Hello, world!\n"};
}

Coroutine<http::Answer> echo(const http::Request& request) {
    co_return http::Answer{.body = request.body, .type = "application/octet-stream"};
}

Coroutine<http::Answer> slow(const http::Request&) {
    co_await sleep(1s);
    co_return http::Answer{.body = "That took a second.\n"};
}

struct Route {
    std::string_view path;
    std::string_view method;
    std::string_view allow;  ///< the methods, for those who use another
    http::Handler handler;
};

constexpr Route routes[] = {
    {"/", "GET", "GET, HEAD", hello},
    {"/echo", "POST", "POST", echo},
    {"/slow", "GET", "GET, HEAD", slow},
};

Coroutine<http::Answer> answer(const http::Request& request) {
    for (const Route& route : routes) {
        if (request.path != route.path) {
            continue;
        }
        if (request.method == route.method || (request.method == "HEAD" && route.method == "GET")) {
            co_return co_await route.handler(request);
        }
        http::Answer refusal = http::answer_of(405);
        refusal.headers.emplace_back("Allow", route.allow);
        co_return refusal;
    }
    co_return http::answer_of(404);
}

Coroutine<> stop_in_time(http::HttpServer& http) {
    co_await shutdown_event().wait();
    http.stop();
}

Coroutine<> amain(http::HttpServer& http, int port) {
    auto serve = [&http](StreamReader reader, StreamWriter writer) {
        return http.serve(std::move(reader), std::move(writer));
    };
    Server server = co_await start_server(
        serve, "127.0.0.1", port, {.limit = http.stream_limit(), .max_connections = 10'000});
    std::printf("serving on 127.0.0.1:%d\n", server.addresses().front().port());
    std::fflush(stdout);

    const auto stopping = create_task(stop_in_time(http));
    ServeOptions options;
    options.grace = 5s;
    co_await serve_until_signalled(server, options);
    std::puts("bye");
}

int main(int argc, char** argv) {
    http::ServerLimits limits;
    if (argc > 2) {
        limits.head_time = limits.body_time = limits.send_time = std::atof(argv[2]);
    }
    http::HttpServer http(answer, limits);  // here, because its tasks end after amain()
    try {
        run(amain(http, argc > 1 ? std::atoi(argv[1]) : 8080));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "http_server: %s\n", error.what());  // the port is taken, perhaps
        return 1;
    }
}
