// signals_test.cpp - add_signal_handler(), and signals to wait for.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/signals.hpp>
#include <asyncio/tasks.hpp>

#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

namespace asyncio {

using testing::settle;

namespace {

/// What handles the signal at present: two are the same if nothing has changed.
void (*handler_of(int signal))(int) {
    struct sigaction action{};
    ::sigaction(signal, nullptr, &action);
    return action.sa_handler;
}

template <class Fn>
std::string thrown_by(Fn fn) {
    try {
        fn();
    } catch (...) {
        return describe(std::current_exception());
    }
    return "nothing";
}

void nothing() {}

/// Does that thread of this process wait in a system call?
bool sleeps(pid_t thread) {
    std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
    std::string text;
    std::getline(file, text);
    const std::size_t state = text.rfind(") ");  // behind the name, in which anything may stand
    return state != std::string::npos && text.compare(state, 3, ") S") == 0;
}

/// A loop of each kind, in real time.
template <class Fn>
void on_each_loop(Fn fn) {
    for (const char* proactor : testing::proactors) {
        SCOPED_TRACE(proactor);
        const std::unique_ptr<EventLoop> loop = new_event_loop(proactor);
        fn(*loop);
    }
}

}  // namespace

ASYNC_TEST(SignalHandler, is_called_on_the_loop_with_its_arguments) {
    std::vector<std::string> calls;
    auto note = [&calls](int number, std::string text) {
        calls.push_back(std::to_string(number) + text);
    };
    add_signal_handler(SIGUSR1, note, 42, std::string("x"));

    ::raise(SIGUSR1);
    EXPECT_TRUE(calls.empty());
    co_await settle();

    EXPECT_EQ(calls, std::vector<std::string>{"42x"});
    EXPECT_TRUE(remove_signal_handler(SIGUSR1));
}

TEST(SignalHandler, is_not_missed_by_a_loop_that_is_about_to_wait) {
    on_each_loop([](EventLoop& loop) {
        int caught = 0;
        add_signal_handler(loop, SIGALRM, [&] {
            ++caught;
            loop.stop();
        });
        loop.call_later(60, [&loop] { loop.stop(); });
        const pthread_t main = ::pthread_self();
        std::thread([main] { ::pthread_kill(main, SIGALRM); }).join();
        loop.run_forever();
        EXPECT_EQ(caught, 1);
    });
}

TEST(SignalHandler, wakes_a_loop_that_waits) {
    on_each_loop([](EventLoop& loop) {
        int caught = 0;
        add_signal_handler(loop, SIGALRM, [&] {
            ++caught;
            loop.stop();
        });
        TimerHandle patience = loop.call_later(60, [&loop] { loop.stop(); });
        const pthread_t main = ::pthread_self();
        const pid_t number = ::gettid();
        for (int round = 1; round <= 20; ++round) {
            std::atomic<bool> runs{false};
            loop.call_soon([&runs] { runs = true; });
            std::thread other([&] {
                while (!runs || !sleeps(number)) {
                    std::this_thread::yield();
                }
                ::pthread_kill(main, SIGALRM);
            });
            loop.run_forever();
            other.join();
            EXPECT_EQ(caught, round);
        }
        patience.cancel();
    });
}

TEST(SignalHandler, is_called_though_another_thread_got_the_signal) {
    on_each_loop([](EventLoop& loop) {
        int caught = 0;
        const std::thread::id main = std::this_thread::get_id();
        add_signal_handler(loop, SIGUSR1, [&] {
            caught += std::this_thread::get_id() == main ? 1 : 100;
            loop.stop();
        });
        std::thread other([] { ::pthread_kill(::pthread_self(), SIGUSR1); });
        loop.run_forever();
        other.join();
        EXPECT_EQ(caught, 1);
    });
}

TEST(SignalHandler, resumes_system_calls_that_the_signal_interrupts) {
    on_each_loop([](EventLoop& loop) {
        add_signal_handler(loop, SIGUSR1, nothing);
        struct sigaction action{};
        ::sigaction(SIGUSR1, nullptr, &action);
        EXPECT_NE(action.sa_flags & SA_RESTART, 0);
    });
}

ASYNC_TEST(SignalHandler, is_refused_for_what_is_no_signal_or_cannot_be_caught) {
    for (const int number : {-1, 0, 32, 33, 65, 1000}) {
        const std::string invalid =
            "ValueError('invalid signal number " + std::to_string(number) + "')";
        EXPECT_EQ(thrown_by([&] { add_signal_handler(number, nothing); }), invalid);
        EXPECT_EQ(thrown_by([&] { remove_signal_handler(number); }), invalid);
    }
    EXPECT_EQ(thrown_by([] { add_signal_handler(SIGKILL, nothing); }),
              "RuntimeError('sig 9 cannot be caught')");
    EXPECT_EQ(thrown_by([] { add_signal_handler(SIGSTOP, nothing); }),
              "RuntimeError('sig 19 cannot be caught')");
    EXPECT_FALSE(remove_signal_handler(SIGKILL));
    EXPECT_THROW(SignalSet(0), std::invalid_argument);
    co_return;
}

TEST(SignalHandler, is_refused_in_other_threads_and_on_closed_loops) {
    on_each_loop([](EventLoop& loop) {
        std::string thrown;
        std::thread([&] {
            thrown = thrown_by([&] { add_signal_handler(loop, SIGUSR1, nothing); });
        }).join();
        EXPECT_EQ(thrown,
                  "RuntimeError('set_wakeup_fd only works in main thread of the main "
                  "interpreter')");
        EXPECT_EQ(handler_of(SIGUSR1), SIG_DFL);

        loop.close();
        EXPECT_EQ(thrown_by([&] { add_signal_handler(loop, SIGUSR1, nothing); }),
                  "RuntimeError('Event loop is closed')");
    });
}

ASYNC_TEST(SignalHandler, takes_the_place_of_the_one_before) {
    std::string calls;
    add_signal_handler(SIGUSR1, [&calls] { calls += "a"; });
    add_signal_handler(SIGUSR1, [&calls] { calls += "b"; });

    ::raise(SIGUSR1);
    co_await settle();
    EXPECT_EQ(calls, "b");

    EXPECT_TRUE(remove_signal_handler(SIGUSR1));
    EXPECT_FALSE(remove_signal_handler(SIGUSR1));
    EXPECT_EQ(handler_of(SIGUSR1), SIG_DFL);
}

ASYNC_TEST(SignalHandler, gives_the_signal_back_to_what_had_it_before) {
    std::signal(SIGUSR1, SIG_IGN);
    add_signal_handler(SIGUSR1, nothing);
    add_signal_handler(SIGUSR1, nothing);

    EXPECT_TRUE(remove_signal_handler(SIGUSR1));

    EXPECT_EQ(handler_of(SIGUSR1), SIG_IGN);
    std::signal(SIGUSR1, SIG_DFL);
    co_return;
}

ASYNC_TEST(SignalHandler, leaves_one_alone_that_the_program_has_installed_since) {
    add_signal_handler(SIGUSR1, nothing);
    std::signal(SIGUSR1, SIG_IGN);

    EXPECT_TRUE(remove_signal_handler(SIGUSR1));

    EXPECT_EQ(handler_of(SIGUSR1), SIG_IGN);
    std::signal(SIGUSR1, SIG_DFL);
    co_return;
}

TEST(SignalHandler, ends_with_its_loop) {
    on_each_loop([](EventLoop& loop) {
        bool called = false;
        add_signal_handler(loop, SIGUSR1, [&called] { called = true; });
        add_signal_handler(loop, SIGUSR2, nothing);
        ::raise(SIGUSR1);  // on its way
        loop.close();
        EXPECT_EQ(handler_of(SIGUSR1), SIG_DFL);
        EXPECT_EQ(handler_of(SIGUSR2), SIG_DFL);
        EXPECT_FALSE(called);
    });
}

ASYNC_TEST(SignalHandler, that_was_removed_is_not_called_for_what_came_before) {
    bool called = false;
    add_signal_handler(SIGUSR1, [&called] { called = true; });
    ::raise(SIGUSR1);
    ::raise(SIGUSR1);

    remove_signal_handler(SIGUSR1);
    co_await settle();

    EXPECT_FALSE(called);
}

// Whose it is is decided when it is delivered, as in CPython.
ASYNC_TEST(SignalHandler, that_was_replaced_leaves_what_came_before_to_the_next_one) {
    std::string calls;
    add_signal_handler(SIGUSR1, [&calls] { calls += "a"; });
    ::raise(SIGUSR1);
    ::raise(SIGUSR1);

    add_signal_handler(SIGUSR1, [&calls] { calls += "b"; });
    ::raise(SIGUSR1);
    co_await settle();

    EXPECT_EQ(calls, "bbb");
    remove_signal_handler(SIGUSR1);
}

ASYNC_TEST(SignalHandler, may_remove_and_replace_itself) {
    std::string calls;
    add_signal_handler(SIGUSR1, [&calls] {
        calls += "a";
        add_signal_handler(SIGUSR1, [&calls] {
            calls += "b";
            remove_signal_handler(SIGUSR1);
            calls += "c";
        });
        calls += "-";
    });

    ::raise(SIGUSR1);
    co_await settle();
    ::raise(SIGUSR1);
    co_await settle();

    EXPECT_EQ(calls, "a-bc");
    EXPECT_EQ(handler_of(SIGUSR1), SIG_DFL);
}

// Each is a call, as each is a byte in CPython's wakeup descriptor; others run in between.
ASYNC_TEST(SignalHandler, is_called_for_each_signal_of_a_storm_and_lets_others_run) {
    constexpr int storm = 1000;
    int caught = 0;
    int caught_until_the_timer = 0;
    add_signal_handler(SIGUSR1, [&caught] { ++caught; });
    for (int i = 0; i < storm; ++i) {
        ::raise(SIGUSR1);
    }
    get_running_loop().call_later(0, [&] { caught_until_the_timer = caught; });

    while (caught < storm) {
        co_await sleep(0);
    }

    co_await settle();
    EXPECT_EQ(caught, storm);
    EXPECT_LT(caught_until_the_timer, storm);
    remove_signal_handler(SIGUSR1);
}

ASYNC_TEST(SignalHandler, reports_what_it_throws) {
    std::vector<std::string> reports;
    EventLoop& loop = get_running_loop();
    loop.set_exception_handler([&reports](EventLoop&, const ExceptionContext& context) {
        reports.push_back(std::string(context.message) + ": " + describe(context.exception));
    });
    int caught = 0;
    add_signal_handler(SIGUSR1, [&caught] {
        ++caught;
        throw RuntimeError("bad");
    });

    ::raise(SIGUSR1);
    ::raise(SIGUSR1);
    co_await settle();

    EXPECT_EQ(caught, 2);
    EXPECT_EQ(reports.size(), 2U);
    EXPECT_EQ(reports.front(), "Exception in callback: RuntimeError('bad')");
    loop.set_exception_handler(nullptr);
    remove_signal_handler(SIGUSR1);
}

ASYNC_TEST(SignalHandler, runs_in_the_context_that_it_was_given) {
    static ContextVar<int> variable("variable", 0);
    Context context = copy_context();
    context.run([] { variable.set(7); });
    int seen = -1;
    int seen_without = -1;
    add_signal_handler(SIGUSR1, [&seen] { seen = variable.get(); }, {.context = &context});
    variable.set(3);
    add_signal_handler(SIGUSR2, [&seen_without] { seen_without = variable.get(); });
    variable.set(4);

    ::raise(SIGUSR1);
    ::raise(SIGUSR2);
    co_await settle();

    EXPECT_EQ(seen, 7);
    EXPECT_EQ(seen_without, 3);
    remove_signal_handler(SIGUSR1);
    remove_signal_handler(SIGUSR2);
}

TEST(SignalHandler, of_sigint_comes_before_the_runners_and_gives_it_back) {
    for (const char* proactor : testing::proactors) {
        int caught = 0;
        const auto main = [](int& count) -> Coroutine<> {
            add_signal_handler(SIGINT, [&count] { ++count; });
            ::raise(SIGINT);
            ::raise(SIGINT);
            co_await sleep(0.001);
            remove_signal_handler(SIGINT);
            ::raise(SIGINT);  // the runner's again: the first one that it sees
            co_await sleep(60);
        };
        EXPECT_THROW(run(main(caught), {.proactor = proactor}), KeyboardInterrupt);
        EXPECT_EQ(caught, 2);
        EXPECT_EQ(handler_of(SIGINT), SIG_DFL);
    }
}

TEST(SignalHandler, of_sigint_that_outlives_the_run_ends_with_the_loop) {
    for (const char* proactor : testing::proactors) {
        const auto main = []() -> Coroutine<> {
            add_signal_handler(SIGINT, nothing);
            ::raise(SIGINT);
            co_await sleep(0.001);
        };
        run(main(), {.proactor = proactor});
        EXPECT_EQ(handler_of(SIGINT), SIG_DFL);
    }
}

// A program that is started gets the signals as if nothing had happened.
ASYNC_TEST(SignalHandler, is_not_there_in_programs_that_are_started) {
    add_signal_handler(SIGUSR1, nothing);
    add_signal_handler(SIGTERM, nothing);
    std::string text;
    FILE* const pipe = ::popen("exec cat /proc/self/status", "r");
    char line[128];
    while (std::fgets(line, sizeof line, pipe) != nullptr) {
        const std::string_view whole = line;
        text += whole.starts_with("SigBlk") || whole.starts_with("SigCgt") ? line : "";
    }
    ::pclose(pipe);
    EXPECT_EQ(text, "SigBlk:\t0000000000000000\nSigCgt:\t0000000000000000\n");
    remove_signal_handler(SIGUSR1);
    remove_signal_handler(SIGTERM);
    co_return;
}

// It shares with its parent what wakes the loop: the signal does what it did before all handlers.
ASYNC_TEST(SignalHandler, does_nothing_in_a_child_that_was_forked) {
    bool called = false;
    add_signal_handler(SIGUSR1, [&called] { called = true; });

    const pid_t child = ::fork();
    if (child == 0) {
        ::raise(SIGUSR1);
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    co_await settle();

    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), SIGUSR1);
    EXPECT_FALSE(called);
    remove_signal_handler(SIGUSR1);
}

