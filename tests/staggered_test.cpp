// staggered_test.cpp - staggered_race(): who begins when, who wins, and what becomes of the others.
//
// SPDX-License-Identifier: MIT
#include <asyncio/staggered.hpp>
#include <asyncio/tasks.hpp>

#include "support/async_test.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace asyncio;
using namespace std::chrono_literals;
using asyncio::testing::settle;

namespace {

using Attempt = std::function<Coroutine<int>()>;

/// When what happened: "0:begins 0", "2:wins 1", in seconds.
struct Log {
    TimePoint start = get_running_loop().time();
    std::vector<std::string> lines;

    void add(const std::string& what) {
        const auto passed =
            std::chrono::duration_cast<std::chrono::seconds>(get_running_loop().time() - start);
        lines.push_back(std::to_string(passed.count()) + ":" + what);
    }
};

Coroutine<int> take_part(Log& log, int number, double seconds, bool succeeds) {
    log.add("begins " + std::to_string(number));
    const Result<void> slept = co_await as_result(sleep(seconds));
    if (slept.cancelled()) {
        log.add("is cancelled " + std::to_string(number));
        std::rethrow_exception(slept.error());
    }
    log.add((succeeds ? "succeeds " : "fails ") + std::to_string(number));
    if (!succeeds) {
        throw RuntimeError(std::to_string(number));
    }
    co_return number;
}

Attempt attempt(Log& log, int number, double seconds, bool succeeds) {
    return [&log, number, seconds, succeeds] { return take_part(log, number, seconds, succeeds); };
}

Coroutine<int> fail(int number) {
    throw RuntimeError(std::to_string(number));
    co_return 0;
}

std::vector<std::string> texts(const std::vector<std::exception_ptr>& errors) {
    std::vector<std::string> result;
    for (const std::exception_ptr& error : errors) {
        result.push_back(describe(error));
    }
    return result;
}

using Lines = std::vector<std::string>;

}  // namespace

ASYNC_TEST(StaggeredRace, of_nobody_has_no_winner) {
    auto race = co_await staggered_race(std::vector<Attempt>(), std::nullopt);
    EXPECT_FALSE(race.winner_result.has_value());
    EXPECT_FALSE(race.winner_index.has_value());
    EXPECT_TRUE(race.exceptions.empty());
}

ASYNC_TEST(StaggeredRace, is_won_by_who_succeeds_before_others_begin) {
    Log log;
    std::vector<Attempt> attempts{attempt(log, 0, 0, true), attempt(log, 1, 0, true)};
    auto race = co_await staggered_race(attempts, 0.1);
    EXPECT_EQ(race.winner_result, 0);
    EXPECT_EQ(race.winner_index, 0U);
    EXPECT_EQ(texts(race.exceptions), (Lines{"None"}));
    EXPECT_EQ(log.lines, (Lines{"0:begins 0", "0:succeeds 0"}));
}

ASYNC_TEST(StaggeredRace, goes_on_at_once_when_one_fails) {
    Log log;
    std::vector<Attempt> attempts{attempt(log, 0, 1, false), attempt(log, 1, 1, true)};
    auto race = co_await staggered_race(attempts, 10s);
    EXPECT_EQ(race.winner_result, 1);
    EXPECT_EQ(race.winner_index, 1U);
    EXPECT_EQ(texts(race.exceptions), (Lines{"RuntimeError('0')", "None"}));
    EXPECT_EQ(log.lines, (Lines{"0:begins 0", "1:fails 0", "1:begins 1", "2:succeeds 1"}));
}

ASYNC_TEST(StaggeredRace, goes_on_after_the_delay_when_one_is_slow) {
    Log log;
    std::vector<Attempt> attempts{attempt(log, 0, 10, true), attempt(log, 1, 10, true),
                                  attempt(log, 2, 1, true), attempt(log, 3, 1, true)};
    auto race = co_await staggered_race(attempts, 2s);
    EXPECT_EQ(race.winner_result, 2);
    EXPECT_EQ(race.winner_index, 2U);
    EXPECT_EQ(texts(race.exceptions), (Lines{"CancelledError()", "CancelledError()", "None"}));
    EXPECT_EQ(log.lines, (Lines{"0:begins 0", "2:begins 1", "4:begins 2", "5:succeeds 2",
                                "5:is cancelled 0", "5:is cancelled 1"}));
}

