// Pools of processes: what is called, what comes back, and what becomes of calls whose worker dies.
// SPDX-License-Identifier: MIT
#include <asyncio/processes.hpp>
#include <asyncio/asyncio.hpp>

#include "support/async_test.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace asyncio;

namespace {

// Made before main(), in workers too.
const std::map<std::string, int> table{{"one", 1}, {"two", 2}};

int square(int x) {
    return x * x;
}

int look_up(const std::string& name) {
    return table.at(name);
}

int process_id() {
    return ::getpid();
}

std::string join(std::string_view a, const char* b, std::span<const double> numbers) {
    return std::string(a) + b + std::to_string(numbers.size());
}

// For ever, without using the processor.
void hang() {
    for (;;) {
        ::pause();
    }
}

void die(int signal) {
    std::signal(signal, SIG_DFL);  // whatever a sanitizer makes of it
    ::raise(signal);
}

void leave(int status) {
    ::_exit(status);
}

class NoSuchUser : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};
const known_exception<NoSuchUser> no_such_user_is_known;

// Its name is to be found in a trace where symbols are exported; its module in any case.
[[gnu::noinline]] void throw_deep_inside(int depth) {
    if (depth == 0) {
        throw std::domain_error("deep");
    }
    throw_deep_inside(depth - 1);
    [[maybe_unused]] volatile int no_tail_call = depth;
}

class Unknown : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Waits for the end of a process that need not be a child.
bool wait_for_end(int pid) {
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    if (pidfd < 0) {
        return errno == ESRCH;
    }
    pollfd polled{pidfd, POLLIN, 0};
    const bool ended = ::poll(&polled, 1, -1) == 1;
    ::close(pidfd);
    return ended;
}

template <class E>
std::string message_of(const ConcurrentFuture<int>& future) {
    try {
        static_cast<void>(future.result());
    } catch (const E& error) {
        return error.what();
    } catch (...) {
        return "another: " + describe(std::current_exception());
    }
    return "nothing";
}

}  // namespace

// ------------------------------------------------------------------------------ what is called

ASYNC_TEST(ProcessPool, calls_functions_in_another_process) {
    ProcessPoolExecutor pool({.max_workers = 2});
    EventLoop& loop = get_running_loop();

    const int result = co_await loop.run_in_executor(&pool, square, 7);
    const int pid = co_await loop.run_in_executor(&pool, process_id);

    EXPECT_EQ(result, 49);
    EXPECT_NE(pid, ::getpid());
}

ASYNC_TEST(ProcessPool, calls_lambdas_that_capture_nothing) {
    ProcessPoolExecutor pool(1);
    const auto multiply = [](double a, double b) { return a * b; };
    const auto twice = [](auto x) { return x + x; };

    const double product = co_await get_running_loop().run_in_executor(&pool, multiply, 3, 0.5);
    const std::string text = co_await get_running_loop().run_in_executor(&pool, twice, "ab");

    EXPECT_EQ(product, 1.5);
    EXPECT_EQ(text, "abab");
}

ASYNC_TEST(ProcessPool, has_the_static_objects_of_the_program_in_its_workers) {
    ProcessPoolExecutor pool(1);

    const int two = co_await get_running_loop().run_in_executor(&pool, look_up, "two");

    EXPECT_EQ(two, 2);
}

ASYNC_TEST(ProcessPool, gives_views_of_what_was_sent_to_functions_that_take_views) {
    ProcessPoolExecutor pool(1);
    const std::vector<double> numbers(5);

    const std::string text = co_await get_running_loop().run_in_executor(
        &pool, join, std::string_view("a"), std::string("b"), numbers);

    EXPECT_EQ(text, "ab5");
}

TEST(ProcessPool, can_be_used_without_a_loop) {
    ProcessPoolExecutor pool(1);

    const ConcurrentFuture<int> future = pool.submit(square, 3);

    EXPECT_EQ(future.result(), 9);
    EXPECT_FALSE(future.running());
    EXPECT_TRUE(future.done());
}

TEST(ProcessPool, calls_functions_of_shared_libraries) {
    ProcessPoolExecutor pool(1);

    EXPECT_EQ(pool.submit(&::atoi, "5").result(), 5);
}

