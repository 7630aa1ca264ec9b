// A program outside that uses asyncio::processes.
// SPDX-License-Identifier: MIT
#include <asyncio/detail/config.hpp>
#include <asyncio/processes.hpp>

#include <cstdio>

int main() {
    asyncio::ProcessPoolExecutor pool(1);
    const auto future = pool.submit([](int x) { return x + 1; }, 1);
    if (future.result() == 2) {
        std::printf("consumer %d.%d.%d ok\n", ASYNCIO_VERSION_MAJOR, ASYNCIO_VERSION_MINOR,
                    ASYNCIO_VERSION_PATCH);
    }
}
