// graph_test.cpp - call graphs: who waits for whom, and where.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/graph.hpp>
#include <asyncio/taskgroups.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/timeouts.hpp>

#include <string>
#include <vector>

namespace asyncio {

using testing::settle;
using testing::Trace;

namespace graph_test {

unsigned inner_line = 0;
unsigned outer_line = 0;

Coroutine<int> inner(Future<int> future) {
    inner_line = __LINE__ + 1;
    const int value = co_await future;
    co_return value;
}
Coroutine<int> outer(Future<int> future) {
    outer_line = __LINE__ + 1;
    const int value = co_await inner(future);
    co_return value;
}
template <class A>
Coroutine<> wait_on(A awaitable) {
    co_await awaitable;
}

}  // namespace graph_test

namespace {

Trace names(const std::vector<FutureCallGraph>& graphs) {
    Trace result;
    for (const FutureCallGraph& graph : graphs) {
        result.push_back(graph.future.get_name());
    }
    return result;
}

ASYNC_TEST(CallGraph, tells_function_file_and_line_of_every_await_innermost_first) {
    auto future = get_running_loop().create_future<int>();
    auto task = create_task(graph_test::outer(future), {.name = "worker"});
    co_await settle();

    const auto graph = capture_call_graph(task);
    future.set_result(1);
    co_await task;

    EXPECT_TRUE(graph.has_value());
    EXPECT_TRUE(graph->future == task);
    EXPECT_STREQ(graph->waits_in, "future");
    EXPECT_EQ(graph->call_stack.size(), 2U);
    const FrameCallGraphEntry& first = graph->call_stack.at(0);
    const FrameCallGraphEntry& second = graph->call_stack.at(1);
    EXPECT_NE(first.function.find("graph_test::inner("), std::string::npos) << first.function;
    EXPECT_NE(second.function.find("graph_test::outer("), std::string::npos) << second.function;
    EXPECT_EQ(first.function.find("Coroutine"), std::string::npos) << first.function;
    EXPECT_TRUE(std::string(first.file).ends_with("graph_test.cpp"));
    EXPECT_EQ(first.line, graph_test::inner_line);
    EXPECT_EQ(second.line, graph_test::outer_line);
    EXPECT_TRUE(graph->awaited_by.empty());
}

ASYNC_TEST(CallGraph, of_a_future_tells_who_awaits_it_and_who_awaits_them) {
    auto future = get_running_loop().create_future<int>();
    auto a = create_task(graph_test::inner(future), {.name = "a"});
    auto b = create_task(graph_test::inner(future), {.name = "b"});
    auto c = create_task(graph_test::wait_on(a), {.name = "c"});
    co_await settle();

    const auto graph = capture_call_graph(future);

    EXPECT_TRUE(graph->call_stack.empty());
    EXPECT_EQ(names(graph->awaited_by), (Trace{"a", "b"}));
    EXPECT_EQ(names(graph->awaited_by.at(0).awaited_by), Trace{"c"});
    future.set_result(1);
    co_await c;
}

ASYNC_TEST(CallGraph, goes_through_gather_wait_and_groups) {
    auto future = get_running_loop().create_future<int>();
    auto child = create_task(graph_test::inner(future), {.name = "child"});
    auto gathers = [](Task<int> child) -> Coroutine<> { co_await gather(child, sleep(1)); };
    auto waits = [](Task<int> child) -> Coroutine<> {
        const std::vector<Task<int>> tasks{child};
        co_await wait(tasks);
    };
    Task<int> in_group;
    auto body = [&](TaskGroup& group) { in_group = group.create_task(graph_test::inner(future)); };
    create_task(gathers(child), {.name = "gathers"});
    create_task(waits(child), {.name = "waits"});
    auto groups = create_task(task_group(body), {.name = "groups"});
    co_await sleep(0);
    co_await sleep(0);

    const auto graph = capture_call_graph(child);
    const auto in_group_graph = capture_call_graph(in_group);
    future.set_result(1);
    co_await groups;

    EXPECT_EQ(names(graph->awaited_by), (Trace{"gathers", "waits"}));
    EXPECT_EQ(names(in_group_graph->awaited_by), Trace{"groups"});
}

ASYNC_TEST(CallGraph, of_the_running_task_tells_where_it_asks) {
    auto asks = []() -> Coroutine<Trace> {
        co_await sleep(0);
        const auto graph = capture_call_graph();
        Trace result{graph->future.get_name()};
        for (const FrameCallGraphEntry& frame : graph->call_stack) {
            result.push_back(std::string(frame.file).ends_with("graph_test.cpp") ? "here"
                                                                                 : "there");
        }
        co_return result;
    };
    auto calls = [&asks]() -> Coroutine<Trace> { co_return co_await asks(); };
    auto task = create_task(calls(), {.name = "asks"});

    const Trace result = co_await task;

    EXPECT_EQ(result, (Trace{"asks", "here", "here"}));
}

ASYNC_TEST(CallGraph, is_cut_at_the_limit) {
    auto future = get_running_loop().create_future<int>();
    auto task = create_task(graph_test::outer(future));
    co_await settle();

    EXPECT_EQ(capture_call_graph(task, {.limit = 1})->call_stack.size(), 1U);
    EXPECT_EQ(capture_call_graph(task, {.limit = 0})->call_stack.size(), 0U);
    future.set_result(1);
    co_await task;
}

ASYNC_TEST(CallGraph, of_tasks_that_wait_for_each_other_ends) {
    Task<> first;
    Task<> second;
    auto await_it = [](Task<>& other) -> Coroutine<> {
        const Task<> held = other;
        co_await held;
    };
    first = create_task(await_it(second), {.name = "first"});
    second = create_task(await_it(first), {.name = "second"});
    co_await settle();

    const auto graph = capture_call_graph(first);

    EXPECT_EQ(names(graph->awaited_by), Trace{"second"});
    EXPECT_TRUE(graph->awaited_by.at(0).awaited_by.empty());
    first.cancel();
    co_await settle();
    first = second = {};
}

ASYNC_TEST(CallGraph, of_what_is_done_or_has_not_begun) {
    auto future = get_running_loop().create_future<int>();
    future.set_result(1);
    auto task = create_task(graph_test::outer(future), {.name = "new"});

    const std::string before = format_call_graph(task);
    co_await task;
    const std::string after = format_call_graph(task);

    EXPECT_TRUE(before.starts_with("* Task(name='new')")) << before;
    EXPECT_EQ(after, "* Task(name='new')");
    EXPECT_EQ(format_call_graph(future), "* Future()");
}

ASYNC_TEST(CallGraph, is_formatted_with_what_each_task_waits_in) {
    auto future = get_running_loop().create_future<int>();
    auto child = create_task(graph_test::outer(future), {.name = "child"});
    auto parent = create_task(graph_test::wait_on(child), {.name = "parent"});
    auto sleeps = create_task(sleep(9), {.name = "sleeps"});
    co_await settle();

    const std::string text = format_call_graph(child);
    const std::string of_sleep = format_call_graph(sleeps);
    future.set_result(1);
    co_await parent;

    EXPECT_TRUE(
        text.starts_with("* Task(name='child') waits in future\n  + Call stack:\n"
                         "  |   File '"))
        << text;
    EXPECT_NE(text.find(", in async "), std::string::npos) << text;
    EXPECT_NE(text.find("\n  + Awaited by:\n     * Task(name='parent') waits in future\n"),
              std::string::npos)
        << text;
    EXPECT_TRUE(of_sleep.starts_with("* Task(name='sleeps') waits in sleep")) << of_sleep;
    ::testing::internal::CaptureStderr();
    print_call_graph(sleeps);
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), of_sleep + "\n");
}