ASYNC_TEST(StaggeredRace, without_a_delay_is_one_after_the_other) {
    Log log;
    std::vector<Attempt> attempts{attempt(log, 0, 100, false), attempt(log, 1, 100, true),
                                  attempt(log, 2, 1, true)};
    auto race = co_await staggered_race(attempts, std::nullopt);
    EXPECT_EQ(race.winner_index, 1U);
    EXPECT_EQ(log.lines, (Lines{"0:begins 0", "100:fails 0", "100:begins 1", "200:succeeds 1"}));
}

ASYNC_TEST(StaggeredRace, of_which_all_fail_tells_why_each_did) {
    std::vector<Attempt> attempts;
    for (int i = 0; i < 3; ++i) {
        attempts.emplace_back([i] { return fail(i); });
    }
    auto race = co_await staggered_race(attempts, std::nullopt);
    EXPECT_FALSE(race.winner_result.has_value());
    EXPECT_FALSE(race.winner_index.has_value());
    EXPECT_EQ(texts(race.exceptions),
              (Lines{"RuntimeError('0')", "RuntimeError('1')", "RuntimeError('2')"}));
}

// What calls the function may fail as well as what it returns.
ASYNC_TEST(StaggeredRace, takes_a_function_that_throws_for_an_attempt_that_failed) {
    std::vector<Attempt> attempts{[]() -> Coroutine<int> { throw RuntimeError("at once"); },
                                  [] { return fail(1); }};
    auto race = co_await staggered_race(attempts, 1s);
    EXPECT_EQ(texts(race.exceptions), (Lines{"RuntimeError('at once')", "RuntimeError('1')"}));
}

ASYNC_TEST(StaggeredRace, that_is_cancelled_ends_when_all_have_ended) {
    Log log;
    std::vector<Attempt> attempts{attempt(log, 0, 10, true), attempt(log, 1, 10, true),
                                  attempt(log, 2, 10, true)};
    auto task = create_task(staggered_race(attempts, 2s));
    co_await sleep(3s);
    task.cancel();
    const auto result = co_await as_result(task);
    EXPECT_TRUE(result.cancelled());
    EXPECT_EQ(log.lines,
              (Lines{"0:begins 0", "2:begins 1", "3:is cancelled 0", "3:is cancelled 1"}));
    EXPECT_EQ(all_tasks().size(), 1U);
}

ASYNC_TEST(StaggeredRace, can_be_cancelled_before_it_has_begun) {
    Log log;
    for (int turns = 0; turns < 5; ++turns) {
        std::vector<Attempt> attempts{attempt(log, 0, 10, true), attempt(log, 1, 10, true)};
        auto task = create_task(staggered_race(attempts, 2s));
        for (int i = 0; i < turns; ++i) {
            co_await sleep(0);
        }
        task.cancel();
        const auto result = co_await as_result(task);
        EXPECT_TRUE(result.cancelled());
        EXPECT_EQ(all_tasks().size(), 1U);
    }
}

static Coroutine<std::shared_ptr<int>> when_set(Future<> go, std::shared_ptr<int> prize) {
    co_await go;
    co_return prize;
}

// Both are awake before either has won.
ASYNC_TEST(StaggeredRace, has_one_winner_when_two_succeed_in_the_same_turn) {
    auto go = get_running_loop().create_future();
    auto prize = std::make_shared<int>(1);
    std::vector<std::function<Coroutine<std::shared_ptr<int>>()>> attempts{
        [&] { return when_set(go, prize); }, [&] { return when_set(go, prize); }};
    auto task = create_task(staggered_race(attempts, 1s));
    co_await sleep(1500ms);
    go.set_result();
    {
        auto race = co_await task;
        EXPECT_EQ(race.winner_index, 0U);
        EXPECT_EQ(race.winner_result.value(), prize);
    }
    task = {};
    co_await settle();
    EXPECT_EQ(prize.use_count(), 1);
}

static Coroutine<> nothing() {
    co_return;
}

ASYNC_TEST(StaggeredRace, may_be_of_coroutines_that_give_nothing) {
    const std::vector attempts{&nothing};
    auto race = co_await staggered_race(attempts, std::nullopt);
    EXPECT_TRUE(race.winner_result.has_value());
    EXPECT_EQ(race.winner_index, 0U);
}

ASYNC_TEST(StaggeredRace, is_the_same_with_eager_tasks) {
    get_running_loop().set_task_factory(eager_task_factory);
    Log log;
    std::vector<Attempt> attempts{[] { return fail(0); }, attempt(log, 1, 10, true),
                                  attempt(log, 2, 1, true)};
    auto race = co_await staggered_race(attempts, 2s);
    EXPECT_EQ(race.winner_index, 2U);
    EXPECT_EQ(log.lines, (Lines{"0:begins 1", "2:begins 2", "3:succeeds 2", "3:is cancelled 1"}));
}
