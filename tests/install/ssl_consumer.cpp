// ssl_consumer.cpp - a program from outside that uses TLS.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>
#include <asyncio/detail/config.hpp>
#include <asyncio/ssl.hpp>

#include <cstdio>
#include <cstdlib>

using namespace asyncio;

static Coroutine<> amain() {
    const SSLContext context = create_default_context();
    const auto result = co_await as_result(open_connection("127.0.0.1", 1, {.ssl = &context}));
    if (result.has_value()) {
        std::puts("somebody listens on port 1");
        std::exit(1);
    }
    MemoryBIO incoming;
    MemoryBIO outgoing;
    SSLObject object = context.wrap_bio(incoming, outgoing, {.server_hostname = "localhost"});
    try {
        object.do_handshake();
    } catch (const SSLWantReadError&) {
        if (outgoing.pending() > 100) {
            std::printf("consumer %d.%d.%d ok\n", ASYNCIO_VERSION_MAJOR, ASYNCIO_VERSION_MINOR,
                        ASYNCIO_VERSION_PATCH);
        }
    }
}

int main() {
    run(amain());
}