TEST(ProcessPool, is_used_by_many_threads_at_once) {
    ProcessPoolExecutor pool(2);
    std::array<int, 4> sums{};
    {
        std::vector<std::jthread> threads;
        for (int& sum : sums) {
            threads.emplace_back([&pool, &sum] {
                for (int i = 0; i < 50; ++i) {
                    sum += pool.submit(square, i).result();
                }
            });
        }
    }

    for (const int sum : sums) {
        EXPECT_EQ(sum, 40425);
    }
}

TEST(ProcessPool, starts_workers_as_they_are_needed_up_to_the_maximum) {
    ProcessPoolExecutor pool(2);
    EXPECT_EQ(pool.worker_pids().size(), 0U);

    static_cast<void>(pool.submit(square, 1).result());
    EXPECT_EQ(pool.worker_pids().size(), 1U);
    std::vector<ConcurrentFuture<int>> futures;
    for (int i = 0; i < 100; ++i) {
        futures.push_back(pool.submit(square, i));
    }
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(futures[static_cast<std::size_t>(i)].result(), i * i);
    }

    EXPECT_LE(pool.worker_pids().size(), 2U);
}

// ------------------------------------------------------------------------------------ exceptions

TEST(ProcessPool, throws_what_the_function_throws_as_itself) {
    ProcessPoolExecutor pool(1);
    const auto thrown = [&pool](int which) {
        return pool.submit(
            [](int number) -> int {
                switch (number) {
                    case 0:
                        throw std::out_of_range("no such key");
                    case 1:
                        throw FileNotFoundError(2, "open 'x'");
                    case 2:
                        throw std::system_error(std::make_error_code(std::errc::timed_out), "ask");
                    case 3:
                        throw CancelledError("stop");
                    case 4:
                        throw SystemExit(3);
                    case 5:
                        throw NoSuchUser("nobody");
                    case 6:
                        throw 42;
                    case 7:
                        throw IncompleteReadError("abc", 7);
                    case 8:
                        throw std::filesystem::filesystem_error(
                            "remove", "/x", std::make_error_code(std::errc::not_a_directory));
                    default:
                        throw ExceptionGroup("several",
                                             {std::make_exception_ptr(RuntimeError("one")),
                                              std::make_exception_ptr(std::bad_alloc())});
                }
            },
            which);
    };

    EXPECT_EQ(message_of<std::out_of_range>(thrown(0)), "no such key");
    EXPECT_EQ(message_of<FileNotFoundError>(thrown(1)), "open 'x': No such file or directory");
    EXPECT_EQ(message_of<std::system_error>(thrown(2)), "ask: Connection timed out");
    EXPECT_EQ(message_of<CancelledError>(thrown(3)), "stop");
    EXPECT_EQ(message_of<SystemExit>(thrown(4)), "3");
    EXPECT_EQ(message_of<NoSuchUser>(thrown(5)), "nobody");
    EXPECT_THROW(static_cast<void>(thrown(6).result()), int);
    EXPECT_THROW(static_cast<void>(thrown(7).result()), IncompleteReadError);
    EXPECT_EQ(message_of<std::filesystem::filesystem_error>(thrown(8)),
              "filesystem error: remove: Not a directory [/x]");
    EXPECT_EQ(message_of<ExceptionGroup>(thrown(9)).substr(0, 26), "several (2 sub-exceptions)");
}

TEST(ProcessPool, throws_what_is_not_known_as_remote_error_with_its_type_and_trace) {
    ProcessPoolExecutor pool(1);
    const auto future = pool.submit([]() -> int {
        try {
            throw std::out_of_range("inner");
        } catch (...) {
            std::throw_with_nested(Unknown("outer"));
        }
    });

    try {
        static_cast<void>(future.result());
        ADD_FAILURE() << "nothing was thrown";
    } catch (const RemoteError& error) {
        EXPECT_NE(error.type().find("Unknown"), std::string::npos) << error.type();
        EXPECT_EQ(error.message(), "outer");
        EXPECT_NE(error.trace().find("caused by KeyError('inner')"), std::string::npos)
            << error.trace();
    }
}

