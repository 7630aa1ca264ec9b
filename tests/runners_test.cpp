// runners_test.cpp - run() and Runner: the beginning and the end of a program, and Ctrl-C.
//
// SPDX-License-Identifier: MIT
#include "support/observe.hpp"

#include <asyncio/generators.hpp>
#include <asyncio/runners.hpp>
#include <asyncio/testing/virtual_clock.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

namespace asyncio {

using testing::Gone;
using testing::Logged;
using testing::Reports;
using testing::thrown_by;
using testing::Trace;
using testing::VirtualClockScope;

namespace {

Coroutine<int> answer() {
    co_await sleep(0);
    co_return 42;
}

TEST(Run, gives_the_result_of_its_main_coroutine) {
    EXPECT_EQ(run(answer()), 42);
    auto pointer = []() -> Coroutine<std::unique_ptr<int>> { co_return std::make_unique<int>(1); };
    EXPECT_EQ(*run(pointer), 1);
    auto add = [](int a, std::string b) -> Coroutine<std::string> {
        co_return std::to_string(a) + b;
    };
    EXPECT_EQ(run(add, 1, "x"), "1x");
    EXPECT_EQ(run(sleep(0, 7)), 7);
}

TEST(Run, throws_what_its_main_coroutine_throws) {
    auto fail = []() -> Coroutine<> {
        co_await sleep(0);
        throw RuntimeError("main");
    };
    auto cancel = []() -> Coroutine<> {
        current_task().cancel("myself");
        co_await sleep(1);
    };
    EXPECT_EQ(thrown_by([&] { run(fail); }), "RuntimeError('main')");
    EXPECT_EQ(thrown_by([&] { run(cancel); }), "CancelledError('myself')");
}

TEST(Run, is_refused_inside_a_running_loop_and_begins_nothing) {
    Trace trace;
    auto inner = [](Gone) -> Coroutine<> {
        ADD_FAILURE() << "began";
        co_return;
    };
    auto outer = [&]() -> Coroutine<> {
        trace.push_back(thrown_by([&] { run(inner(Gone(trace, "gone"))); }));
        Runner runner;
        trace.push_back(thrown_by([&] { runner.run(inner(Gone(trace, "gone"))); }));
        co_return;
    };
    run(outer);
    EXPECT_EQ(
        trace,
        (Trace{"gone", "RuntimeError('asyncio.run() cannot be called from a running event loop')",
               "gone", "RuntimeError('Runner.run() cannot be called from a running event loop')"}));
}

TEST(Run, cancels_the_tasks_that_are_left_and_waits_for_them) {
    const VirtualClockScope clock;
    Trace trace;
    auto slow_cleanup = [](Trace& trace) -> Coroutine<> {
        auto slept = co_await as_result(sleep(3600));
        trace.push_back(describe(slept.error()));
        co_await sleep(5);
        trace.push_back("cleaned up");
        slept.get();
    };
    auto body = [&]() -> Coroutine<> {
        create_task(slow_cleanup(trace));
        co_await sleep(0);
        trace.push_back("main ends");
    };
    run(body);
    EXPECT_EQ(trace, (Trace{"main ends", "CancelledError()", "cleaned up"}));
}

TEST(Run, reports_what_the_tasks_that_are_left_throw) {
    const VirtualClockScope clock;
    Trace messages;
    Trace errors;
    auto failing_cleanup = []() -> Coroutine<> {
        auto slept = co_await as_result(sleep(3600));
        throw RuntimeError("cleanup");
    };
    auto body = [&]() -> Coroutine<> {
        get_running_loop().set_exception_handler([&](EventLoop&, const ExceptionContext& context) {
            messages.push_back(context.message);
            errors.push_back(describe(context.exception));
            EXPECT_TRUE(static_cast<bool>(context.task));
        });
        create_task(failing_cleanup());
        co_await sleep(0);
    };
    run(body);
    EXPECT_EQ(messages, Trace{"unhandled exception during asyncio.run() shutdown"});
    EXPECT_EQ(errors, Trace{"RuntimeError('cleanup')"});
}

TEST(Run, cleans_up_when_its_main_coroutine_throws_or_the_loop_is_left) {
    const VirtualClockScope clock;
    for (const bool leaves : {false, true}) {
        Trace trace;
        auto left = [](Trace& trace) -> Coroutine<> {
            auto slept = co_await as_result(sleep(3600));
            trace.push_back(describe(slept.error()));
        };
        auto body = [&]() -> Coroutine<> {
            create_task(left(trace));
            co_await sleep(1);
            if (leaves) {
                throw SystemExit(2);
            }
            throw RuntimeError("main");
        };
        EXPECT_EQ(thrown_by([&] { run(body); }), leaves ? "SystemExit(2)" : "RuntimeError('main')");
        EXPECT_EQ(trace, Trace{"CancelledError()"});
    }
}

TEST(Run, closes_generators_although_main_and_the_tasks_that_are_left_throw) {
    const VirtualClockScope clock;
    Trace trace;
    auto numbers = [](Trace& trace) -> AsyncGenerator<int> {
        const Gone gone(trace, "the generator is gone");
        while (true) {
            co_yield 1;
            co_await sleep(1);
        }
    };
    auto spin = [&numbers](Trace& trace) -> Coroutine<> {
        auto generator = numbers(trace);
        auto spun = co_await as_result([](AsyncGenerator<int>& generator) -> Coroutine<> {
            while (true) {
                auto item = co_await generator.next();
                if (!item) {
                    break;
                }
            }
        }(generator));
        trace.push_back(describe(spun.error()));
        throw RuntimeError("cleanup");
    };
    Task<> left;
    auto body = [&]() -> Coroutine<> {
        get_running_loop().set_exception_handler([&](EventLoop&, const ExceptionContext& context) {
            trace.push_back(describe(context.exception));
        });
        left = create_task(spin(trace));
        co_await sleep(0);
        throw RuntimeError("main");
    };

    EXPECT_EQ(thrown_by([&] { run(body); }), "RuntimeError('main')");

    EXPECT_EQ(trace,
              (Trace{"the generator is gone", "CancelledError()", "RuntimeError('cleanup')"}));
    EXPECT_TRUE(left.done());
}

TEST(Run, waits_for_the_threads_of_the_default_executor) {
    std::atomic<bool> ended{false};
    auto body = [&]() -> Coroutine<> {
        get_running_loop().run_in_executor(nullptr, [&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
            ended = true;
        });
        co_return;
    };
    run(body);
    EXPECT_TRUE(ended);
}

TEST(Run, takes_debug_from_its_options_or_the_environment) {
    auto debug = []() -> Coroutine<bool> { co_return get_running_loop().get_debug(); };
    EXPECT_FALSE(run(debug, {.debug = false}));
    EXPECT_TRUE(run(debug, {.debug = true}));
    ::setenv("ASYNCIO_DEBUG", "1", 1);
    EXPECT_TRUE(run(debug));
    EXPECT_FALSE(run(debug, {.debug = false}));
    ::setenv("ASYNCIO_DEBUG", "0", 1);
    EXPECT_FALSE(run(debug));
    ::unsetenv("ASYNCIO_DEBUG");
}

TEST(Run, makes_its_loop_by_a_factory) {
    auto factory = []() -> std::unique_ptr<EventLoop> {
        auto loop = new_event_loop();
        loop->set_exception_handler([](EventLoop&, const ExceptionContext&) {});
        return loop;
    };
    auto has_handler = []() -> Coroutine<bool> {
        co_return static_cast<bool>(get_running_loop().get_exception_handler());
    };
    EXPECT_TRUE(run(has_handler, {.loop_factory = factory}));
    EXPECT_FALSE(run(has_handler));
}

TEST(Runner, runs_several_times_on_one_loop) {
    Runner runner({.debug = true});
    EventLoop& loop = runner.get_loop();
    Trace trace;
    auto leave_a_task = [](Trace& trace) -> Coroutine<> {
        auto later = [](Trace& trace) -> Coroutine<> {
            co_await sleep(0.001);
            trace.push_back("later");
        };
        create_task(later(trace));
        co_return;
    };

    runner.run(leave_a_task(trace));
    EXPECT_EQ(runner.run(answer()), 42);
    runner.run(sleep(0.005));

    EXPECT_EQ(trace, Trace{"later"});
    EXPECT_EQ(&runner.get_loop(), &loop);
    EXPECT_TRUE(loop.get_debug());
}

TEST(Runner, is_used_up_when_it_is_closed) {
    Runner runner;
    EXPECT_EQ(runner.run(answer()), 42);
    runner.close();
    runner.close();  // again is nothing
    EXPECT_EQ(thrown_by([&] { runner.run(answer()); }), "RuntimeError('Runner is closed')");
    EXPECT_EQ(thrown_by([&] { static_cast<void>(runner.get_loop()); }),
              "RuntimeError('Runner is closed')");
}

TEST(Runner, that_has_made_its_loop_is_used_up_when_it_is_closed) {
    Trace trace;
    Runner runner;
    runner.get_loop().call_soon([gone = Gone(trace, "closed")] {});
    runner.close();
    EXPECT_EQ(trace, Trace{"closed"});
    runner.close();
    EXPECT_EQ(thrown_by([&] { static_cast<void>(runner.get_loop()); }),
              "RuntimeError('Runner is closed')");
}

TEST(Runner, runs_a_future_of_its_loop) {
    Runner runner;
    auto future = runner.get_loop().create_future<int>();
    runner.get_loop().call_soon([&] { future.set_result(42); });
    EXPECT_EQ(runner.run(future), 42);
}

TEST(Runner, closed_before_its_first_run_may_still_be_used) {
    Runner runner;
    runner.close();
    EXPECT_EQ(runner.run(answer()), 42);  // there was no loop to close, as in CPython
}

TEST(Runner, refuses_to_be_closed_while_its_loop_runs) {
    Runner runner;
    std::string refused;
    runner.run([&]() -> Coroutine<> {
        refused = thrown_by([&] { runner.close(); });
        co_return;
    });
    EXPECT_EQ(refused, "RuntimeError('Cannot close a running event loop')");
    EXPECT_EQ(runner.run(answer()), 42);
}

TEST(Runner, keeps_the_name_of_its_proactor) {
    auto make = [] {
        const std::string name = "a proactor with a name that is long enough for the heap";
        return std::make_unique<Runner>(RunOptions{.proactor = name});
    };
    const std::unique_ptr<Runner> runner = make();
    const std::string refused = thrown_by([&] { static_cast<void>(runner->get_loop()); });
    EXPECT_NE(refused.find("long enough for the heap"), std::string::npos) << refused;
}

// -------------------------------------------------------------------------------------- Ctrl-C

/// Runs `body` in a child process; how that ended. What it writes to `out` comes back as text.
struct Ended {
    int status;
    std::string out;
};

/// What `body` throws meets no handler, as in main(). (g++ makes std::terminate() forget which
/// exception it was where a noexcept function has destructors to run: this one has none.)
[[gnu::noinline]] void as_main(void (*body)()) noexcept {
    body();
}

Ended in_child(void (*body)()) {
    int pipe[2] = {};
    if (::pipe(pipe) != 0) {
        throw std::runtime_error("pipe");
    }
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(pipe[0]);
        ::dup2(pipe[1], STDOUT_FILENO);
        ::dup2(pipe[1], STDERR_FILENO);
        std::signal(SIGINT, SIG_DFL);
        ::alarm(30);
        as_main(body);
        std::fflush(nullptr);
        ::_exit(0);
    }
    ::close(pipe[1]);
    Ended ended{};
    char buffer[512];
    for (ssize_t size = 0; (size = ::read(pipe[0], buffer, sizeof buffer)) > 0;) {
        ended.out.append(buffer, static_cast<std::size_t>(size));
    }
    ::close(pipe[0]);
    ::waitpid(child, &ended.status, 0);
    return ended;
}

void say(const char* text) {
    std::fputs(text, stdout);
}

template <class Error, class... Args>
Coroutine<> throwing(Args... args) {
    co_await sleep(0);
    throw Error(args...);
}

/// Is interrupted, cleans up with an await, and says so.
Coroutine<> interrupted() {
    ::raise(SIGINT);
    auto slept = co_await as_result(sleep(20));
    co_await sleep(0.001);
    say(slept.cancelled() ? "cleaned up\n" : "not cancelled\n");
    slept.get();
}

TEST(CtrlC, cancels_the_main_task_and_ends_the_process_by_sigint) {
    const Ended ended = in_child([] { run(interrupted()); });
    EXPECT_EQ(ended.out, "cleaned up\nKeyboardInterrupt\n");
    EXPECT_TRUE(WIFSIGNALED(ended.status));
    EXPECT_EQ(WTERMSIG(ended.status), SIGINT);
}

TEST(CtrlC, from_outside_wakes_a_loop_that_waits) {
    const Ended ended = in_child([] {
        std::thread killer([] {
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            ::kill(::getpid(), SIGINT);
        });
        killer.detach();
        auto wait = []() -> Coroutine<> {
            auto slept = co_await as_result(sleep(20));
            say(slept.cancelled() ? "cleaned up\n" : "not cancelled\n");
            slept.get();
        };
        run(wait);
    });
    EXPECT_EQ(ended.out, "cleaned up\nKeyboardInterrupt\n");
    EXPECT_TRUE(WIFSIGNALED(ended.status));
}

TEST(CtrlC, reaches_a_task_that_never_waits_for_anything) {
    const Ended ended = in_child([] {
        auto busy = []() -> Coroutine<> {
            get_running_loop().call_later(0.001, [] { ::raise(SIGINT); });
            auto spun = co_await as_result([]() -> Coroutine<> {
                while (true) {
                    co_await sleep(0);
                }
            }());
            say(spun.cancelled() ? "cancelled\n" : "not cancelled\n");
            spun.get();
        };
        say((thrown_by([&] { run(busy); }) + "\n").c_str());
    });
    EXPECT_EQ(ended.out, "cancelled\nKeyboardInterrupt()\n");
    EXPECT_EQ(ended.status, 0);
}

TEST(CtrlC, is_no_keyboard_interrupt_where_the_main_task_was_cancelled_as_well) {
    const Ended ended = in_child([] {
        for (const bool cancelled_first : {true, false}) {
            auto cancel = [](AnyTask main, bool cancelled_first) -> Coroutine<> {
                co_await sleep(0);
                if (cancelled_first) {
                    main.cancel();
                    ::raise(SIGINT);
                } else {
                    ::raise(SIGINT);
                    main.cancel();
                }
            };
            auto body = [&]() -> Coroutine<> {
                create_task(cancel(current_task(), cancelled_first));
                co_await sleep(20);
            };
            say((thrown_by([&] { run(body); }) + "\n").c_str());
        }
    });
    EXPECT_EQ(ended.out, "CancelledError()\nCancelledError()\n");
    EXPECT_EQ(ended.status, 0);
}

TEST(CtrlC, a_keyboard_interrupt_of_the_program_ends_the_process_by_sigint) {
    const Ended ended = in_child([] { run(throwing<KeyboardInterrupt>()); });
    EXPECT_EQ(ended.out, "KeyboardInterrupt\n");
    EXPECT_TRUE(WIFSIGNALED(ended.status));
    EXPECT_EQ(WTERMSIG(ended.status), SIGINT);
}

TEST(Run, ends_the_process_with_the_status_of_an_uncaught_system_exit) {
    const Ended ended = in_child([] { run(throwing<SystemExit>(3)); });
    EXPECT_EQ(ended.out, "");
    EXPECT_TRUE(WIFEXITED(ended.status));
    EXPECT_EQ(WEXITSTATUS(ended.status), 3);
}

TEST(CtrlC, is_a_keyboard_interrupt_that_can_be_caught) {
    const Ended ended = in_child([] {
        try {
            run(interrupted());
        } catch (const KeyboardInterrupt&) {
            say("caught\n");
        }
        struct sigaction action{};
        ::sigaction(SIGINT, nullptr, &action);
        say(action.sa_handler == SIG_DFL ? "default handler\n" : "other handler\n");
        if (run(answer()) == 42) {
            say("runs again\n");
        }
    });
    EXPECT_EQ(ended.out, "cleaned up\ncaught\ndefault handler\nruns again\n");
    EXPECT_EQ(ended.status, 0);
}

TEST(CtrlC, the_second_ends_the_process_at_once) {
    const Ended ended = in_child([] {
        auto stubborn = []() -> Coroutine<> {
            ::raise(SIGINT);
            auto slept = co_await as_result(sleep(20));
            say("first\n");
            std::fflush(stdout);
            ::raise(SIGINT);
            say("not reached\n");
        };
        run(stubborn);
    });
    EXPECT_EQ(ended.out, "first\n");
    EXPECT_TRUE(WIFSIGNALED(ended.status));
    EXPECT_EQ(WTERMSIG(ended.status), SIGINT);
}

TEST(CtrlC, that_the_main_task_survives_is_no_error) {
    const Ended ended = in_child([] {
        auto survivor = []() -> Coroutine<int> {
            ::raise(SIGINT);
            auto slept = co_await as_result(sleep(20));
            co_return slept.cancelled() ? 5 : 6;
        };
        say(run(survivor) == 5 ? "result\n" : "not cancelled\n");
    });
    EXPECT_EQ(ended.out, "result\n");
    EXPECT_EQ(ended.status, 0);
}

std::atomic<int> own_handler_calls{0};

TEST(CtrlC, leaves_a_handler_of_the_program_alone) {
    const Ended ended = in_child([] {
        std::signal(SIGINT, [](int) { ++own_handler_calls; });
        auto body = []() -> Coroutine<> {
            ::raise(SIGINT);
            co_await sleep(0.001);
            say("not cancelled\n");
        };
        run(body);
        ::raise(SIGINT);
        say(own_handler_calls == 2 ? "own handler\n" : "another\n");
    });
    EXPECT_EQ(ended.out, "not cancelled\nown handler\n");
    EXPECT_EQ(ended.status, 0);
}

TEST(CtrlC, is_not_touched_by_a_loop_in_another_thread) {
    const Ended ended = in_child([] {
        std::thread([] {
            auto body = []() -> Coroutine<> {
                struct sigaction action{};
                ::sigaction(SIGINT, nullptr, &action);
                say(action.sa_handler == SIG_DFL ? "default\n" : "changed\n");
                co_return;
            };
            run(body);
        }).join();
    });
    EXPECT_EQ(ended.out, "default\n");
}

// The signal is on its way to the loop, which is left before it takes it.
TEST(CtrlC, together_with_an_exception_that_leaves_the_loop_is_forgotten) {
    const Ended ended = in_child([] {
        auto body = []() -> Coroutine<> {
            co_await sleep(0);
            ::raise(SIGINT);
            throw SystemExit(3);
        };
        say(thrown_by([&] { run(body); }) == "SystemExit(3)" ? "exit\n" : "another\n");
    });
    EXPECT_EQ(ended.out, "exit\n");
    EXPECT_EQ(ended.status, 0);
}

}  // namespace

}  // namespace asyncio
