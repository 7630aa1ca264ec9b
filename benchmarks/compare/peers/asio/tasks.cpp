// tasks.cpp - the workloads without input and output, with Boost.Asio's awaitables.
//
//     tasks WORKLOAD SIZE TIMES        ../../workloads.toml says what they are
//
// One thread without locks, by the concurrency hint that Asio's documentation gives for that. Asio
// has no event to await; a timer that never expires is what its examples use. A task has no handle:
// children are spawned, and the last one that ends wakes their parent.
//
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdint>
#include <exception>
#include <memory>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "../program.hpp"

namespace {

namespace asio = boost::asio;
using namespace bench;
using asio::awaitable;
using asio::use_awaitable;
using boost::system::error_code;
using Channel = asio::experimental::channel<void(error_code, int)>;

/// What many can wait for, until it is set.
class Event {
public:
    explicit Event(const asio::any_io_executor& executor)
        : timer_(executor, asio::steady_timer::time_point::max()) {}
    void set() { timer_.cancel(); }
    auto wait() { return timer_.async_wait(asio::redirect_error(use_awaitable, ignored_)); }

private:
    asio::steady_timer timer_;
    error_code ignored_;
};

/// Wakes the task that waits for it when as many have left as were to be awaited.
class Countdown {
public:
    Countdown(const asio::any_io_executor& executor, int count) : left_(count), none_(executor) {}
    auto leave() {
        return [this](std::exception_ptr) {
            if (--left_ == 0) {
                none_.set();
            }
        };
    }
    awaitable<void> wait() {
        if (left_ > 0) {
            co_await none_.wait();
        }
    }

private:
    int left_;
    Event none_;
};

awaitable<void> do_nothing() {
    co_return;
}

awaitable<void> yield_often(int turns) {
    const auto executor = co_await asio::this_coro::executor;
    for (int i = 0; i < turns; ++i) {
        co_await asio::post(executor, use_awaitable);
    }
}

awaitable<void> measure_switch(Job job) {
    const auto executor = co_await asio::this_coro::executor;
    Countdown running(executor, job.size);
    const Stopwatch watch;
    for (int i = 0; i < job.size; ++i) {
        asio::co_spawn(executor, yield_often(job.times), running.leave());
    }
    co_await running.wait();
    job.print(watch.ns() / (double(job.size) * job.times));
}

awaitable<void> measure_spawn_batch(Job job) {
    const auto executor = co_await asio::this_coro::executor;
    const Stopwatch watch;
    for (int i = 0; i < job.times; ++i) {
        Countdown running(executor, job.size);
        for (int j = 0; j < job.size; ++j) {
            asio::co_spawn(executor, do_nothing(), running.leave());
        }
        co_await running.wait();
    }
    job.print(watch.ns() / (double(job.size) * job.times));
}

awaitable<void> measure_spawn_seq(Job job) {
    const auto executor = co_await asio::this_coro::executor;
    const Stopwatch watch;
    for (int i = 0; i < job.times; ++i) {
        co_await asio::co_spawn(executor, do_nothing(), use_awaitable);
    }
    job.print(watch.ns() / job.times);
}

awaitable<void> wait_for_event(Event& event, int& woken) {
    co_await event.wait();
    ++woken;
}

awaitable<void> measure_suspended(Job job) {
    const auto executor = co_await asio::this_coro::executor;
    Event event(executor);
    Countdown running(executor, job.size);
    int woken = 0;
    const std::uint64_t memory = resident_bytes();
    const Stopwatch watch;
    for (int i = 0; i < job.size; ++i) {
        asio::co_spawn(executor, wait_for_event(event, woken), running.leave());
    }
    co_await asio::post(executor, use_awaitable);
    const double grown = double(resident_bytes() - memory);
    event.set();
    co_await running.wait();
    job.print(watch.ns() / job.size);
    job.print("suspended_memory", grown / job.size, "bytes");
    require(woken == job.size, "number of tasks woken");
}

// It has no future that a coroutine could await: a channel of capacity one is what comes nearest.
awaitable<void> ping(Channel& here, Channel& there, int count) {
    for (int i = 0; i < count; ++i) {
        co_await there.async_send(error_code(), i, use_awaitable);
        co_await here.async_receive(use_awaitable);
    }
}

awaitable<void> pong(Channel& here, Channel& there, int count) {
    for (int i = 0; i < count; ++i) {
        const int value = co_await here.async_receive(use_awaitable);
        co_await there.async_send(error_code(), value, use_awaitable);
    }
}

awaitable<void> measure_ping_pong(Job job) {
    const auto executor = co_await asio::this_coro::executor;
    Channel here(executor, 1);
    Channel there(executor, 1);
    Countdown running(executor, 2);
    const Stopwatch watch;
    asio::co_spawn(executor, ping(here, there, job.times), running.leave());
    asio::co_spawn(executor, pong(there, here, job.times), running.leave());
    co_await running.wait();
    job.print(watch.ns() / job.times);
}

awaitable<void> produce(Channel& channel, int count) {
    for (int i = 0; i < count; ++i) {
        co_await channel.async_send(error_code(), i, use_awaitable);
    }
}

awaitable<void> consume(Channel& channel, int count, std::int64_t& sum) {
    for (int i = 0; i < count; ++i) {
        sum += co_await channel.async_receive(use_awaitable);
    }
}

awaitable<void> measure_queue(Job job) {
    const auto executor = co_await asio::this_coro::executor;
    Channel channel(executor, static_cast<std::size_t>(job.size));
    Countdown running(executor, 2);
    std::int64_t sum = 0;
    const Stopwatch watch;
    asio::co_spawn(executor, produce(channel, job.times), running.leave());
    asio::co_spawn(executor, consume(channel, job.times, sum), running.leave());
    co_await running.wait();
    job.print(watch.ns() / job.times);
    require(sum == sum_below(job.times), "sum of the items");
}

// A timer each: of many waits on one timer, a cancelled one is searched for.
awaitable<void> wait_until_cancelled(int& woken) {
    asio::steady_timer timer(co_await asio::this_coro::executor,
                             asio::steady_timer::time_point::max());
    co_await timer.async_wait(use_awaitable);
    ++woken;
}

awaitable<void> measure_cancel(Job job) {
    const auto executor = co_await asio::this_coro::executor;
    Countdown running(executor, job.size);
    int woken = 0;
    int cancelled = 0;
    std::vector<std::unique_ptr<asio::cancellation_signal>> signals;
    for (int i = 0; i < job.size; ++i) {
        signals.push_back(std::make_unique<asio::cancellation_signal>());
        asio::co_spawn(
            executor, wait_until_cancelled(woken),
            asio::bind_cancellation_slot(signals.back()->slot(), [&](std::exception_ptr error) {
                cancelled += error != nullptr;
                running.leave()(error);
            }));
    }
    co_await asio::post(executor, use_awaitable);
    const Stopwatch watch;
    for (const auto& signal : signals) {
        signal->emit(asio::cancellation_type::terminal);
    }
    co_await running.wait();
    job.print(watch.ns() / job.size);
    require(woken == 0 && cancelled == job.size, "cancelled tasks");
}

template <awaitable<void> (*measure)(Job)>
void run_job(const Job& job) {
    asio::io_context context(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
    std::exception_ptr error;
    asio::co_spawn(context, measure(job), [&](std::exception_ptr thrown) { error = thrown; });
    context.run();
    if (error != nullptr) {
        std::rethrow_exception(error);
    }
}

constexpr Workload workloads[] = {
    {"switch", run_job<measure_switch>},       {"spawn_batch", run_job<measure_spawn_batch>},
    {"spawn_seq", run_job<measure_spawn_seq>}, {"suspended", run_job<measure_suspended>},
    {"ping_pong", run_job<measure_ping_pong>}, {"queue", run_job<measure_queue>},
    {"cancel", run_job<measure_cancel>},
};

}  // namespace

int main(int argc, char** argv) {
    return run_workload(workloads, argc, argv);
}
