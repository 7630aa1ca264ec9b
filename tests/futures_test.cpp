// futures_test.cpp - futures: results, callbacks, cancellation, and what nobody looked at.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/futures.hpp>
#include <asyncio/tasks.hpp>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace asyncio {

using testing::Gone;
using testing::Logged;
using testing::Reports;
using testing::settle;
using testing::thrown_by;
using testing::Trace;

namespace {

template <class T = void>
Future<T> new_future() {
    return get_running_loop().create_future<T>();
}

ASYNC_TEST(Future, has_no_result_at_first) {
    auto future = new_future<int>();

    EXPECT_FALSE(future.done());
    EXPECT_FALSE(future.cancelled());
    EXPECT_EQ(thrown_by([&] { return future.result(); }),
              "InvalidStateError('Result is not set.')");
    EXPECT_EQ(thrown_by([&] { return future.exception(); }),
              "InvalidStateError('Exception is not set.')");
    EXPECT_EQ(&future.get_loop(), &get_running_loop());
    EXPECT_EQ(future.get_name(), "");
    EXPECT_TRUE(isfuture(future));
    EXPECT_FALSE(isfuture(1));
    co_return;
}

ASYNC_TEST(Future, gives_the_result_that_was_set_and_takes_no_other) {
    auto future = new_future<std::string>();
    future.set_result("first");

    EXPECT_EQ(thrown_by([&] { future.set_result("second"); }),
              "InvalidStateError('invalid state')");
    EXPECT_EQ(thrown_by([&] { future.set_exception(RuntimeError("x")); }),
              "InvalidStateError('invalid state')");
    EXPECT_FALSE(future.cancel());
    const std::string awaited = co_await future;

    EXPECT_EQ(awaited, "first");
    EXPECT_EQ(future.result(), "first");
    EXPECT_EQ(future.exception(), nullptr);
    EXPECT_FALSE(future.cancelled());
}

ASYNC_TEST(Future, throws_the_exception_that_was_set) {
    auto of_object = new_future<int>();
    of_object.set_exception(RuntimeError("object"));
    auto of_pointer = new_future<int>();
    of_pointer.set_exception(std::make_exception_ptr(std::invalid_argument("pointer")));

    auto awaited = co_await as_result(of_pointer);

    EXPECT_EQ(thrown_by([&] { return of_object.result(); }), "RuntimeError('object')");
    EXPECT_EQ(describe(awaited.error()), "ValueError('pointer')");
    EXPECT_EQ(describe(of_pointer.exception()), "ValueError('pointer')");
    auto pending = new_future<int>();
    EXPECT_NE(thrown_by([&] { pending.set_exception(std::exception_ptr()); }), "nothing");
    EXPECT_FALSE(pending.done());
}

ASYNC_TEST(Future, stays_pending_if_making_the_result_throws) {
    struct Throws {
        explicit Throws(int) { throw RuntimeError("made"); }
    };
    auto future = new_future<Throws>();

    EXPECT_EQ(thrown_by([&] { future.set_result(1); }), "RuntimeError('made')");
    EXPECT_FALSE(future.done());
    co_return;
}

ASYNC_TEST(Future, of_nothing_and_of_what_only_moves) {
    auto nothing = new_future();
    nothing.set_result();
    auto pointer = new_future<std::unique_ptr<int>>();
    pointer.set_result(std::make_unique<int>(1));

    co_await nothing;
    std::unique_ptr<int> got = co_await pointer;

    EXPECT_EQ(*got, 1);
    EXPECT_EQ(thrown_by([&] { return pointer.result(); }),
              "InvalidStateError('Result has been moved out already.')");
}

ASYNC_TEST(Future, may_refer_to_an_object) {
    int object = 1;
    auto future = new_future<int&>();
    future.set_result(object);

    int& got = co_await future;

    EXPECT_EQ(&got, &object);
    EXPECT_EQ(&future.result(), &object);
}

// ----------------------------------------------------------------------------------- callbacks

ASYNC_TEST(DoneCallback, runs_in_the_next_turn_in_order_of_registration) {
    Trace trace;
    auto& loop = get_running_loop();
    auto future = new_future<int>();
    for (const char* name : {"0", "1", "2"}) {
        future.add_done_callback([&trace, name](const Future<int>&) { trace.push_back(name); });
    }
    loop.call_soon([&] { trace.push_back("before"); });
    future.set_result(0);
    loop.call_soon([&] { trace.push_back("after"); });
    trace.push_back("at once");

    co_await settle();

    EXPECT_EQ(trace, (Trace{"at once", "before", "0", "1", "2", "after"}));
}

ASYNC_TEST(DoneCallback, is_in_order_with_the_tasks_that_wait) {
    Trace trace;
    auto future = new_future<int>();
    auto waiter = [](Future<int> future, Trace& trace, std::string name) -> Coroutine<> {
        co_await future;
        trace.push_back(name);
    };
    create_task(waiter(future, trace, "task 1"));
    co_await settle();
    future.add_done_callback([&](const AnyFuture&) { trace.push_back("callback"); });
    create_task(waiter(future, trace, "task 2"));
    co_await settle();

    future.set_result(1);
    co_await settle();

    EXPECT_EQ(trace, (Trace{"task 1", "callback", "task 2"}));
}

ASYNC_TEST(DoneCallback, of_a_done_future_is_scheduled_not_called) {
    Trace trace;
    auto future = new_future<int>();
    future.set_result(5);

    future.add_done_callback(
        [&trace](Future<int> done) { trace.push_back(std::to_string(done.result())); });
    EXPECT_EQ(trace, Trace{});
    co_await sleep(0);

    EXPECT_EQ(trace, Trace{"5"});
}

ASYNC_TEST(DoneCallback, gets_a_handle_of_the_type_it_asks_for) {
    auto body = []() -> Coroutine<int> { co_return 3; };
    auto task = create_task(body);
    int calls = 0;
    const Future<int>& as_future = task;
    const AnyFuture& as_any = task;
    task.add_done_callback([&](const Task<int>& done) { calls += done == task ? 1 : 0; });
    task.add_done_callback([&](AnyFuture done) { calls += done == task ? 1 : 0; });
    task.add_done_callback([&](auto done) { calls += done.result() == 3 ? 1 : 0; });
    as_future.add_done_callback([&](Future<int> done) { calls += done == task ? 1 : 0; });
    as_any.add_done_callback([&](const AnyFuture& done) { calls += done == task ? 1 : 0; });
    AnyTask(task).add_done_callback([&](const AnyTask& done) { calls += done == task ? 1 : 0; });

    co_await settle();

    EXPECT_EQ(calls, 6);
}

ASYNC_TEST(DoneCallback, that_was_removed_is_destroyed_and_not_called) {
    Trace trace;
    auto future = new_future<int>();
    const DoneCallbackToken token = future.add_done_callback(
        [gone = Gone(trace, "destroyed"), &trace](const AnyFuture&) { trace.push_back("called"); });
    const DoneCallbackToken other =
        future.add_done_callback([&trace](const AnyFuture&) { trace.push_back("other"); });

    EXPECT_EQ(future.remove_done_callback(token), 1U);
    EXPECT_EQ(trace, Trace{"destroyed"});
    EXPECT_EQ(future.remove_done_callback(token), 0U);
    EXPECT_EQ(future.remove_done_callback(DoneCallbackToken()), 0U);
    future.set_result(1);
    EXPECT_EQ(future.remove_done_callback(other), 0U);  // it is on its way
    co_await settle();

    EXPECT_EQ(trace, (Trace{"destroyed", "other"}));
}

ASYNC_TEST(DoneCallback, that_is_not_removed_keeps_its_place) {
    for (const std::vector<std::size_t>& removed :
         {std::vector<std::size_t>{0}, {0, 1}, {1}, {2}, {2, 0}, {0, 1, 2}}) {
        Trace trace;
        Trace left{"0", "1", "2"};
        auto future = new_future<int>();
        std::vector<DoneCallbackToken> tokens;
        for (const char* name : {"0", "1", "2"}) {
            tokens.push_back(future.add_done_callback(
                [&trace, name](const AnyFuture&) { trace.push_back(name); }));
        }

        for (const std::size_t index : removed) {
            EXPECT_EQ(future.remove_done_callback(tokens[index]), 1U);
            EXPECT_EQ(future.remove_done_callback(tokens[index]), 0U);
            std::erase(left, std::to_string(index));
        }
        future.set_result(1);
        co_await settle();

        EXPECT_EQ(trace, left);
    }
}

// What Python's comparison of functions may do while it looks for one, a destructor may do here.
ASYNC_TEST(DoneCallback, may_remove_and_add_others_when_it_is_destroyed) {
    struct AtEnd {
        explicit AtEnd(std::function<void()> act) : act(std::move(act)) {}
        AtEnd(AtEnd&& other) noexcept : act(std::exchange(other.act, nullptr)) {}
        AtEnd& operator=(AtEnd&&) = delete;
        ~AtEnd() {
            if (act) {
                act();
            }
        }
        std::function<void()> act;
    };
    Trace trace;
    auto future = new_future<int>();
    DoneCallbackToken other;
    const DoneCallbackToken token = future.add_done_callback(
        [at_end = AtEnd([&] {
             trace.push_back("destroyed");
             EXPECT_EQ(future.remove_done_callback(other), 1U);
             future.add_done_callback([&trace](const AnyFuture&) { trace.push_back("added"); });
         })](const AnyFuture&) { ADD_FAILURE() << "called"; });
    other = future.add_done_callback([](const AnyFuture&) { ADD_FAILURE() << "called"; });
    future.add_done_callback([&trace](const AnyFuture&) { trace.push_back("last"); });

    EXPECT_EQ(future.remove_done_callback(token), 1U);
    future.set_result(1);
    co_await settle();

    EXPECT_EQ(trace, (Trace{"destroyed", "last", "added"}));
}

ASYNC_TEST(DoneCallback, that_throws_is_reported_and_the_others_run) {
    Reports reports;
    bool ran = false;
    auto future = new_future<int>();
    future.add_done_callback([](const AnyFuture&) { throw RuntimeError("in callback"); });
    future.add_done_callback([&ran](const AnyFuture&) { ran = true; });

    future.set_result(1);
    co_await settle();

    EXPECT_TRUE(ran);
    EXPECT_EQ(reports.messages, Trace{"Exception in callback"});
    EXPECT_EQ(reports.errors, Trace{"RuntimeError('in callback')"});
}

ASYNC_TEST(DoneCallback, keeps_the_future_once_it_is_done_and_not_before) {
    Trace trace;
    auto future = new_future<int>();
    future.add_done_callback(
        [gone = Gone(trace, "dropped")](const AnyFuture&) { ADD_FAILURE() << "not done"; });
    future = {};
    EXPECT_EQ(trace, Trace{"dropped"});

    int result = 0;
    auto second = new_future<int>();
    second.add_done_callback([&result](const Future<int>& done) { result = done.result(); });
    second.set_result(6);
    second = {};
    co_await settle();

    EXPECT_EQ(result, 6);
}

TEST(DoneCallback, of_a_done_future_cannot_be_added_after_its_loop_is_closed) {
    Trace trace;
    EventLoop loop;
    auto future = loop.create_future<int>();
    future.set_result(1);
    loop.close();

    EXPECT_EQ(thrown_by([&] {
                  future.add_done_callback([gone = Gone(trace, "gone")](const AnyFuture&) {});
              }),
              "RuntimeError('Event loop is closed')");
    EXPECT_EQ(trace, Trace{"gone"});
}

// -------------------------------------------------------------------------------- cancellation

ASYNC_TEST(FutureCancel, takes_effect_at_once_with_its_message) {
    Trace trace;
    auto future = new_future<int>();
    future.add_done_callback([&](const AnyFuture& done) {
        trace.push_back(done.cancelled() ? "cancelled" : "not cancelled");
    });

    EXPECT_TRUE(future.cancel("why"));
    EXPECT_FALSE(future.cancel("again"));
    EXPECT_TRUE(future.done());
    EXPECT_TRUE(future.cancelled());
    EXPECT_EQ(thrown_by([&] { future.set_result(1); }), "InvalidStateError('invalid state')");
    EXPECT_EQ(thrown_by([&] { return future.result(); }), "CancelledError('why')");
    EXPECT_EQ(thrown_by([&] { return future.exception(); }), "CancelledError('why')");
    auto awaited = co_await as_result(future);
    co_await settle();

    EXPECT_EQ(describe(awaited.error()), "CancelledError('why')");
    EXPECT_EQ(trace, Trace{"cancelled"});
}

ASYNC_TEST(FutureCancel, ends_every_task_that_waits) {
    auto future = new_future<int>();
    auto waiter = [](Future<int> future) -> Coroutine<> { co_await future; };
    auto a = create_task(waiter(future));
    auto b = create_task(waiter(future));
    co_await settle();

    a.cancel("one");  // cancels what it waits for, which others do as well
    co_await settle();

    EXPECT_TRUE(a.cancelled());
    EXPECT_TRUE(b.cancelled());
    EXPECT_EQ(b.cancelling(), 0);
}

ASYNC_TEST(Future, a_cancelled_error_set_as_exception_is_an_exception_here_and_cancels_the_task) {
    auto future = new_future<int>();
    auto waiter = [](Future<int> future) -> Coroutine<> { co_await future; };
    auto task = create_task(waiter(future));
    co_await settle();

    future.set_exception(CancelledError("set"));
    co_await settle();

    EXPECT_FALSE(future.cancelled());
    EXPECT_EQ(describe(future.exception()), "CancelledError('set')");
    EXPECT_TRUE(task.cancelled());
}

// ----------------------------------------------------------------------------- never retrieved

ASYNC_TEST(Future, whose_exception_nobody_retrieved_is_reported) {
    Reports reports;
    auto future = new_future<int>();
    future.set_exception(RuntimeError("lost"));

    auto copy = future;
    future = {};
    EXPECT_EQ(reports.messages, Trace{});
    copy = {};

    EXPECT_EQ(reports.messages, Trace{"Future exception was never retrieved"});
    EXPECT_EQ(reports.errors, Trace{"RuntimeError('lost')"});
    co_return;
}

ASYNC_TEST(Future, whose_exception_was_retrieved_is_not_reported) {
    Reports reports;
    for (int way = 0; way < 4; ++way) {
        auto future = new_future<int>();
        future.set_exception(RuntimeError("seen"));
        if (way == 0) {
            EXPECT_NE(future.exception(), nullptr);
        } else if (way == 1) {
            EXPECT_NE(thrown_by([&] { return future.result(); }), "nothing");
        } else if (way == 2) {
            auto awaited = co_await as_result(future);
            EXPECT_FALSE(awaited.has_value());
        } else {
            EXPECT_FALSE(future.cancel());
        }
    }

    EXPECT_EQ(reports.messages, Trace{});
}

ASYNC_TEST(Future, that_is_dropped_pending_or_with_a_result_is_not_reported) {
    const Reports reports;
    const Logged logged;

    static_cast<void>(new_future<int>());
    new_future<int>().set_result(1);
    new_future<int>().cancel();
    {
        auto future = new_future<int>();
        future.set_result(2);
        EXPECT_EQ(future.result(), 2);
    }

    EXPECT_EQ(reports.messages, Trace{});
    EXPECT_EQ(logged.texts, Trace{});
    co_return;
}

TEST(Future, whose_exception_nobody_retrieved_is_logged_when_its_loop_is_gone) {
    Logged logged;
    Future<int> future;
    {
        EventLoop loop;
        future = loop.create_future<int>();
    }

    future.set_exception(RuntimeError("late"));
    future = {};

    EXPECT_EQ(logged.texts,
              Trace{"Future exception was never retrieved\nfuture: <Future finished exception="
                    "RuntimeError('late')>\n"
                    "exception: RuntimeError('late')"});
}

TEST(Future, with_callbacks_cannot_be_set_when_its_loop_is_closed) {
    EventLoop loop;
    auto future = loop.create_future<int>();
    future.add_done_callback([](const AnyFuture&) { ADD_FAILURE() << "called"; });
    loop.close();

    EXPECT_EQ(thrown_by([&] { future.set_result(1); }), "RuntimeError('Event loop is closed')");
    EXPECT_EQ(future.result(), 1);  // CPython's is done as well
}

TEST(Future, of_another_loop_cannot_be_awaited) {
    EventLoop other;
    EventLoop loop;
    auto future = other.create_future<int>();
    auto body = [](Future<int> future) -> Coroutine<> { co_await future; };
    auto task = loop.create_task(body(future));

    const std::string error = thrown_by([&] { loop.run_until_complete(task); });

    EXPECT_EQ(error, "RuntimeError(\"Task '" + task.get_name() +
                         "' got a Future attached to a different loop\")");
    EXPECT_FALSE(future.done());
}

// What RAII does in C++ that `finally` does not in Python: it runs while the frames are destroyed.
TEST(Future, may_be_set_by_a_destructor_while_its_loop_is_closed) {
    struct SetsAtEnd {
        explicit SetsAtEnd(Future<int> future) : future(std::move(future)) {}
        SetsAtEnd(const SetsAtEnd&) = delete;
        SetsAtEnd& operator=(const SetsAtEnd&) = delete;
        ~SetsAtEnd() { future.set_result(1); }
        Future<int> future;
    };
    auto sets = [](Future<int> future) -> Coroutine<> {
        const SetsAtEnd guard(std::move(future));
        co_await sleep(3600);
    };
    auto waits = [](Future<int> future) -> Coroutine<> {
        co_await future;
        ADD_FAILURE() << "ran after the end";
    };
    EventLoop loop;
    const Reports reports(loop);
    auto future = loop.create_future<int>();
    loop.create_task(sets(future));
    loop.create_task(waits(future));
    loop.run_until_complete(sleep(0));

    loop.close();

    EXPECT_EQ(future.result(), 1);
    EXPECT_EQ(reports.messages.size(), 2U);
}

TEST(Future, tells_callbacks_apart_that_were_added_in_different_threads) {
    EventLoop loop;
    Trace trace;
    const Future<> future = loop.create_future<void>();
    future.add_done_callback([&](const Future<>&) { trace.push_back("here"); });
    DoneCallbackToken there;
    std::thread([&] {
        there = future.add_done_callback([&](const Future<>&) { trace.push_back("there"); });
    }).join();

    EXPECT_EQ(future.remove_done_callback(there), 1U);
    future.set_result();
    loop.run_until_complete(future);

    EXPECT_EQ(trace, Trace{"here"});
}

}  // namespace

}  // namespace asyncio
