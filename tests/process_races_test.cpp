// Pools of processes when things come at the wrong moment: what stands behind a long call, what is
// next when a worker is killed, what is left when the pool, the loop or the parent is gone.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>
#include <asyncio/processes.hpp>

#include "support/async_test.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace asyncio;

namespace {

/// Does the thread sanitizer watch? It refuses threads in a child of fork() of a process with
/// threads, and detaching there.
#if defined(__SANITIZE_THREAD__)
constexpr bool thread_sanitizer = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
constexpr bool thread_sanitizer = true;
#else
constexpr bool thread_sanitizer = false;
#endif
#else
constexpr bool thread_sanitizer = false;
#endif

int square(int x) {
    return x * x;
}

int parent_of_worker() {
    return ::getppid();
}

void hang() {
    for (;;) {
        ::pause();
    }
}

template <class T>
void wait_until_running(const ConcurrentFuture<T>& future) {
    while (!future.running()) {
        std::this_thread::yield();
    }
}

/// Until the process waits for something.
void wait_until_asleep(int pid) {
    for (std::string state; state != "S";) {
        std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
        std::string ignored;
        file >> ignored >> ignored >> state;
        std::this_thread::yield();
    }
}

std::size_t size_of(const std::string& text) {
    return text.size();
}

/// More than a socket takes.
std::string large_text() {
    return std::string(std::size_t{4} << 20, 'x');
}

class Fragile : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};
class Undecodable : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// A thread that a static object has made, with no signal blocked: the server process has it, too.
const struct Companion {
    Companion() {
        std::thread([] { hang(); }).detach();
    }
} companion;

}  // namespace

template <>
struct asyncio::codec<Fragile> {
    static std::string encode(const Fragile&) { throw std::logic_error("no encoding"); }
    static Fragile decode(const std::string& text) { return Fragile(text); }
};
template <>
struct asyncio::codec<Undecodable> {
    static std::string encode(const Undecodable& error) { return error.what(); }
    static Undecodable decode(const std::string&) { throw std::logic_error("no decoding"); }
};

namespace {
const known_exception<Fragile> fragile_is_known;
const known_exception<Undecodable> undecodable_is_known;
}  // namespace

// --------------------------------------------------------------------- behind a long call

TEST(ProcessPool, starts_another_worker_for_what_would_stand_behind_a_long_call) {
    ProcessPoolExecutor pool(2);
    const ConcurrentFuture<> busy = pool.submit(hang);
    wait_until_running(busy);

    EXPECT_EQ(pool.submit(square, 3).result(), 9);

    pool.kill_workers();
}

TEST(ProcessPool, gives_a_large_call_behind_a_long_one_to_who_is_idle) {
    ProcessPoolExecutor pool(2);
    auto [first_gate, first_end] = open_connection_pair();
    auto [second_gate, second_end] = open_connection_pair();
    const auto wait_for_gate = [](const Connection& gate) { return gate.recv<int>(); };
    std::vector<ConcurrentFuture<int>> long_ones{pool.submit(wait_for_gate, first_end),
                                                 pool.submit(wait_for_gate, second_end)};
    const std::string text = large_text();
    std::vector<ConcurrentFuture<std::size_t>> large;
    for (int i = 0; i < 4; ++i) {
        large.push_back(pool.submit(size_of, text));
    }
    wait_until_running(long_ones[0]);
    wait_until_running(long_ones[1]);

    first_gate.send(1);  // the other one stays where it is

    for (const auto& each : large) {
        EXPECT_EQ(each.result(), text.size());
    }
    second_gate.send(2);
    EXPECT_EQ(long_ones[0].result() + long_ones[1].result(), 3);
}