TEST(SignalHandler, may_be_taken_away_while_signals_come_to_other_threads) {
    on_each_loop([](EventLoop& loop) {
        std::signal(SIGUSR1, SIG_IGN);
        std::atomic<bool> stop{false};
        std::thread other([&stop] {
            while (!stop) {
                ::pthread_kill(::pthread_self(), SIGUSR1);
            }
        });
        for (int i = 0; i < 200; ++i) {
            add_signal_handler(loop, SIGUSR1, nothing);
            loop.run_until_complete(sleep(0));
            remove_signal_handler(loop, SIGUSR1);
        }
        stop = true;
        other.join();
        std::signal(SIGUSR1, SIG_DFL);
    });
}

ASYNC_TEST(SignalsIterator, gives_each_signal_in_turn) {
    Signals signals(SIGUSR1, SIGUSR2);
    ::raise(SIGUSR2);
    co_await settle();
    ::raise(SIGUSR1);

    EXPECT_EQ(co_await signals.next(), SIGUSR2);
    EXPECT_EQ(co_await signals.next(), SIGUSR1);
    auto waiting = create_task(signals.next());
    co_await settle();
    ::raise(SIGUSR1);
    EXPECT_EQ(co_await waiting, SIGUSR1);
}

ASYNC_TEST(SignalsIterator, loses_none_when_it_is_cancelled) {
    Signals signals(SIGUSR1);
    auto waiting = create_task(signals.next());
    co_await settle();
    ::raise(SIGUSR1);
    waiting.cancel();
    co_await settle();

    EXPECT_TRUE(waiting.cancelled());
    EXPECT_EQ(co_await signals.next(), SIGUSR1);
}

ASYNC_TEST(SignalsIterator, ends_when_it_is_closed_and_gives_the_signals_back) {
    std::optional<Signals> signals;
    signals.emplace(SIGUSR1);
    auto waiting = create_task(signals->next());
    co_await settle();

    signals->close();
    EXPECT_EQ(co_await waiting, std::nullopt);
    EXPECT_EQ(co_await signals->next(), std::nullopt);
    EXPECT_EQ(handler_of(SIGUSR1), SIG_DFL);

    Signals moved(SIGUSR2);
    Signals other = std::move(moved);
    EXPECT_NE(handler_of(SIGUSR2), SIG_DFL);
    other = Signals(SIGUSR1);
    EXPECT_EQ(handler_of(SIGUSR2), SIG_DFL);
}

}  // namespace asyncio