TEST(ProcessPool, notes_the_stack_of_the_throw_in_the_trace) {
    ProcessPoolExecutor pool(1);
    const auto lines = [&pool](int depth) {
        const auto future = pool.submit(
            [](int how_deep) {
                try {
                    throw_deep_inside(how_deep);
                } catch (const std::domain_error&) {
                    throw Unknown("caught inside");  // the stack that counts is this one's
                }
            },
            depth);
        try {
            future.result();
        } catch (const RemoteError& error) {
            return std::count(error.trace().begin(), error.trace().end(), '\n');
        }
        return std::ptrdiff_t{0};
    };
    const auto direct = pool.submit(
        [](int depth) {
            struct Local : std::domain_error {
                using std::domain_error::domain_error;
            };
            if (depth > 0) {
                throw Local("x");
            }
        },
        1);

    EXPECT_GT(lines(1), 3);
    try {
        direct.result();
        ADD_FAILURE() << "nothing was thrown";
    } catch (const RemoteError& error) {
        EXPECT_NE(error.trace().find("processes_test+0x"), std::string::npos) << error.trace();
    }
}

// --------------------------------------------------------------------------- workers that die

TEST(ProcessPool, is_broken_by_a_worker_that_dies_and_names_signal_and_call) {
    ProcessPoolExecutor pool(1);
    const auto killed = pool.submit(
        {.name = "the culprit"},
        [](int signal) {
            die(signal);
            return 0;
        },
        SIGKILL);
    const auto after = pool.submit(square, 1);

    const std::string message = message_of<BrokenProcessPool>(killed);

    EXPECT_NE(message.find("was killed by signal 9 (SIGKILL) while it ran call 1 (the culprit)"),
              std::string::npos)
        << message;
    EXPECT_EQ(message_of<BrokenProcessPool>(after), message);
    EXPECT_THROW(pool.submit(square, 1), BrokenProcessPool);
}

TEST(ProcessPool, is_broken_by_a_worker_that_leaves) {
    ProcessPoolExecutor pool(1);
    const auto left = pool.submit([] {
        leave(7);
        return 0;
    });

    const std::string message = message_of<BrokenProcessPool>(left);

    EXPECT_NE(message.find("ended with status 7 while it ran"), std::string::npos) << message;
}

TEST(ProcessPool, goes_on_with_new_workers_if_that_was_asked_for) {
    ProcessPoolExecutor pool({.max_workers = 2, .restart_workers = true});
    std::vector<ConcurrentFuture<int>> futures;
    for (int i = 0; i < 40; ++i) {
        futures.push_back(pool.submit(
            [](int x) {
                if (x % 10 == 0) {
                    die(SIGKILL);
                }
                return x;
            },
            i));
    }

    for (int i = 0; i < 40; ++i) {
        const auto& future = futures[static_cast<std::size_t>(i)];
        if (i % 10 == 0) {
            EXPECT_THROW(static_cast<void>(future.result()), BrokenProcessPool) << i;
        } else {
            EXPECT_EQ(future.result(), i);
        }
    }
}

TEST(ProcessPool, ends_each_call_once_while_workers_are_killed_at_random) {
    ProcessPoolExecutor pool({.max_workers = 2, .restart_workers = true});
    constexpr int count = 1000;
    std::atomic<int> ended = 0;
    std::vector<ConcurrentFuture<int>> futures;
    std::uint32_t random = 4711;
    int killed = 0;

    for (int i = 0; i < count; ++i) {
        futures.push_back(pool.submit(square, i));
        futures.back().add_done_callback([&ended](const ConcurrentFuture<int>&) { ++ended; });
        if (i % 100 == 99) {
            random = random * 1664525 + 1013904223;
            const std::vector<int> pids = pool.worker_pids();
            if (!pids.empty()) {
                killed += ::kill(pids[random % pids.size()], SIGKILL) == 0 ? 1 : 0;
            }
            static_cast<void>(futures[static_cast<std::size_t>(i) - 50].exception());
        }
    }
    int good = 0;
    int broken = 0;
    for (int i = 0; i < count; ++i) {
        try {
            EXPECT_EQ(futures[static_cast<std::size_t>(i)].result(), i * i);
            ++good;
        } catch (const BrokenProcessPool&) {
            ++broken;
        }
    }
    pool.shutdown();

    EXPECT_EQ(good + broken, count);
    EXPECT_LE(broken, killed);
    EXPECT_EQ(ended, count);
}

TEST(ProcessPool, leaves_no_worker_behind_however_its_process_dies) {
    std::array<int, 2> report{};
    ASSERT_EQ(::pipe(report.data()), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        auto* const pool = new ProcessPoolExecutor(2);  // never destroyed
        std::array<int, 2> pids{pool->submit(process_id).result(), 0};
        const auto busy = pool->submit(hang);
        while (!busy.running()) {
            std::this_thread::yield();
        }
        static_cast<void>(!::write(report[1], pids.data(), sizeof pids));
        hang();
    }
    std::array<int, 2> pids{};
    ASSERT_EQ(::read(report[0], pids.data(), sizeof pids), static_cast<ssize_t>(sizeof pids));

    ::kill(child, SIGKILL);

    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(wait_for_end(pids[0]));
    ::close(report[0]);
    ::close(report[1]);
}

