// asio_coordination.cpp - Boost.Asio's sister does the work of `coordination`, where it has it.
//
//     asio_coordination [GROUP...]        groups: queues groups timeouts sleepers
//
// Stand-alone Asio and its C++20 coroutines, on one thread without locks. It has no lock to await,
// and no task group: children are spawned, and the last one that ends wakes their parent.
//
// SPDX-License-Identifier: MIT
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/experimental/channel.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include "../support/coordination.hpp"
#include "../support/groups.hpp"
#include "../support/measure.hpp"

namespace {

using namespace bench;
using namespace std::chrono_literals;
using asio::awaitable;
using asio::use_awaitable;
using Channel = asio::experimental::channel<void(asio::error_code, int)>;

double per(std::uint64_t nanoseconds, double operations) {
    return static_cast<double>(nanoseconds) / operations;
}

awaitable<int> add_one(int x) {
    co_return x + 1;
}

/// Wakes the task that waits for it when as many have left as were to be awaited.
class Countdown {
public:
    Countdown(asio::any_io_executor executor, int count)
        : left_(count), timer_(executor, asio::steady_timer::time_point::max()) {}
    void leave() {
        if (--left_ == 0) {
            timer_.cancel();
        }
    }
    awaitable<void> wait() {
        if (left_ > 0) {
            asio::error_code ignored;
            co_await timer_.async_wait(asio::redirect_error(use_awaitable, ignored));
        }
    }

private:
    int left_;
    asio::steady_timer timer_;
};

// ---- queues

awaitable<void> produce(Channel& channel, int count) {
    for (int i = 0; i < count; ++i) {
        co_await channel.async_send(asio::error_code(), i, use_awaitable);
    }
}

awaitable<void> consume(Channel& channel, int count, std::int64_t& sum) {
    for (int i = 0; i < count; ++i) {
        sum += co_await channel.async_receive(use_awaitable);
    }
}

awaitable<void> measure_queue(const char* metric, std::size_t capacity) {
    constexpr std::int64_t items = coordination::queue_items;
    const auto executor = co_await asio::this_coro::executor;
    Channel channel(executor, capacity);
    Countdown running(executor, 2);
    std::int64_t sum = 0;
    const auto leave = [&](std::exception_ptr) { running.leave(); };
    const std::uint64_t start = cpu_ns();
    asio::co_spawn(executor, produce(channel, items), leave);
    asio::co_spawn(executor, consume(channel, items, sum), leave);
    co_await running.wait();
    report(metric, per(cpu_ns() - start, items));
    require(sum == items * (items - 1) / 2, metric);
}

awaitable<void> measure_queues() {
    co_await measure_queue("queue_cap1_ns", 1);
    co_await measure_queue("queue_cap1024_ns", 1024);
}

// ---- groups

awaitable<void> measure_groups() {
    const auto executor = co_await asio::this_coro::executor;
    std::int64_t sum = 0;
    const std::uint64_t start = cpu_ns();
    for (int i = 0; i < coordination::group_times; ++i) {
        Countdown running(executor, coordination::group_size);
        std::vector<int> results(coordination::group_size);
        for (int j = 0; j < coordination::group_size; ++j) {
            asio::co_spawn(executor, add_one(j), [&, j](std::exception_ptr, int result) {
                results[static_cast<std::size_t>(j)] = result;
                running.leave();
            });
        }
        co_await running.wait();
        sum += results.back();
    }
    report("gather_1000_ns",
           per(cpu_ns() - start, double(coordination::group_times) * coordination::group_size));
    require(sum == std::int64_t{coordination::group_times} * coordination::group_size, "groups");
}

// ---- timeouts

awaitable<void> measure_timeouts() {
    using namespace asio::experimental::awaitable_operators;
    constexpr int times = coordination::timeout_times;
    const auto executor = co_await asio::this_coro::executor;

    std::uint64_t start = cpu_ns();
    int result = 0;
    for (int i = 0; i < times; ++i) {
        asio::steady_timer limit(executor, 10s);
        asio::error_code ignored;  // an exception would cost ten times as much
        const auto either = co_await (
            add_one(result) || limit.async_wait(asio::redirect_error(use_awaitable, ignored)));
        result = std::get<0>(either);
    }
    report("timeout_ns", per(cpu_ns() - start, times));
    require(result == times, "timeout");

    start = cpu_ns();
    for (int i = 0; i < times; ++i) {
        result = co_await add_one(result);
    }
    report("await_ns", per(cpu_ns() - start, times));
}

// ---- sleepers

awaitable<void> sleep_long() {
    asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
    co_await timer.async_wait(use_awaitable);
}

awaitable<void> measure_sleepers() {
    constexpr int count = coordination::sleepers;
    const auto executor = co_await asio::this_coro::executor;
    Countdown running(executor, count);
    std::vector<std::unique_ptr<asio::cancellation_signal>> signals;
    signals.reserve(count);
    int cancelled = 0;
    for (int i = 0; i < count; ++i) {
        signals.push_back(std::make_unique<asio::cancellation_signal>());
        asio::co_spawn(
            executor, sleep_long(),
            asio::bind_cancellation_slot(signals.back()->slot(), [&](std::exception_ptr error) {
                cancelled += error != nullptr;
                running.leave();
            }));
    }
    co_await asio::post(executor, use_awaitable);
    const std::uint64_t start = cpu_ns();
    for (const auto& signal : signals) {
        signal->emit(asio::cancellation_type::terminal);
    }
    co_await running.wait();
    report("cancel_sleeping_ns", per(cpu_ns() - start, count));
    require(cancelled == count, "cancel_sleeping_ns");
}

template <awaitable<void> (*measure)()>
void run_group() {
    asio::io_context context(ASIO_CONCURRENCY_HINT_UNSAFE);
    std::exception_ptr error;
    asio::co_spawn(context, measure(), [&](std::exception_ptr thrown) { error = thrown; });
    context.run();
    if (error != nullptr) {
        std::rethrow_exception(error);
    }
}

constexpr Group groups[] = {
    {"queues", run_group<measure_queues>},
    {"groups", run_group<measure_groups>},
    {"timeouts", run_group<measure_timeouts>},
    {"sleepers", run_group<measure_sleepers>},
};

}  // namespace

int main(int argc, char** argv) {
    return run_groups(groups, argc, argv);
}