ASYNC_TEST(CallGraph, of_a_long_chain_is_cut_off) {
    Future<> future = get_running_loop().create_future();
    auto follow = [](Future<> before) -> Coroutine<> { co_await before; };
    Future<> last = future;
    for (int length = 0; length < 100'000; ++length) {
        last = create_task(follow(last));
    }
    co_await sleep(0);

    const auto graph = capture_call_graph(future, {.depth = 3});
    std::size_t levels = 0;
    for (const FutureCallGraph* level = &*graph; !level->awaited_by.empty(); ++levels) {
        level = &level->awaited_by.front();
    }
    EXPECT_EQ(levels, 3U);
    EXPECT_FALSE(format_call_graph(future).empty());

    future.set_result();
    co_await last;
}

TEST(CallGraph, without_a_task_is_none) {
    EXPECT_FALSE(capture_call_graph().has_value());
    EXPECT_EQ(format_call_graph(), "");
    EventLoop loop;
    auto task = loop.create_task(sleep(0), {.name = "not running"});
    EXPECT_TRUE(capture_call_graph(task).has_value());  // needs no loop
    loop.run_until_complete(task);
}

ASYNC_TEST(CallGraph, shows_who_was_said_to_wait) {
    auto future = get_running_loop().create_future<int>();
    auto other = get_running_loop().create_future<int>();
    auto idle = []() -> Coroutine<> { co_await sleep(3600); };
    auto task = create_task(idle(), {.name = "waiter"});

    future_add_to_awaited_by(future, task);
    future_add_to_awaited_by(future, task);
    future_add_to_awaited_by(future, other);
    future_add_to_awaited_by(other, future);  // a circle
    future_add_to_awaited_by({}, task);
    const auto graph = capture_call_graph(future);
    future_discard_from_awaited_by(future, task);
    future_discard_from_awaited_by(other, future);
    future_discard_from_awaited_by(other, task);
    const auto after = capture_call_graph(future);

    EXPECT_EQ(graph->awaited_by.size(), 2U);
    EXPECT_EQ(graph->awaited_by[0].future, task);
    EXPECT_EQ(graph->awaited_by[1].future, other);
    EXPECT_TRUE(graph->awaited_by[1].awaited_by.empty());
    EXPECT_EQ(after->awaited_by.size(), 1U);
    task.cancel();
    co_await sleep(0);
}

}  // namespace

}  // namespace asyncio
