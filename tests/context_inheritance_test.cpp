// context_inheritance_test.cpp - which context tasks, callbacks, servers and the exception handler
// run in. The rules that CPython has too are also in parity/pairs/80 to 83.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/network.hpp"
#include "support/observe.hpp"

#include <asyncio/contextvars.hpp>
#include <asyncio/generators.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/taskgroups.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/threads.hpp>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace asyncio {

using testing::Reports;
using testing::settle;
using testing::thrown_by;
using testing::Trace;

namespace {

ContextVar<int> variable("variable", 0);

Coroutine<int> set_and_wait(int value) {
    variable.set(value);
    co_await sleep(0);
    co_return variable.get();
}
Coroutine<int> look() {
    co_return variable.get();
}

// ----------------------------------------------------------------------------------- the tasks

ASYNC_TEST(TaskContext, is_a_copy_of_the_makers_and_its_own) {
    variable.set(1);

    auto a = create_task(set_and_wait(2));
    auto b = create_task(look());
    variable.set(3);

    EXPECT_EQ(a.get_context()[variable], 1);
    const int of_a = co_await a;
    const int of_b = co_await b;
    EXPECT_EQ(of_a, 2);
    EXPECT_EQ(of_b, 1);
    EXPECT_EQ(variable.get(), 3);
    EXPECT_EQ(a.get_context()[variable], 2) << "there when it is done, too";
}

ASYNC_TEST(TaskContext, with_a_name_and_a_message_of_its_cancellation_stays_the_same) {
    variable.set(1);
    auto wait = []() -> Coroutine<int> {
        variable.set(2);
        const Result<void> slept = co_await as_result(sleep(60));
        EXPECT_TRUE(slept.cancelled());
        co_return variable.get();
    };
    auto task = create_task(wait(), {.name = "named"});
    const Context before = task.get_context();
    EXPECT_EQ(task.get_name(), "named");
    co_await settle();

    task.cancel("with a message");
    task.set_name("another");
    const int seen = co_await task;

    EXPECT_EQ(seen, 2);
    EXPECT_TRUE(task.get_context() == before);
    EXPECT_EQ(before[variable], 2);
    EXPECT_EQ(task.get_name(), "another");
}

ASYNC_TEST(TaskContext, outlives_the_object_it_was_given_by) {
    std::optional<Context> context = copy_context();
    context->run([] { variable.set(5); });
    auto task = create_task(look(), {.name = "x", .context = &*context});
    context.reset();

    const int seen = co_await task;

    EXPECT_EQ(seen, 5);
}

ASYNC_TEST(TaskContext, given_goes_to_a_task_factory_too) {
    Context context;
    context.run([] { variable.set(6); });
    const Context* given = nullptr;
    get_running_loop().set_task_factory(
        [&given](EventLoop& loop, AnyCoroutine& coroutine, TaskOptions options) {
            given = options.context;
            return make_task(loop, coroutine, options);
        });

    auto task = create_task(look(), {.context = &context});
    const int seen = co_await task;

    get_running_loop().set_task_factory(nullptr);
    EXPECT_EQ(given, &context);
    EXPECT_EQ(seen, 6);
}

ASYNC_TEST(TaskContext, that_is_entered_cannot_be_started_eagerly_in) {
    const Context mine = current_task().get_context();
    bool ran = false;
    auto run_in = [](bool& flag) -> Coroutine<> {
        flag = true;
        co_return;
    };

    EXPECT_EQ(thrown_by([&] {
                  return create_task(run_in(ran), {.context = &mine, .eager_start = true});
              }),
              "RuntimeError('cannot enter context: <Context object> is already entered')");

    EXPECT_FALSE(ran);
    EXPECT_EQ(all_tasks().size(), 1U);
    auto later = create_task(run_in(ran), {.context = &mine});
    co_await later;
    EXPECT_TRUE(ran);
}

ASYNC_TEST(TaskContext, of_a_task_held_up_by_an_eager_one_is_entered_and_free_afterwards) {
    auto me = current_task();
    std::optional<Context> mine;
    auto inner = [](AnyTask outer, std::optional<Context>& context) -> Coroutine<> {
        context = outer.get_context();  // made a Context while the outer task is held up
        EXPECT_THROW(context->run([] {}), RuntimeError);
        co_await sleep(0);
    };
    auto task = create_task(inner(me, mine), {.eager_start = true});
    EXPECT_THROW(mine->run([] {}), RuntimeError) << "it runs again";
    co_await task;

    int seen = 0;
    auto from_another = [](Context context, int& value) -> Coroutine<> {
        value = context.run([] { return variable.get(); });
        co_return;
    };
    variable.set(8);
    auto other = create_task(from_another(*mine, seen));
    co_await other;
    EXPECT_EQ(seen, 8) << "while its task waits anybody may enter it";
}

ASYNC_TEST(TaskContext, is_restored_for_the_maker_when_an_eager_task_was_started_inside_run) {
    Context context;
    context.run([&] {
        variable.set(1);
        auto task = create_task(set_and_wait(2), {.eager_start = true});
        EXPECT_EQ(variable.get(), 1);
        EXPECT_EQ(task.get_context()[variable], 2);
    });
    co_await settle();
    EXPECT_EQ(context[variable], 1);
}

ASYNC_TEST(TaskContext, frees_its_values_with_its_last_handle) {
    auto value = std::make_shared<int>(1);
    ContextVar<std::shared_ptr<int>> pointer("pointer");
    auto hold = [](const ContextVar<std::shared_ptr<int>>& var,
                   std::shared_ptr<int> held) -> Coroutine<> {
        var.set(std::move(held));
        co_await sleep(0);
    };
    auto task = create_task(hold(pointer, value));
    co_await task;
    EXPECT_EQ(value.use_count(), 2);

    task = {};

    EXPECT_EQ(value.use_count(), 1);
}

// ------------------------------------------------------------------------------- the callbacks

ASYNC_TEST(CallbackContext, is_a_copy_made_when_the_call_was_asked_for) {
    EventLoop& loop = get_running_loop();
    std::vector<int> seen;
    variable.set(1);
    const auto record = [&seen](int which) {
        seen.push_back(which * 10 + variable.get());
        variable.set(9);
    };
    loop.call_soon(record, 1);
    variable.set(2);
    loop.call_later(1, record, 2);
    variable.set(3);
    loop.call_at(loop.time() + std::chrono::seconds(2), record, 3);
    variable.set(4);
    loop.call_soon_threadsafe(record, 4);
    auto future = loop.create_future();
    variable.set(5);
    future.add_done_callback([&record](const AnyFuture&) { record(5); });
    future.set_result();
    variable.set(6);
    future.add_done_callback([&record](const AnyFuture&) { record(6); });
    variable.set(7);

    co_await sleep(3);

    EXPECT_EQ(seen, (std::vector<int>{11, 44, 55, 66, 22, 33}));
    EXPECT_EQ(variable.get(), 7);
}

ASYNC_TEST(CallbackContext, that_is_given_is_shared_with_arguments_or_without) {
    EventLoop& loop = get_running_loop();
    const Context context;
    const auto add = [](int value) { variable.set(variable.get() * 10 + value); };

    loop.call_soon({.context = &context}, add, 1);
    loop.call_soon([&add] { add(2); }, {.context = &context});
    loop.call_soon_threadsafe({.context = &context}, add, 3);
    loop.call_later(1, {.context = &context}, add, 4);
    loop.call_later(1, [&add] { add(5); }, {.context = &context});
    loop.call_at(loop.time() + std::chrono::seconds(2), {.context = &context}, add, 6);
    loop.call_at(loop.time() + std::chrono::seconds(2), [&add] { add(7); }, {.context = &context});
    co_await sleep(3);

    EXPECT_EQ(context[variable], 1234567);
    EXPECT_EQ(variable.get(), 0);
}

ASYNC_TEST(CallbackContext, of_a_handle_is_there_before_in_and_after_the_call) {
    variable.set(1);
    Handle handle;
    std::optional<Context> inside;
    handle = get_running_loop().call_soon([&] {
        inside = handle.get_context();
        EXPECT_THROW(inside->run([] {}), RuntimeError);
        variable.set(2);
    });
    co_await settle();

    EXPECT_TRUE(handle.get_context() == *inside);
    EXPECT_EQ(inside->run([] { return variable.get(); }), 2);
    EXPECT_THROW(static_cast<void>(Handle().get_context()), RuntimeError);
}

TEST(CallbackContext, of_the_loop_is_that_in_which_it_was_run) {
    EventLoop loop;
    const Context context;
    std::vector<int> seen;
    loop.call_soon([&] { seen.push_back(variable.get()); });
    context.run([&] {
        variable.set(1);
        seen.push_back(loop.run_until_complete(set_and_wait(2)));
        loop.call_soon([&] { EXPECT_THROW(context.run([] {}), RuntimeError); });
        seen.push_back(loop.run_until_complete(look()));
        seen.push_back(variable.get());
    });
    EXPECT_EQ(seen, (std::vector<int>{0, 2, 1, 1}));
    EXPECT_EQ(variable.get(), 0);
}

ASYNC_TEST(ExceptionHandlerContext, is_that_of_the_task_or_the_callback) {
    std::vector<int> seen;
    EventLoop& loop = get_running_loop();
    loop.set_exception_handler([&seen](EventLoop&, const ExceptionContext&) {
        seen.push_back(variable.get());
        variable.set(100);
    });
    auto fail = [](int value) -> Coroutine<> {
        variable.set(value);
        throw RuntimeError("nobody asks");
        co_return;
    };

    loop.call_soon([] {
        variable.set(1);
        throw RuntimeError("callback");
    });
    create_task(fail(2));
    co_await settle();
    ExceptionContext told;
    told.task = current_task();
    variable.set(3);
    loop.call_exception_handler(told);  // in the context that runs already

    EXPECT_EQ(seen, (std::vector<int>{1, 2, 3}));
    EXPECT_EQ(variable.get(), 100);
    EXPECT_THROW(current_task().get_context().run([] {}), RuntimeError);
    loop.set_exception_handler(nullptr);
}

// ------------------------------------------------------------------- threads, runners, servers

ASYNC_TEST(ThreadContext, goes_along_with_to_thread_only) {
    variable.set(1);
    auto look_and_set = [] {
        const int seen = variable.get();
        variable.set(2);
        return seen;
    };

    const int in_thread = co_await to_thread(look_and_set);
    auto executor = get_running_loop().run_in_executor(nullptr, look_and_set);
    const int in_executor = co_await executor;
    const int again = co_await to_thread(look_and_set);

    EXPECT_EQ(in_thread, 1);
    EXPECT_EQ(in_executor, 0);
    EXPECT_EQ(again, 1);
    EXPECT_EQ(variable.get(), 1);
}

TEST(RunnerContext, is_shared_by_its_runs_and_not_with_the_thread) {
    auto token = variable.set(1);
    Runner runner;
    EXPECT_EQ(runner.run(set_and_wait(2)), 2);
    EXPECT_EQ(variable.get(), 1);
    EXPECT_EQ(runner.run(look()), 2);
    const Context context;
    EXPECT_EQ(runner.run(look(), {.context = &context}), 0);
    EXPECT_EQ(runner.run(set_and_wait(3), {.context = &context}), 3);
    EXPECT_EQ(context[variable], 3);
    EXPECT_EQ(runner.run(look()), 2);
    variable.reset(token);
}

Coroutine<std::string> ask(int port) {
    auto [reader, writer] = co_await open_connection("127.0.0.1", port);
    std::string answer = co_await reader.read();
    writer.close();
    co_await writer.wait_closed();
    co_return answer;
}

ASYNC_TEST(ServerContext, is_copied_for_each_connection) {
    variable.set(1);
    auto handler = [](StreamReader, StreamWriter writer) -> Coroutine<> {
        const int seen = variable.get();
        variable.set(seen + 10);
        writer.write(std::to_string(seen));
        co_await writer.drain();
        writer.close();
    };
    Server server = co_await start_server(handler, "127.0.0.1", 0);
    const int port = server.sockets()[0].getsockname().port();
    variable.set(2);

    const std::string first = co_await ask(port);
    const std::string second = co_await ask(port);

    EXPECT_EQ(first, "1");
    EXPECT_EQ(second, "1");
    EXPECT_EQ(variable.get(), 2);
    server.close();
    co_await server.wait_closed();
}

AsyncGenerator<int> values() {
    for (int i = 0; i < 2; ++i) {
        co_yield variable.get();
    }
}

ASYNC_TEST(GeneratorContext, is_that_of_whoever_asks) {
    auto generator = values();
    variable.set(1);
    auto first = co_await generator.next();
    auto ask_next = [](AsyncGenerator<int>& asked) -> Coroutine<int> {
        variable.set(2);
        auto value = co_await asked.next();
        co_return value.value_or(-1);
    };
    auto task = create_task(ask_next(generator));
    const int second = co_await task;

    EXPECT_EQ(first, 1);
    EXPECT_EQ(second, 2);
    EXPECT_EQ(variable.get(), 1);
}

}  // namespace

}  // namespace asyncio