// ------------------------------------------------------------- cancellation and time limits

ASYNC_TEST(ProcessPool, does_not_make_a_call_that_is_cancelled_before_it_begins) {
    ProcessPoolExecutor pool(1);
    const ConcurrentFuture<> busy = pool.submit(hang);
    while (!busy.running()) {
        std::this_thread::yield();
    }
    const ConcurrentFuture<int> waits = pool.submit(square, 2);
    const Future<int> awaited = wrap_future(waits);

    EXPECT_TRUE(awaited.cancel());
    co_await asyncio::testing::settle();

    EXPECT_TRUE(waits.cancelled());
    EXPECT_FALSE(busy.cancel());  // as in Python: it is running
    pool.kill_workers();
    EXPECT_THROW(busy.result(), BrokenProcessPool);
}

TEST(ProcessPool, makes_all_calls_though_one_worker_is_slow) {
    ProcessPoolExecutor pool(2);
    const std::vector<int> few(100, 1);
    for (const int one : pool.map(square, few)) {  // so short that many are given ahead
        EXPECT_EQ(one, 1);
    }
    const int worker = pool.worker_pids().front();
    ASSERT_EQ(::kill(worker, SIGSTOP), 0);
    std::vector<ConcurrentFuture<int>> results;
    int done = 0;  // the other one takes back and makes what this one was given
    for (int i = 0; i < 3000; ++i) {
        results.push_back(pool.submit(square, i));
        while (i - done > 40) {
            done = static_cast<int>(std::count_if(results.begin(), results.end(),
                                                  [](const auto& each) { return each.done(); }));
        }
    }
    ::kill(worker, SIGCONT);

    for (int i = 0; i < 3000; ++i) {
        EXPECT_EQ(results[static_cast<std::size_t>(i)].result(), i * i);
    }
}

TEST(ProcessPool, kills_the_worker_of_a_cancelled_call_if_that_was_asked_for) {
    ProcessPoolExecutor pool({.max_workers = 1, .kill_on_cancel = true});
    const ConcurrentFuture<> busy = pool.submit(hang);
    while (!busy.running()) {
        std::this_thread::yield();
    }
    const ConcurrentFuture<int> next = pool.submit(square, 2);

    EXPECT_TRUE(busy.cancel());

    EXPECT_TRUE(busy.cancelled());
    EXPECT_EQ(next.result(), 4);  // by another worker; the pool is not broken
}

TEST(ProcessPool, kills_the_worker_of_a_call_that_takes_too_long) {
    ProcessPoolExecutor pool(1);
    const ConcurrentFuture<> slow = pool.submit({.timeout = std::chrono::milliseconds(1)}, hang);
    const ConcurrentFuture<int> next = pool.submit(square, 2);

    EXPECT_THROW(slow.result(), TimeoutError);
    EXPECT_EQ(next.result(), 4);
}

// ---------------------------------------------------------------------- the life of workers

TEST(ProcessPool, replaces_workers_after_max_tasks_per_child) {
    ProcessPoolExecutor pool({.max_workers = 1, .max_tasks_per_child = 3});
    std::map<int, int> calls;
    std::vector<ConcurrentFuture<int>> futures;
    for (int i = 0; i < 12; ++i) {
        futures.push_back(pool.submit(process_id));
    }
    for (const auto& future : futures) {
        ++calls[future.result()];
    }

    EXPECT_EQ(calls.size(), 4U);
    for (const auto& [pid, count] : calls) {
        EXPECT_EQ(count, 3) << pid;
    }
}

namespace {
int initialised = 0;
}

TEST(ProcessPool, initialises_its_workers) {
    ProcessPoolExecutor pool({.max_workers = 1}, [](int value) { initialised = value; }, 5);

    EXPECT_EQ(pool.submit([] { return initialised; }).result(), 5);
    EXPECT_EQ(initialised, 0);
}

TEST(ProcessPool, is_broken_if_the_initializer_throws) {
    ProcessPoolExecutor pool({.initializer = [] { throw std::runtime_error("no licence"); }});

    const std::string message = message_of<BrokenProcessPool>(pool.submit(square, 1));

    EXPECT_NE(message.find("no licence"), std::string::npos) << message;
}

