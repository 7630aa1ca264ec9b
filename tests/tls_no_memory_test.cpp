// tls_no_memory_test.cpp - what becomes of TLS when there is no memory, for the library or for
// OpenSSL.
//
// SPDX-License-Identifier: MIT
#include "support/each_allocation.hpp"
#include "support/network.hpp"
#include "support/tls_scenarios.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <new>

#include <openssl/crypto.h>

namespace {

/// OpenSSL allocates thousands of times in a handshake: one in so many may fail.
constexpr int one_of = 13;
int openssl_allocations = 0;

bool is_refused(std::size_t size) noexcept {
    return ++openssl_allocations % one_of == 0 && asyncio::testing::refuses(size);
}
void* allocate(std::size_t size, const char* /*file*/, int /*line*/) {
    return is_refused(size) ? nullptr : __real_malloc(size);
}
void* reallocate(void* block, std::size_t size, const char* /*file*/, int /*line*/) {
    return is_refused(size) ? nullptr : std::realloc(block, size);
}
void release(void* block, const char* /*file*/, int /*line*/) {
    std::free(block);
}
const int replaced = CRYPTO_set_mem_functions(&allocate, &reallocate, &release);

}  // namespace

namespace asyncio {

namespace {

using testing::open_descriptors;

// OpenSSL does not always say that it was memory that it had none of; nor does the peer.
template <Coroutine<> (*scenario)()>
Coroutine<> with_any_error() {
    openssl_allocations = 0;
    const Result<void> result = co_await as_result(scenario());
    if (!result.has_value()) {
        try {
            std::rethrow_exception(result.error());
        } catch (const OSError&) {
            throw std::bad_alloc();
        }
    }
}

template <Coroutine<> (*scenario)()>
void expect_survives_each_failure() {
    ASSERT_EQ(replaced, 1);
    static_cast<void>(testing::the_client_context());
    static_cast<void>(testing::the_server_context());
    const std::size_t before = open_descriptors();

    testing::expect_survives_each_failure(&with_any_error<scenario>);

    EXPECT_EQ(open_descriptors(), before);
}

TEST(NoMemory, for_streams_over_tls) {
    expect_survives_each_failure<&testing::tls_echo<20'000>>();
}
TEST(NoMemory, for_tls_that_is_begun_later) {
    expect_survives_each_failure<&testing::tls_begun_later>();
}
TEST(NoMemory, for_protocols_over_tls) {
    expect_survives_each_failure<&testing::tls_of_protocols>();
}

}  // namespace

}  // namespace asyncio
