// staggered.cpp - the order in which the attempts of a race begin and end.
//
// SPDX-License-Identifier: MIT
#include <asyncio/staggered.hpp>

#include <asyncio/locks.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/timeouts.hpp>

#include <algorithm>
#include <deque>
#include <utility>

namespace asyncio::detail {

namespace {

/// In the frame of run_staggered(), which outlives its tasks.
struct Race {
    Race(std::size_t number, std::optional<Duration> pause,
         UniqueFunction<Coroutine<>(std::size_t)> begin)
        : count(number), delay(pause), start(std::move(begin)) {}

    std::size_t count;
    std::optional<Duration> delay;
    UniqueFunction<Coroutine<>(std::size_t)> start;
    AnyTask parent = current_task();
    std::size_t next = 0;
    StaggeredOutcome outcome;
    std::deque<Event> failed;  // of each attempt; they stay where they are
    std::vector<Task<>> running;
    std::vector<std::exception_ptr> unhandled;
    Future<> completed;

    void spawn(Event* previous_failed);
    void on_done(const Task<>& task);
    void cancel_others(const AnyTask& but);
};

Coroutine<> run_one(Race& race, Event* previous_failed) {
    if (previous_failed != nullptr) {
        const Result<bool> waited =
            co_await as_result(wait_for(previous_failed->wait(), race.delay));
        if (waited.cancelled()) {
            std::rethrow_exception(waited.error());
        }
    }
    if (race.next == race.count) {
        co_return;
    }
    const std::size_t index = race.next++;
    Event& failed = race.failed.emplace_back();
    race.outcome.exceptions.emplace_back();
    race.spawn(&failed);  // who waits for the end of this one, or for too long
    const Result<void> result = co_await as_result(race.start(index));
    if (!result.has_value()) {
        if (leaves_the_loop(result.error())) {
            std::rethrow_exception(result.error());
        }
        race.outcome.exceptions[index] = result.error();
        failed.set();
    } else if (!race.outcome.winner.has_value()) {
        race.outcome.winner = index;
        race.cancel_others(current_task());
    }
}

// It begins when it is known to run, whatever factory makes the tasks.
void Race::spawn(Event* previous_failed) {
    const Task<> task = create_task(run_one(*this, previous_failed), {.eager_start = false});
    future_add_to_awaited_by(task, parent);
    running.push_back(task);
    task.add_done_callback([this](const Task<>& done) { on_done(done); });
}

void Race::on_done(const Task<>& task) {
    future_discard_from_awaited_by(task, parent);
    std::erase(running, task);
    if (!task.cancelled() && task.exception() != nullptr) {
        unhandled.push_back(task.exception());
    }
    if (running.empty() && completed && !completed.done()) {
        completed.set_result();
    }
}

void Race::cancel_others(const AnyTask& but) {
    for (const Task<>& task : running) {
        if (task != but) {
            task.cancel();
        }
    }
}

}  // namespace

Coroutine<StaggeredOutcome> run_staggered(std::size_t count, std::optional<Duration> delay,
                                          UniqueFunction<Coroutine<>(std::size_t)> start) {
    Race race(count, delay, std::move(start));
    race.spawn(nullptr);
    std::exception_ptr cancelled;
    while (!race.running.empty()) {
        race.completed = get_running_loop().create_future();
        const Result<void> waited = co_await as_result(race.completed);
        if (waited.cancelled()) {
            cancelled = waited.error();
            race.cancel_others(AnyTask());
        }
    }
    if (!race.unhandled.empty()) {
        throw ExceptionGroup("staggered race failed", race.unhandled);
    }
    if (cancelled != nullptr) {
        std::rethrow_exception(cancelled);
    }
    co_return std::move(race.outcome);
}

}  // namespace asyncio::detail