TEST(ProcessPool, cancels_a_large_call_that_is_half_on_its_way) {
    ProcessPoolExecutor pool(1);
    auto [gate, end] = open_connection_pair();
    const auto busy = pool.submit([](const Connection& at) { return at.recv<int>(); }, end);
    const auto large = pool.submit(size_of, large_text());
    const auto next = pool.submit(square, 4);
    wait_until_running(busy);

    EXPECT_TRUE(large.cancel());
    gate.send(1);

    EXPECT_EQ(busy.result(), 1);
    EXPECT_TRUE(large.cancelled());
    EXPECT_EQ(next.result(), 16);  // what was half sent has done no harm
}

TEST(ProcessPool, cancels_a_hundred_thousand_calls_in_no_time) {
    ProcessPoolExecutor pool(1);
    const ConcurrentFuture<> busy = pool.submit(hang);
    std::vector<ConcurrentFuture<int>> futures;
    constexpr int count = 100'000;
    futures.reserve(count);
    for (int i = 0; i < count; ++i) {
        futures.push_back(pool.submit(square, i));
    }

    std::size_t cancelled = 0;
    for (auto each = futures.rbegin(); each != futures.rend(); ++each) {
        cancelled += each->cancel() ? 1 : 0;
    }

    EXPECT_EQ(cancelled, futures.size());
    pool.kill_workers();
}

// ------------------------------------------------------------- next when a worker is killed

namespace {

/// Makes a call that is given up while the server process is stopped, and so its worker not killed
/// before it could have begun the next call. Says how often that was begun.
template <class GiveUp>
int times_that_the_next_is_begun(ProcessPoolExecutor& pool, GiveUp give_up) {
    auto [gate, gate_end] = open_connection_pair();
    auto [begun, begun_end] = open_connection_pair();
    const int server = pool.submit(parent_of_worker).result();
    const auto call = pool.submit(
        [](const Connection& at) {
            at.send(::getpid());
            static_cast<void>(at.recv<int>());
        },
        gate_end);
    const auto next = pool.submit([](const Connection& to) { to.send(1); }, begun_end);
    begun_end.close();
    const int worker = gate.recv<int>();
    ::kill(server, SIGSTOP);

    give_up(call);
    gate.send(1);
    wait_until_asleep(worker);
    ::kill(server, SIGCONT);

    next.result();
    int times = 0;
    for (; begun.poll(); ++times) {
        try {
            static_cast<void>(begun.recv<int>());
        } catch (const EOFError&) {
            break;
        }
    }
    return times;
}

}  // namespace

TEST(ProcessPool, makes_the_call_behind_one_that_is_cancelled_by_force_once) {
    ProcessPoolExecutor pool({.max_workers = 1, .kill_on_cancel = true});

    const int times = times_that_the_next_is_begun(
        pool, [](const ConcurrentFuture<>& call) { EXPECT_TRUE(call.cancel()); });

    EXPECT_EQ(times, 1);
}

TEST(ProcessPool, does_not_take_a_call_for_too_long_whose_answer_nobody_has_read_yet) {
    ProcessPoolExecutor pool(1);
    auto [gate, end] = open_connection_pair();
    std::atomic<bool> in_callback = false;
    std::atomic<bool> go_on = false;
    const auto first = pool.submit([](const Connection& at) { return at.recv<int>(); }, end);
    first.add_done_callback([&](const ConcurrentFuture<int>&) {
        in_callback = true;
        while (!go_on) {  // in the pool's thread, which hears nothing meanwhile
            std::this_thread::yield();
        }
    });
    const auto second = pool.submit(
        {.timeout = std::chrono::milliseconds(50)},
        [](const Connection& at) {
            at.send(::getpid());
            return 2;
        },
        end);
    gate.send(1);
    while (!in_callback) {
        std::this_thread::yield();
    }
    wait_until_asleep(gate.recv<int>());
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    go_on = true;

    EXPECT_EQ(second.result(), 2);
}

TEST(ProcessPool, notices_the_death_of_workers_though_static_objects_have_threads) {
    ProcessPoolExecutor pool({.max_workers = 2, .restart_workers = true});

    for (int i = 0; i < 50; ++i) {
        const auto dies = pool.submit([] { ::raise(SIGKILL); });
        EXPECT_THROW(dies.result(), BrokenProcessPool);
    }

    EXPECT_EQ(pool.submit(square, 2).result(), 4);
}

