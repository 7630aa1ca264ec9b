// eager_test.cpp - tasks that start at once, and the task factories that make them.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/graph.hpp>
#include <asyncio/taskgroups.hpp>
#include <asyncio/tasks.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace asyncio {

using testing::Gone;
using testing::Reports;
using testing::settle;
using testing::thrown_by;
using testing::Trace;
using testing::TurnCounter;

namespace {

constexpr TaskOptions eager{.eager_start = true};

Coroutine<int> instant(int value) {
    co_return value;
}
Coroutine<int> after(double seconds, int value) {
    co_await sleep(seconds);
    co_return value;
}
Coroutine<int> fail(std::string why) {
    throw RuntimeError(why);
    co_return 0;
}
Coroutine<> leave(int code) {
    throw SystemExit(code);
    co_return;
}

// -------------------------------------------------------------------------------- eager_start

ASYNC_TEST(EagerTask, that_does_not_wait_is_done_when_it_has_been_made) {
    TurnCounter turns(get_running_loop());
    const AnyTask me = current_task();
    AnyTask inside;
    auto look = [](AnyTask& task) -> Coroutine<std::string> {
        task = current_task();
        const std::size_t count = all_tasks().size();
        co_return std::to_string(count);
    };

    auto task = create_task(look(inside), eager);

    EXPECT_TRUE(task.done());
    EXPECT_EQ(task.result(), "2");
    EXPECT_EQ(inside, task);
    EXPECT_EQ(current_task(), me);
    EXPECT_EQ(all_tasks(), std::vector<AnyTask>{me});
    const std::string awaited = co_await task;
    EXPECT_EQ(awaited, "2");
    EXPECT_EQ(turns.now(), 0);
}

ASYNC_TEST(EagerTask, that_waits_goes_on_like_any_other) {
    const AnyTask me = current_task();

    auto task = create_task({.name = "eager", .eager_start = true}, after, 1, 5);

    EXPECT_FALSE(task.done());
    EXPECT_EQ(task.get_name(), "eager");
    EXPECT_EQ(all_tasks(), (std::vector<AnyTask>{me, task}));
    EXPECT_EQ(current_task(), me);
    const int value = co_await task;
    EXPECT_EQ(value, 5);
}

ASYNC_TEST(EagerTask, in_the_middle_of_deep_awaits_leaves_its_maker_as_it_was) {
    struct Deep {
        static Coroutine<int> go(int depth, std::vector<Task<int>>& made) {
            if (depth == 0) {
                made.push_back(create_task(after(1, 0), eager));
                co_return 0;
            }
            auto below = co_await go(depth - 1, made);
            auto nested = [](int level, std::vector<Task<int>>& tasks) -> Coroutine<int> {
                auto inner = create_task(instant(level), eager);
                tasks.push_back(create_task(after(1, level), eager));
                const int value = co_await inner;
                co_return value;
            };
            made.push_back(create_task(nested(depth, made), eager));
            const int mine = co_await nested(depth, made);
            co_return below + mine;
        }
    };
    std::vector<Task<int>> made;

    const int sum = co_await Deep::go(3, made);

    EXPECT_EQ(sum, 6);
    EXPECT_EQ(made.size(), 10U);
    std::vector<int> values = co_await gather(made);
    EXPECT_EQ(values, (std::vector<int>{0, 1, 1, 1, 2, 2, 2, 3, 3, 3}));
}

ASYNC_TEST(EagerTask, shows_the_call_graph_of_its_maker_as_it_is) {
    std::size_t frames = 0;
    auto look = [](const AnyTask& task, std::size_t& count) -> Coroutine<> {
        count = capture_call_graph(task)->call_stack.size();
        co_return;
    };
    auto inner = []() -> Coroutine<> { co_await sleep(0); };
    auto maker = [&inner, &look](std::size_t& count) -> Coroutine<> {
        co_await inner();  // in which the task is parked, and which is gone then
        create_task(look(current_task(), count), eager);
    };

    co_await create_task(maker(frames));

    EXPECT_EQ(frames, 1U);
}

ASYNC_TEST(EagerTask, schedules_its_callbacks) {
    Trace trace;
    auto task = create_task(instant(1), eager);

    task.add_done_callback([&trace](const AnyFuture&) {
        trace.push_back(current_task() ? "in a task" : "in a callback");
    });

    EXPECT_TRUE(trace.empty());
    co_await settle();
    EXPECT_EQ(trace, Trace{"in a callback"});
}

ASYNC_TEST(EagerTask, keeps_what_it_throws) {
    const Reports reports;

    auto task = create_task(fail("eager"), eager);
    create_task(fail("dropped"), eager);

    EXPECT_TRUE(task.done());
    EXPECT_EQ(describe(task.exception()), "RuntimeError('eager')");
    EXPECT_EQ(reports.errors, Trace{"RuntimeError('dropped')"});
    EXPECT_EQ(reports.messages, Trace{"Task exception was never retrieved"});
    co_return;
}

ASYNC_TEST(EagerTask, lets_system_exit_out_of_create_task) {
    const Reports reports;
    const AnyTask me = current_task();

    EXPECT_EQ(thrown_by([] { return create_task(leave(3), eager); }), "SystemExit(3)");

    EXPECT_EQ(current_task(), me);
    EXPECT_EQ(all_tasks().size(), 1U);
    EXPECT_EQ(reports.errors, Trace{"SystemExit(3)"});  // nobody has the task
    co_await sleep(0);
    EXPECT_EQ(current_task(), me);
}

ASYNC_TEST(EagerTask, that_cancels_itself_is_cancelled_at_its_first_wait) {
    Trace trace;
    auto cancel = [](Trace& seen) -> Coroutine<> {
        current_task().cancel("own");
        try {
            co_await sleep(1);
        } catch (const CancelledError&) {
            seen.push_back(describe(std::current_exception()));
            throw;
        }
    };
    auto cancel_and_end = []() -> Coroutine<> {
        current_task().cancel();
        co_return;
    };

    auto task = create_task(cancel(trace), eager);
    auto ended = create_task(cancel_and_end(), eager);

    EXPECT_FALSE(task.done());
    EXPECT_TRUE(ended.cancelled());
    co_await settle();
    EXPECT_TRUE(task.cancelled());
    EXPECT_EQ(trace, Trace{"CancelledError('own')"});
}

ASYNC_TEST(EagerTask, cancelled_after_its_first_step_is_cancelled_where_it_waits) {
    auto task = create_task(after(1, 1), eager);

    EXPECT_TRUE(task.cancel());
    co_await settle();

    EXPECT_TRUE(task.cancelled());
}

ASYNC_TEST(EagerTask, frees_what_its_coroutine_held_when_it_ends) {
    Trace trace;
    auto hold = [](Gone gone) -> Coroutine<> {
        const Gone here = std::move(gone);
        co_return;
    };

    auto task = create_task(hold(Gone(trace, "held")), eager);

    EXPECT_EQ(trace, Trace{"held"});
    co_return;
}

/// Each starts another one, until that is refused; who is refused says how deep it was.
Coroutine<int> nest(int depth) {
    const Result<Task<int>> inner =
        Result<Task<int>>::of([depth] { return create_task(nest(depth + 1), eager); });
    if (inner.error() != nullptr) {
        EXPECT_EQ(describe(inner.error()), "RecursionError('maximum recursion depth exceeded')");
        co_return depth;
    }
    const Task<int> task = inner.value();
    const int reached = co_await task;
    co_return reached;
}

ASYNC_TEST(EagerTask, starts_in_another_so_deep_and_no_deeper) {
    const testing::Logged logged;

    const auto task = create_task(nest(1), eager);
    EXPECT_TRUE(task.done());
    const int reached = co_await task;
    EXPECT_EQ(reached, 1000);

    const auto again = create_task(nest(1), eager);
    EXPECT_EQ(again.result(), 1000) << "and is counted anew";
}

TEST(EagerTaskOfAnIdleLoop, starts_when_that_runs) {
    const testing::VirtualClockScope clock;
    EventLoop loop;
    loop.set_task_factory(eager_task_factory);

    auto task = loop.create_task(instant(1), {.eager_start = true});
    EXPECT_FALSE(task.done());

    EXPECT_EQ(loop.run_until_complete(task), 1);
    EXPECT_EQ(loop.run_until_complete(instant(2)), 2);
}

// ------------------------------------------------------------------------------ task factories

ASYNC_TEST(TaskFactory, that_is_eager_starts_everything_at_once) {
    get_running_loop().set_task_factory(eager_task_factory);

    auto task = create_task(instant(1));
    auto gathered = gather(instant(2), instant(3));
    auto shielded = shield(instant(4));
    auto ensured = ensure_future(instant(5));
    auto lazy = create_task(instant(6), {.eager_start = false});
    auto [two, three] = gathered.result();

    EXPECT_EQ(task.result(), 1);
    EXPECT_EQ(two + three, 5);
    EXPECT_EQ(shielded.result(), 4);
    EXPECT_EQ(ensured.result(), 5);
    EXPECT_FALSE(lazy.done());
    co_await settle();
    EXPECT_EQ(lazy.result(), 6);
}

ASYNC_TEST(TaskFactory, gets_the_options_and_may_change_them) {
    Trace names;
    EventLoop& loop = get_running_loop();
    loop.set_task_factory([&names](EventLoop& on, AnyCoroutine& coroutine, TaskOptions options) {
        names.emplace_back(options.name);
        const std::string name = "made " + std::to_string(names.size());
        options.name = name;
        return make_task(on, coroutine, options);
    });
    EXPECT_TRUE(loop.get_task_factory());

    auto first = create_task(instant(1), {.name = "first"});
    auto second = create_task(instant(2));
    loop.set_task_factory(nullptr);
    auto third = create_task(instant(3), {.name = "third"});

    EXPECT_FALSE(loop.get_task_factory());
    EXPECT_EQ(names, (Trace{"first", ""}));
    EXPECT_EQ(first.get_name(), "made 1");
    EXPECT_EQ(second.get_name(), "made 2");
    EXPECT_EQ(third.get_name(), "third");
    const int value = co_await second;
    EXPECT_EQ(value, 2);
}

ASYNC_TEST(TaskFactory, made_eager_calls_the_one_it_was_made_of) {
    int calls = 0;
    auto count = [&calls](EventLoop& loop, AnyCoroutine& coroutine, TaskOptions options) {
        ++calls;
        return make_task(loop, coroutine, options);
    };
    get_running_loop().set_task_factory(create_eager_task_factory(count));
    auto counted = create_task(instant(1));
    get_running_loop().set_task_factory(create_eager_task_factory());
    auto plain = create_task(instant(1));

    EXPECT_TRUE(counted.done());
    EXPECT_TRUE(plain.done());
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(thrown_by([] { return bool(create_eager_task_factory(nullptr)); }),
              "TypeError('create_eager_task_factory() needs a task constructor')");
    co_return;
}

ASYNC_TEST(TaskFactory, may_replace_itself) {
    get_running_loop().set_task_factory([large = std::string(100, 'x')](EventLoop& loop,
                                                                        AnyCoroutine& coroutine,
                                                                        TaskOptions options) {
        loop.set_task_factory(nullptr);
        options.name = large;
        return make_task(loop, coroutine, options);
    });

    auto task = create_task(instant(1));

    EXPECT_EQ(task.get_name(), std::string(100, 'x'));
    co_await task;
}

ASYNC_TEST(TaskFactory, must_return_the_task_of_the_coroutine) {
    Trace trace;
    EventLoop& loop = get_running_loop();
    auto hold = [](Gone gone) -> Coroutine<> {
        const Gone here = std::move(gone);
        co_return;
    };
    const AnyTask me = current_task();
    constexpr const char* refusal =
        "TypeError('a task factory returns what make_task() gave it for the coroutine')";

    loop.set_task_factory([](EventLoop&, AnyCoroutine&, TaskOptions) { return AnyTask(); });
    EXPECT_EQ(thrown_by([&] { return create_task(hold(Gone(trace, "not made"))); }), refusal);
    EXPECT_EQ(trace, Trace{"not made"});
    loop.set_task_factory([me](EventLoop& on, AnyCoroutine& coroutine, TaskOptions options) {
        EXPECT_FALSE(coroutine.task());
        make_task(on, coroutine, options);
        EXPECT_TRUE(coroutine.task());
        return me;
    });
    EXPECT_EQ(thrown_by([&] { return create_task(instant(1)); }), refusal);
    loop.set_task_factory([](EventLoop& on, AnyCoroutine& coroutine, TaskOptions options) {
        make_task(on, coroutine, options);
        return make_task(on, coroutine, options);
    });
    EXPECT_EQ(thrown_by([&] { return create_task(instant(1)); }),
              "RuntimeError('cannot reuse already awaited coroutine')");
    loop.set_task_factory(nullptr);
    co_return;
}

ASYNC_TEST(TaskFactory, that_throws_destroys_the_coroutine) {
    Trace trace;
    get_running_loop().set_task_factory([](EventLoop&, AnyCoroutine&, TaskOptions) -> AnyTask {
        throw RuntimeError("no tasks today");
    });
    auto hold = [](Gone gone) -> Coroutine<> {
        const Gone here = std::move(gone);
        co_return;
    };

    EXPECT_EQ(thrown_by([&] { return create_task(hold(Gone(trace, "never run"))); }),
              "RuntimeError('no tasks today')");
    get_running_loop().set_task_factory(nullptr);

    EXPECT_EQ(trace, Trace{"never run"});
    co_return;
}

// ---------------------------------------------------------------------------------- in groups

ASYNC_TEST(EagerTaskGroup, takes_children_that_a_child_makes_in_its_first_step) {
    get_running_loop().set_task_factory(eager_task_factory);
    Trace trace;
    struct Tree {
        static Coroutine<> grow(TaskGroup& group, int depth, Trace& done) {
            if (depth > 0) {
                group.create_task(grow(group, depth - 1, done));
                group.create_task(grow(group, depth - 1, done));
            }
            co_await sleep(depth);
            done.push_back(std::to_string(depth));
        }
    };

    co_await task_group([&](TaskGroup& group) { group.create_task(Tree::grow(group, 2, trace)); });

    EXPECT_EQ(trace, (Trace{"0", "0", "0", "0", "1", "1", "2"}));
}

ASYNC_TEST(EagerTaskGroup, hears_in_the_next_turn_of_a_child_that_failed_at_once) {
    Trace trace;
    auto body = [&trace](TaskGroup& group) -> Coroutine<> {
        auto child = group.create_task(fail("at once"), eager);
        trace.push_back(child.done() ? "done" : "not done");
        group.create_task(instant(1));
        co_await sleep(1);
        trace.push_back("not reached");
    };

    const auto result = co_await as_result(task_group(body));

    EXPECT_EQ(describe(result.error()),
              "ExceptionGroup('unhandled errors in a TaskGroup', [RuntimeError('at once')])");
    EXPECT_EQ(trace, Trace{"done"});
    EXPECT_EQ(current_task().cancelling(), 0);
}

ASYNC_TEST(EagerTaskGroup, goes_on_when_create_task_throws) {
    const Reports reports;
    int value = 0;
    auto body = [&value](TaskGroup& group) -> Coroutine<> {
        EXPECT_EQ(thrown_by([&] { return group.create_task(leave(1), eager); }), "SystemExit(1)");
        auto child = group.create_task(instant(5), eager);
        value = co_await child;
    };

    co_await task_group(body);

    EXPECT_EQ(value, 5);
}

}  // namespace

}  // namespace asyncio
