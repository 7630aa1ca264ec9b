// process_pool.cpp - work that keeps processors busy, in processes of its own: a function of the
// program is called in two workers while the loop goes on.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>
#include <asyncio/processes.hpp>

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <span>
#include <stdexcept>
#include <vector>

using namespace asyncio;

struct Range {
    int first = 0;
    int last = 0;
};

static int count_primes(const Range& range) {
    if (range.first > range.last) {
        throw std::invalid_argument("first > last");
    }
    int count = 0;
    for (int n = std::max(range.first, 2); n < range.last; ++n) {
        bool prime = true;
        for (int d = 2; d * d <= n && prime; ++d) {
            prime = n % d != 0;
        }
        count += prime ? 1 : 0;
    }
    return count;
}

static double sum_of(const SharedMemory& memory) {
    const std::span<double> numbers = memory.span<double>();
    return std::accumulate(numbers.begin(), numbers.end(), 0.0);
}

static Coroutine<> amain() {
    EventLoop& loop = get_running_loop();
    ProcessPoolExecutor pool({.max_workers = 2});

    // One call.
    const Range first_thousand{0, 1000};
    const int primes = co_await loop.run_in_executor(&pool, count_primes, first_thousand);
    std::printf("primes below 1000: %d\n", primes);

    // Many, some at a time, in order.
    std::vector<Range> ranges;
    for (int i = 0; i < 10; ++i) {
        ranges.push_back({i * 10'000, (i + 1) * 10'000});
    }
    const std::vector<int> counts = co_await pool.map({.chunksize = 2}, count_primes, ranges);
    std::printf("primes below 100000: %d\n", std::accumulate(counts.begin(), counts.end(), 0));

    // An exception comes back as itself.
    const Range wrong{2, 1};
    try {
        co_await loop.run_in_executor(&pool, count_primes, wrong);
    } catch (const std::invalid_argument& error) {
        std::printf("ValueError: %s\n", error.what());
    }

    // Large data is not copied.
    const SharedMemory memory({.create = true, .size = 1'000'000 * sizeof(double)});
    for (double& number : memory.span<double>()) {
        number = 0.5;
    }
    const double sum = co_await loop.run_in_executor(&pool, sum_of, memory);
    std::printf("sum: %.0f\n", sum);
}

int main() {
    run(amain());
}