TEST(ProcessPool, kills_more_workers_than_messages_go_to_its_server_at_once) {
    ProcessPoolExecutor pool(1);
    const int server = pool.submit(parent_of_worker).result();
    auto [told, end] = open_connection_pair();
    const auto next = pool.submit(
        [](const Connection& at) {
            std::signal(SIGTERM, SIG_IGN);
            at.send(1);
            hang();
        },
        end);
    static_cast<void>(told.recv<int>());
    ::kill(server, SIGSTOP);
    for (int i = 0; i < 2000; ++i) {
        pool.terminate_workers();  // each is a message
    }
    pool.kill_workers();
    ::kill(server, SIGCONT);

    pool.shutdown();

    EXPECT_THROW(next.result(), BrokenProcessPool);
}

// ------------------------------------------------------------------- what workers do not stand

TEST(ProcessPool, tells_of_exceptions_whose_codec_throws) {
    ProcessPoolExecutor pool(1);
    const auto fragile = pool.submit([]() -> int { throw Fragile("glass"); });
    const auto undecodable = pool.submit([]() -> int { throw Undecodable("riddle"); });

    for (const auto* each : {&fragile, &undecodable}) {
        try {
            static_cast<void>(each->result());
            ADD_FAILURE() << "nothing was thrown";
        } catch (const RemoteError& error) {
            EXPECT_EQ(error.message(), each == &fragile ? "glass" : "riddle");
        }
    }
    EXPECT_EQ(pool.submit(square, 2).result(), 4);
}

TEST(ProcessPool, gives_a_call_its_own_descriptors_after_one_that_could_not_have_its) {
    ProcessPoolExecutor pool(1);
    const ProcessQueue<int> queue;
    SharedMemory memory({.create = true, .size = sizeof(int)});
    memory.span<int>()[0] = 3;
    // Room for some, which exceptions and sanitizers need, but not for eight.
    pool.submit([] {
            const int next = ::dup(0);
            ::close(next);
            const rlimit limit{static_cast<rlim_t>(next + 5), static_cast<rlim_t>(next + 5)};
            ::setrlimit(RLIMIT_NOFILE, &limit);
        })
        .result();
    using Queue = ProcessQueue<int>;

    const auto too_many =
        pool.submit([](const Queue&, const Queue&, const Queue&, const Queue&) { return 0; }, queue,
                    queue, queue, queue);
    const auto just_right =
        pool.submit([](const SharedMemory& shared) { return shared.span<int>()[0]; }, memory);

    EXPECT_THROW(static_cast<void>(too_many.result()), OSError);
    EXPECT_EQ(just_right.result(), 3);
}

TEST(ProcessPool, has_nothing_of_its_own_in_the_environment_of_workers) {
    ProcessPoolExecutor pool(1);
    const auto variable = [](const std::string& name) {
        const char* const value = std::getenv(name.c_str());
        return std::string(value != nullptr ? value : "");
    };
    const char* const preload = std::getenv("LD_PRELOAD");

    EXPECT_EQ(pool.submit(variable, "ASYNCIO_PROCESS_SERVER").result(), "");
    EXPECT_EQ(pool.submit(variable, "LD_PRELOAD").result(), preload != nullptr ? preload : "");
}

TEST(ProcessPool, can_be_used_in_a_worker_as_loops_can) {
    if (thread_sanitizer) {
        GTEST_SKIP() << "the thread sanitizer knows no threads in such a child of fork()";
    }
    ProcessPoolExecutor pool(1);
    const auto nested = pool.submit([] {
        ProcessPoolExecutor inner(1);
        return inner.submit(square, 5).result() + asyncio::run([]() -> Coroutine<int> {
                   co_await sleep(0);
                   co_return 1;
               }());
    });

    EXPECT_EQ(nested.result(), 26);
}

// ------------------------------------------------------- the pool, the loop or the parent is gone