TEST(ProcessPool, shut_down_finishes_what_was_submitted) {
    ProcessPoolExecutor pool(2);
    std::vector<ConcurrentFuture<int>> futures;
    for (int i = 0; i < 20; ++i) {
        futures.push_back(pool.submit(square, i));
    }

    pool.shutdown();

    for (const auto& future : futures) {
        EXPECT_TRUE(future.done());
        EXPECT_FALSE(future.cancelled());
    }
    EXPECT_TRUE(pool.worker_pids().empty());
    EXPECT_THROW(pool.submit(square, 1), RuntimeError);
}

TEST(ProcessPool, shut_down_with_cancel_futures_cancels_what_has_not_begun) {
    ProcessPoolExecutor pool({.max_workers = 1, .kill_on_cancel = true});
    const ConcurrentFuture<> busy = pool.submit(hang);
    while (!busy.running()) {
        std::this_thread::yield();
    }
    const ConcurrentFuture<int> waits = pool.submit(square, 2);

    pool.shutdown(false, true);

    EXPECT_TRUE(waits.cancelled());
    EXPECT_FALSE(busy.done());
    busy.cancel();
}

TEST(ProcessPool, that_was_never_used_starts_nothing) {
    ProcessPoolExecutor pool;

    EXPECT_GE(pool.max_workers(), 1U);
    pool.shutdown();
}

TEST(ProcessPool, is_refused_in_a_child_of_its_process) {
    ProcessPoolExecutor pool(1);
    static_cast<void>(pool.submit(square, 1).result());
    const pid_t child = ::fork();
    if (child == 0) {
        try {
            pool.submit(square, 1);
        } catch (const RuntimeError&) {
            ::_exit(0);
        }
        ::_exit(1);
    }
    int status = -1;

    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

// -------------------------------------------------------------------------------------- map()

ASYNC_TEST(ProcessMap, gives_all_results_in_order) {
    ProcessPoolExecutor pool(2);
    std::vector<int> numbers(50);
    std::iota(numbers.begin(), numbers.end(), 0);

    const std::vector<int> squares =
        co_await pool.map({.chunksize = 7, .buffersize = 2}, square, numbers);

    EXPECT_EQ(squares.size(), 50U);
    for (std::size_t i = 0; i < squares.size(); ++i) {
        EXPECT_EQ(squares[i], static_cast<int>(i * i));
    }
}

TEST(ProcessMap, is_a_range_of_results_without_a_loop) {
    ProcessPoolExecutor pool(2);
    std::vector<int> sums;

    for (const int sum : pool.map([](int a, int b) { return a + b; }, std::vector<int>{1, 2, 3},
                                  std::vector<int>{10, 20, 30, 40})) {
        sums.push_back(sum);
    }

    EXPECT_EQ(sums, (std::vector<int>{11, 22, 33}));
}

ASYNC_TEST(ProcessMap, takes_no_more_items_than_may_be_under_way) {
    ProcessPoolExecutor pool(1);
    int taken = 0;
    struct Endless {
        struct Iterator {
            int* taken;
            int operator*() const { return *taken; }
            void operator++() { ++*taken; }
            bool operator==(const Iterator&) const { return false; }
        };
        int* taken;
        Iterator begin() { return {taken}; }
        Iterator end() { return {taken}; }
    };
    Endless endless{&taken};
    auto results = pool.map({.chunksize = 2, .buffersize = 3}, square, endless);

    EXPECT_EQ(taken, 6);
    const std::optional<int> first = co_await results.next();

    EXPECT_EQ(first, 0);
    EXPECT_EQ(taken, 8);
}

ASYNC_TEST(ProcessMap, throws_in_the_place_of_a_chunk_and_goes_on) {
    ProcessPoolExecutor pool(1);
    const std::vector<int> items{1, 0, 2};
    auto results =
        pool.map([](int x) { return x != 0 ? 6 / x : throw RuntimeError("zero"); }, items);
    std::vector<int> got;
    int errors = 0;
    for (int i = 0; i < 3; ++i) {
        try {
            const std::optional<int> item = co_await results.next();
            got.push_back(*item);
        } catch (const RuntimeError&) {
            ++errors;
        }
    }

    EXPECT_EQ(got, (std::vector<int>{6, 3}));
    EXPECT_EQ(errors, 1);
}