TEST(ProcessPool, is_not_touched_by_a_child_of_its_process) {
    if (thread_sanitizer) {
        GTEST_SKIP() << "the thread sanitizer knows no threads in such a child of fork()";
    }
    ProcessPoolExecutor pool(1);
    const ConcurrentFuture<> busy = pool.submit(hang);
    wait_until_running(busy);
    auto* const copy = new ProcessPoolExecutor(1);
    static_cast<void>(copy->submit(square, 1).result());
    const pid_t child = ::fork();
    if (child == 0) {
        pool.kill_workers();
        pool.terminate_workers();
        const bool cancelled = busy.cancel() || busy.running();
        const bool workers = !pool.worker_pids().empty();
        delete copy;
        ::_exit(cancelled || workers ? 1 : 0);
    }
    int status = -1;

    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_TRUE(busy.running());
    EXPECT_EQ(copy->submit(square, 2).result(), 4);
    delete copy;
    pool.kill_workers();
}

TEST(ProcessPool, refuses_a_negative_number_of_workers) {
    EXPECT_THROW(ProcessPoolExecutor(static_cast<std::size_t>(-1)), std::invalid_argument);
}

ASYNC_TEST(ProcessMap, gives_what_was_submitted_though_the_pool_is_gone) {
    auto pool = std::make_unique<ProcessPoolExecutor>(1);
    std::vector<int> numbers(10);
    std::iota(numbers.begin(), numbers.end(), 0);
    auto results = pool->map({.buffersize = 4}, square, numbers);
    pool.reset();
    std::vector<int> got;
    bool refused = false;

    for (bool more = true; more;) {
        try {
            const std::optional<int> each = co_await results.next();
            more = each.has_value();
            if (more) {
                got.push_back(*each);
            }
        } catch (const RuntimeError&) {
            refused = true;
        }
    }

    EXPECT_EQ(got, (std::vector<int>{0, 1, 4, 9}));
    EXPECT_TRUE(refused);
}

TEST(ProcessMap, of_a_pool_that_is_shut_down_is_refused) {
    ProcessPoolExecutor pool(1);
    pool.shutdown();

    EXPECT_THROW(static_cast<void>(pool.map(square, std::vector<int>{1})), RuntimeError);
}

ASYNC_TEST(ProcessMap, is_read_by_several_tasks) {
    ProcessPoolExecutor pool(2);
    std::vector<int> numbers(60);
    std::iota(numbers.begin(), numbers.end(), 0);
    auto results = pool.map({.chunksize = 3, .buffersize = 4}, square, numbers);
    std::vector<int> got;
    const auto read = [&]() -> Coroutine<> {
        for (;;) {
            const std::optional<int> each = co_await results.next();
            if (!each.has_value()) {
                break;
            }
            got.push_back(*each);
        }
    };

    co_await gather(read(), read(), read());

    std::sort(got.begin(), got.end());
    std::vector<int> squares(numbers.size());
    std::transform(numbers.begin(), numbers.end(), squares.begin(), square);
    EXPECT_EQ(got, squares);
}

TEST(ProcessPool, outlives_a_loop_that_waits_for_it) {
    ProcessPoolExecutor pool(1);
    auto [gate, end] = open_connection_pair();
    {
        EventLoop loop;
        const auto call = [&]() -> Coroutine<> {
            const auto under_way = get_running_loop().run_in_executor(
                &pool, [](const Connection& at) { return at.recv<int>(); }, end);
            co_await sleep(0);
        };
        loop.run_until_complete(call());
        loop.close();
    }
    gate.send(1);

    EXPECT_EQ(pool.submit(square, 3).result(), 9);
}

TEST(ProcessPipe, is_not_waited_for_by_a_loop_that_is_closed) {
    auto [a, b] = open_connection_pair();
    {
        EventLoop loop;
        const Task<int> waits = loop.create_task(b.coro_recv<int>());
        loop.run_until_complete(sleep(0));
        loop.close();
    }
    a.send(5);

    EXPECT_EQ(b.recv<int>(), 5);
}
