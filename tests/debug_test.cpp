// debug_test.cpp - debug mode: what it says of a program's mistakes, and that it is silent when
// off.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/graph.hpp>
#include <asyncio/log.hpp>
#include <asyncio/queues.hpp>
#include <asyncio/runners.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/taskgroups.hpp>
#include <asyncio/tasks.hpp>

#include <atomic>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace asyncio {

// Not in an anonymous namespace, whose name each compiler writes in its own way.
namespace debug_test {

using testing::advance;
using testing::Logged;
using testing::thrown_by;
using testing::Trace;

/// Lines of this file, by the names that coroutines give them.
std::map<std::string, unsigned> lines;

/// To be passed on the line that gets the name.
template <class T>
T&& mark(const char* name, T&& value, std::source_location site = std::source_location::current()) {
    lines[name] = site.line();
    return std::forward<T>(value);
}

/// "FILE:line in asyncio::debug_test::function()"
std::string at(const char* line, const std::string& function) {
    return std::string(__FILE__) + ":" + std::to_string(lines.at(line)) +
           " in asyncio::debug_test::" + function;
}
/// The same as tracebacks have it.
std::string in_file(const char* line, const std::string& function, const char* word = "line ") {
    return std::string("File \"") + __FILE__ + "\", " + word + std::to_string(lines.at(line)) +
           ", in asyncio::debug_test::" + function;
}

/// What is logged while `main` runs as a program on a virtual clock.
Trace logged_by(Coroutine<> (*main)(), std::optional<bool> debug = true) {
    const testing::VirtualClockScope clock;
    const Logged logged;
    run(main(), {.debug = debug});
    return logged.texts;
}

// ------------------------------------------------------------------------------- slow callbacks

Coroutine<> blocks() {
    co_await mark("blocks, before", sleep(1));
    advance(0.15);
    co_await mark("blocks, after", sleep(1));
}
Coroutine<> calls_what_blocks() {
    co_await mark("calls what blocks", blocks());
}
Coroutine<> makes_a_task_that_blocks() {
    co_await create_task(mark("makes a blocker", calls_what_blocks()), {.name = "blocker"});
}

TEST(SlowCallback, is_a_step_of_a_task_with_its_name_its_maker_and_the_awaits_around_it) {
    const Trace texts = logged_by(&makes_a_task_that_blocks);

    EXPECT_EQ(
        texts,
        Trace{"Executing <Task pending name='blocker' coro=<asyncio::debug_test::"
              "calls_what_blocks() running at " +
              std::string(__FILE__) + ":" + std::to_string(lines.at("calls what blocks")) +
              "> wait_for=sleep created at " + at("makes a blocker", "makes_a_task_that_blocks()") +
              "> took 0.150 seconds\n  from " + in_file("blocks, before", "blocks()") + "\n  to " +
              in_file("blocks, after", "blocks()")});
}

Coroutine<> blocks_and_ends() {
    advance(2);
    co_return;
}
Coroutine<> makes_a_task_that_blocks_and_ends() {
    co_await create_task(mark("makes an end", blocks_and_ends()), {.name = "end"});
}

TEST(SlowCallback, is_a_task_that_ends_at_once) {
    const Trace texts = logged_by(&makes_a_task_that_blocks_and_ends);

    EXPECT_EQ(texts.size(), 1U);
    EXPECT_TRUE(texts.at(0).starts_with("Executing <Task finished name='end' created at " +
                                        at("makes an end", "makes_a_task_that_blocks_and_ends()") +
                                        "> took 2.000 seconds\n  from File \""))
        << texts.at(0);
    EXPECT_TRUE(texts.at(0).ends_with(", in asyncio::debug_test::blocks_and_ends()\n  to its end"))
        << texts.at(0);
}

Coroutine<> blocks_after_get(Queue<int>& queue) {
    const int seconds = co_await queue.get();
    advance(seconds);
}
Coroutine<> blocks_after_next(AsCompleted<> completed) {
    co_await completed.next();
    advance(3);
}
Coroutine<> blocks_after_read(StreamReader& reader) {
    co_await reader.readline();
    advance(4);
}
Coroutine<> makes_a_task_that_reads() {
    int fds[2] = {};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    auto [reader, writer] = co_await open_connection(Socket(fds[0]));
    const Socket other(fds[1]);
    auto task = create_task(blocks_after_read(reader), {.name = "reader"});
    co_await sleep(1);
    EXPECT_EQ(::write(other.fileno(), "line\n", 5), 5);
    co_await task;
    writer.close();
}
Coroutine<> makes_tasks_that_look_again() {
    Queue<int> queue;
    auto getter = create_task(blocks_after_get(queue), {.name = "getter"});
    auto nexter = create_task(blocks_after_next(as_completed(sleep(2))), {.name = "nexter"});
    co_await sleep(1);
    queue.put_nowait(2);
    co_await getter;
    co_await nexter;
}

TEST(SlowCallback, is_a_step_of_a_task_that_waited_at_a_queue_or_for_the_first_of_several) {
    const Trace texts = logged_by(&makes_tasks_that_look_again);

    ASSERT_EQ(texts.size(), 2U);
    EXPECT_TRUE(texts[0].starts_with("Executing <Task finished name='getter'")) << texts[0];
    EXPECT_TRUE(texts[1].starts_with("Executing <Task finished name='nexter'")) << texts[1];
}

TEST(SlowCallback, is_a_step_of_a_task_that_waited_for_its_connection) {
    const Trace texts = logged_by(&makes_a_task_that_reads);

    ASSERT_EQ(texts.size(), 1U);
    EXPECT_TRUE(texts[0].starts_with("Executing <Task finished name='reader'")) << texts[0];
}

struct Blocks {
    void operator()() const { advance(0.2); }
};
struct BlocksFor {
    void operator()(double seconds) const { advance(seconds); }
};

Coroutine<> schedules_what_blocks() {
    co_await mark("schedules", sleep(1));
    EventLoop& loop = get_running_loop();
    loop.call_soon(Blocks());
    loop.call_soon(BlocksFor(), 0.3);
    loop.call_soon(BlocksFor(), 0.05);
    loop.call_later(1, Blocks());
    loop.call_soon_threadsafe(Blocks());
    Future<> future = loop.create_future();
    future.add_done_callback([](const AnyFuture&) { advance(0.4); });
    future.set_result();
    co_await sleep(5);
}

TEST(SlowCallback, is_a_function_with_the_place_that_scheduled_it) {
    const Trace texts = logged_by(&schedules_what_blocks);

    const std::string created = " created after " + at("schedules", "schedules_what_blocks()");
    EXPECT_EQ(texts.size(), 5U);
    EXPECT_EQ(texts.at(0),
              "Executing <Handle asyncio::debug_test::Blocks" + created + "> took 0.200 seconds");
    EXPECT_EQ(texts.at(1), "Executing <Handle asyncio::debug_test::BlocksFor" + created +
                               "> took 0.300 seconds");
    EXPECT_EQ(texts.at(2), texts.at(0));
    EXPECT_TRUE(texts.at(3).starts_with("Executing <Handle asyncio::")) << texts.at(3);
    EXPECT_TRUE(texts.at(3).ends_with(created + "> took 0.400 seconds")) << texts.at(3);
    EXPECT_EQ(texts.at(4), texts.at(0));
}

Coroutine<> schedules_what_schedules() {
    co_await mark("schedules the first", sleep(1));
    get_running_loop().call_soon([] { get_running_loop().call_soon(Blocks()); });
    co_await sleep(1);
}

TEST(SlowCallback, that_was_scheduled_by_another_has_the_place_of_that) {
    const Trace texts = logged_by(&schedules_what_schedules);

    EXPECT_EQ(texts, Trace{"Executing <Handle asyncio::debug_test::Blocks created after " +
                           at("schedules the first", "schedules_what_schedules()") +
                           "> took 0.200 seconds"});
}

Coroutine<> blocks_at_the_limit() {
    EventLoop& loop = get_running_loop();
    EXPECT_EQ(loop.slow_callback_duration().seconds(), 0.1);
    loop.set_slow_callback_duration(0.5);
    EXPECT_EQ(loop.slow_callback_duration().seconds(), 0.5);
    loop.call_soon(BlocksFor(), 0.499);
    loop.call_soon(BlocksFor(), 0.5);
    co_await sleep(1);
}

TEST(SlowCallback, takes_at_least_the_duration_that_is_set) {
    const Trace texts = logged_by(&blocks_at_the_limit);

    EXPECT_EQ(texts.size(), 1U);
    EXPECT_TRUE(texts.at(0).ends_with(" took 0.500 seconds")) << texts.at(0);
}

Coroutine<> blocks_at_times() {
    EventLoop& loop = get_running_loop();
    loop.call_soon(BlocksFor(), 1);
    co_await sleep(5);
    loop.set_debug(true);
    loop.call_soon(BlocksFor(), 2);
    co_await sleep(5);
    loop.set_debug(false);
    loop.call_soon(BlocksFor(), 3);
    co_await sleep(5);
}

TEST(DebugMode, can_be_switched_while_other_threads_call) {
    EventLoop loop;
    int called = 0;
    std::atomic<bool> all_made{false};
    std::thread other([&] {
        for (int i = 0; i < 300; ++i) {
            loop.call_soon_threadsafe([&called] { ++called; });
        }
        all_made = true;
    });
    auto switch_it = [&]() -> Coroutine<> {
        for (bool enabled = false; !all_made; enabled = !enabled) {
            loop.set_debug(enabled);
            co_await sleep(0);
        }
        co_await sleep(0);
    };
    loop.run_until_complete(switch_it());
    other.join();
    EXPECT_EQ(called, 300);
}

TEST(DebugMode, lets_another_thread_drop_a_handle_while_the_loop_goes) {
    for (int round = 0; round < 100; ++round) {
        auto loop = std::make_unique<EventLoop>();
        loop->set_debug(true);
        Handle handle;
        auto make = [&]() -> Coroutine<> {
            co_await sleep(0);
            handle = loop->call_soon_threadsafe([] {});
            co_await sleep(0);
        };
        loop->run_until_complete(make());
        std::atomic<bool> go{false};
        std::thread other([&go, mine = std::exchange(handle, Handle())]() mutable {
            while (!go) {}
            mine = Handle();
        });
        go = true;
        loop.reset();
        other.join();
    }
}

TEST(DebugMode, forgets_a_handle_that_outlives_its_loop_and_those_of_another_thread) {
    const testing::VirtualClockScope clock;
    std::optional<EventLoop> loop(std::in_place);
    loop->set_debug(true);
    std::vector<Handle> kept;
    auto keeps_handles = [&]() -> Coroutine<> {
        co_await sleep(1);
        kept.push_back(loop->call_soon([] {}));
        kept.push_back(loop->call_later(100, [] {}));
        kept.push_back(loop->call_soon_threadsafe([] {}));
        std::thread([&] { kept.push_back(loop->call_soon_threadsafe([] {})); }).join();
        co_await sleep(1);
    };
    loop->run_until_complete(keeps_handles());

    kept.erase(kept.begin());  // one whose loop is there
    loop.emplace();            // another one, at the same address, which knows of no handles
    EXPECT_FALSE(loop->get_debug());
    kept.clear();
}

TEST(DebugMode, can_be_switched_while_the_loop_runs) {
    const Trace texts = logged_by(&blocks_at_times, false);

    EXPECT_EQ(texts.size(), 1U);
    EXPECT_TRUE(texts.at(0).ends_with(" took 2.000 seconds")) << texts.at(0);
}

// ----------------------------------------------------------------------- coroutines never awaited

Coroutine<int> answer() {
    co_return mark("answer", 42);
}

Coroutine<> forgets() {
    co_await mark("before forgetting", sleep(1));
    auto forgotten = std::make_unique<Coroutine<int>>(answer());
    co_await mark("before dropping", sleep(1));
    forgotten.reset();
    co_return;
}

std::string without_line_of(std::string text, std::string_view key) {
    const std::size_t begin = text.find(key);
    const std::size_t end = text.find('\n', begin);
    return begin == std::string::npos ? text : text.erase(begin, end - begin);
}

TEST(NeverAwaited, is_said_with_the_places_that_made_the_coroutine_and_dropped_it) {
    const Trace texts = logged_by(&forgets);

    EXPECT_EQ(texts.size(), 1U);
    const std::string defined = std::string("\n  defined at ") + __FILE__ + ":";
    EXPECT_NE(texts.at(0).find(defined), std::string::npos) << texts.at(0);
    EXPECT_EQ(without_line_of(texts.at(0), "  defined at "),
              "coroutine 'asyncio::debug_test::answer()' was never awaited\n\n  created at " +
                  in_file("before forgetting", "forgets()", "after line ") + "\n  dropped at " +
                  in_file("before dropping", "forgets()", "after line "));
}

TEST(NeverAwaited, is_said_without_debug_mode_but_not_who_made_it) {
    const Trace texts = logged_by(&forgets, false);

    EXPECT_EQ(texts.size(), 1U);
    EXPECT_EQ(without_line_of(texts.at(0), "  defined at "),
              "coroutine 'asyncio::debug_test::answer()' was never awaited\n\n  dropped at " +
                  in_file("before dropping", "forgets()", "after line "));
}

TEST(NeverAwaited, is_said_outside_of_a_loop) {
    const Logged logged;

    { const auto forgotten = answer(); }

    EXPECT_EQ(logged.texts.size(), 1U);
    EXPECT_EQ(logged.levels, std::vector<Level>{Level::warning});
    EXPECT_TRUE(logged.texts.at(0).starts_with(
        "coroutine 'asyncio::debug_test::answer()' was never awaited\n  defined at " +
        std::string(__FILE__) + ":"))
        << logged.texts.at(0);
}

TEST(NeverAwaited, is_not_said_of_one_that_was_closed_moved_or_cancelled_as_a_task) {
    const Logged logged;
    EventLoop loop;

    auto closed = answer();
    closed.close();
    closed.close();
    auto moved = answer();
    auto task = loop.create_task(std::move(moved));
    task.cancel();
    EXPECT_EQ(thrown_by([&] { loop.run_until_complete(task); }), "CancelledError()");

    EXPECT_EQ(logged.texts, Trace{});
}

Coroutine<> uses_a_group_that_is_over() {
    TaskGroup group;
    const std::string error = thrown_by([&] { group.create_task(answer()); });
    EXPECT_TRUE(error.find("has not been entered") != std::string::npos) << error;
    co_return;
}

TEST(NeverAwaited, is_not_said_where_a_task_group_refuses_a_child) {
    EXPECT_EQ(logged_by(&uses_a_group_that_is_over), Trace{});
}

TEST(NeverAwaited, is_said_where_there_is_no_loop_for_the_task) {
    const Logged logged;

    EXPECT_EQ(thrown_by([] { create_task(answer()); }), "RuntimeError('no running event loop')");

    EXPECT_EQ(logged.texts.size(), 1U);
}

// --------------------------------------------------------------------------- exceptions, pending

Coroutine<> fails() {
    throw RuntimeError("bad");
    co_return;
}
Coroutine<> spawns() {
    create_task(mark("spawns", fails()), {.name = "failed"});
    co_await mark("spawns, later", sleep(1));
    Future<> future = mark("makes a future", get_running_loop().create_future());
    future.set_exception(RuntimeError("worse"));
}
Coroutine<> makes_what_fails() {
    co_await mark("awaits spawns", spawns());
}

TEST(NeverRetrieved, has_the_awaits_that_made_the_task_or_the_future) {
    const Trace texts = logged_by(&makes_what_fails);

    const std::string outer = "\nsource_traceback: Object created at (most recent call last):\n  " +
                              in_file("awaits spawns", "makes_what_fails()") + "\n  ";
    EXPECT_EQ(
        texts,
        (Trace{"Task exception was never retrieved\nfuture: <Task finished name='failed' "
               "exception=RuntimeError('bad') created at " +
                   at("spawns", "spawns()") + ">" + outer + in_file("spawns", "spawns()") +
                   "\nexception: RuntimeError('bad')",
               "Future exception was never retrieved\nfuture: <Future finished "
               "exception=RuntimeError('worse') created at " +
                   at("makes a future", "spawns()") + ">" + outer +
                   in_file("makes a future", "spawns()") + "\nexception: RuntimeError('worse')"}));
}

TEST(NeverRetrieved, has_no_place_without_debug_mode) {
    const Trace texts = logged_by(&makes_what_fails, false);

    EXPECT_EQ(texts, (Trace{"Task exception was never retrieved\nfuture: <Task finished "
                            "name='failed' exception=RuntimeError('bad')>\n"
                            "exception: RuntimeError('bad')",
                            "Future exception was never retrieved\nfuture: <Future finished "
                            "exception=RuntimeError('worse')>\n"
                            "exception: RuntimeError('worse')"}));
}

struct Throws {
    void operator()() const { throw RuntimeError("in a callback"); }
};
Coroutine<> schedules_what_throws() {
    co_await mark("schedules Throws", sleep(1));
    get_running_loop().call_soon(Throws());
    co_await sleep(1);
}

TEST(CallbackError, has_the_function_and_the_place_that_scheduled_it) {
    const std::string handle = "Exception in callback\nhandle: <Handle asyncio::debug_test::Throws";
    const std::string error = "\nexception: RuntimeError('in a callback')";

    const Trace on = logged_by(&schedules_what_throws);
    const Trace off = logged_by(&schedules_what_throws, false);

    EXPECT_EQ(on,
              Trace{handle + " created after " + at("schedules Throws", "schedules_what_throws()") +
                    ">\nsource_traceback: Object created at (most recent call last):\n  " +
                    in_file("schedules Throws", "schedules_what_throws()") + error});
    EXPECT_EQ(off, Trace{handle + ">" + error});
}

Coroutine<> waits_for_ever() {
    co_await mark("waits for ever", get_running_loop().create_future());
}
Coroutine<> calls_what_waits() {
    co_await mark("calls what waits", waits_for_ever());
}
Coroutine<> leaves_a_task_behind() {
    create_task(mark("leaves behind", calls_what_waits()), {.name = "left"});
    co_await sleep(1);
}

TEST(DestroyedPending, has_the_name_the_maker_and_the_awaits_of_the_task) {
    const testing::VirtualClockScope clock;
    const Logged logged;
    {
        EventLoop loop;
        loop.set_debug(true);
        loop.run_until_complete(leaves_a_task_behind());
    }

    const std::string made = in_file("leaves behind", "leaves_a_task_behind()");
    EXPECT_EQ(
        logged.texts,
        Trace{"Task was destroyed but it is pending!\nsource_traceback: Object created at (most "
              "recent call last):\n  " +
              made +
              "\ntask: <Task pending name='left' coro=<asyncio::debug_test::calls_what_waits() "
              "running at " +
              __FILE__ + ":" + std::to_string(lines.at("calls what waits")) +
              "> wait_for=future created at " + at("leaves behind", "leaves_a_task_behind()") +
              ">\nstack of the task (most recent call last):\n  " +
              in_file("calls what waits", "calls_what_waits()") + "\n  " +
              in_file("waits for ever", "waits_for_ever()")});
}

TEST(ExceptionContext, tells_where_the_object_was_made) {
    const testing::VirtualClockScope clock;
    std::vector<std::source_location> source;
    EventLoop loop;
    loop.set_debug(true);
    loop.set_exception_handler(
        [&](EventLoop&, const ExceptionContext& context) { source = context.source_traceback; });

    loop.run_until_complete(makes_what_fails());

    EXPECT_EQ(source.size(), 2U);
    EXPECT_EQ(source.at(0).line(), lines.at("awaits spawns"));
    EXPECT_EQ(source.at(1).line(), lines.at("makes a future"));
}

// ------------------------------------------------------------------------------- wrong threads

const std::string wrong_thread =
    "RuntimeError('Non-thread-safe operation invoked on an event loop other than the current one')";

/// What `fn` throws in another thread, while the caller waits.
template <class Fn>
std::string thrown_elsewhere(Fn fn) {
    std::string thrown;
    std::thread([&] { thrown = thrown_by(fn); }).join();
    return thrown;
}

void nothing() {}

Coroutine<> is_used_from_another_thread() {
    EventLoop& loop = get_running_loop();
    Future<int> future = loop.create_future<int>();
    Future<> done = loop.create_future();
    done.set_result();
    auto waits = [](Future<int> awaited) -> Coroutine<int> { co_return co_await awaited; };
    auto task = create_task(waits, future);
    co_await sleep(1);

    EXPECT_EQ(thrown_elsewhere([&] { loop.call_soon(nothing); }), wrong_thread);
    EXPECT_EQ(thrown_elsewhere([&] { loop.call_later(1, nothing); }), wrong_thread);
    EXPECT_EQ(thrown_elsewhere([&] { loop.call_at(loop.time(), nothing); }), wrong_thread);
    EXPECT_EQ(thrown_elsewhere([&] { loop.create_task(sleep(0)); }), wrong_thread);
    EXPECT_EQ(thrown_elsewhere([&] { task.cancel(); }), wrong_thread);
    EXPECT_EQ(thrown_elsewhere([&] { future.cancel(); }), wrong_thread);
    EXPECT_EQ(thrown_elsewhere([&] { done.add_done_callback([](const AnyFuture&) {}); }),
              wrong_thread);
    EXPECT_EQ(thrown_elsewhere([&] { loop.call_soon_threadsafe(nothing); }), "nothing");

    EXPECT_FALSE(future.done());
    EXPECT_EQ(task.cancelling(), 0);
    future.set_result(7);
    EXPECT_EQ(co_await task, 7);
}

TEST(WrongThread, is_refused) {
    EXPECT_EQ(logged_by(&is_used_from_another_thread), Trace{});
}

Coroutine<> gets_its_result_from_another_thread() {
    Future<> future = get_running_loop().create_future();
    auto task = create_task(future);
    co_await sleep(1);

    EXPECT_EQ(thrown_elsewhere([&] { future.set_result(); }), wrong_thread);

    // As in Python: it is done, but nobody is told.
    EXPECT_TRUE(future.done());
    co_await sleep(1);
    EXPECT_FALSE(task.done());
}

TEST(WrongThread, may_not_make_a_future_done_that_somebody_awaits) {
    const testing::VirtualClockScope clock;
    const Logged logged;
    EventLoop loop;
    loop.set_debug(true);

    loop.run_until_complete(gets_its_result_from_another_thread());
    loop.close();

    EXPECT_EQ(logged.texts.size(), 1U);  // the task that is never told
    EXPECT_TRUE(logged.texts.at(0).starts_with("Task was destroyed but it is pending!"));
}

TEST(WrongThread, is_no_matter_while_the_loop_does_not_run) {
    EventLoop loop;
    loop.set_debug(true);
    int called = 0;

    EXPECT_EQ(thrown_elsewhere([&] { loop.call_soon([&called] { ++called; }); }), "nothing");
    loop.stop();
    loop.run_forever();

    EXPECT_EQ(called, 1);
}

// -------------------------------------------------------------------------------- cancellation

Coroutine<> swallows() {
    try {
        co_await mark("is cancelled", sleep(10));
    } catch (const CancelledError&) {}
    co_await mark("goes on", sleep(10));
}

std::string graph_of_one_that_goes_on;
int cancelling_after_uncancel = -1;
std::optional<FrameCallGraphEntry> swallowed_after_uncancel;

Coroutine<> cancels_one_that_goes_on() {
    auto task = create_task(mark("makes one that goes on", swallows()), {.name = "stubborn"});
    co_await sleep(1);
    task.cancel();
    co_await sleep(1);
    graph_of_one_that_goes_on = format_call_graph(task);
    task.uncancel();
    const auto graph = capture_call_graph(task);
    cancelling_after_uncancel = graph->cancelling;
    swallowed_after_uncancel = graph->swallowed_at;
    co_await task;
}

std::string in_graph(const char* line, const std::string& function) {
    return std::string("File '") + __FILE__ + "', line " + std::to_string(lines.at(line)) +
           ", in async asyncio::debug_test::" + function + "\n";
}

TEST(SwallowedCancellation, is_in_the_call_graph) {
    EXPECT_EQ(logged_by(&cancels_one_that_goes_on), Trace{});

    EXPECT_EQ(graph_of_one_that_goes_on + "\n",
              "* Task(name='stubborn') waits in sleep\n  + Call stack:\n  |   " +
                  in_graph("goes on", "swallows()") + "  + Cancelling: 1, swallowed at " +
                  in_graph("is cancelled", "swallows()") + "  + Created at: " +
                  in_graph("makes one that goes on", "cancels_one_that_goes_on()"));
    EXPECT_EQ(cancelling_after_uncancel, 0);
    EXPECT_FALSE(swallowed_after_uncancel.has_value());
}

TEST(SwallowedCancellation, is_counted_without_debug_mode) {
    EXPECT_EQ(logged_by(&cancels_one_that_goes_on, false), Trace{});

    EXPECT_EQ(graph_of_one_that_goes_on + "\n",
              "* Task(name='stubborn') waits in sleep\n  + Call stack:\n  |   " +
                  in_graph("goes on", "swallows()") + "  + Cancelling: 1\n");
}

// --------------------------------------------------------------------------- how it is switched

class Environment {
public:
    explicit Environment(const char* value) { ::setenv("ASYNCIO_DEBUG", value, 1); }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;
    ~Environment() { ::unsetenv("ASYNCIO_DEBUG"); }
};

Coroutine<bool> is_in_debug_mode() {
    co_return get_running_loop().get_debug();
}

TEST(DebugMode, comes_from_the_environment_unless_an_option_says_otherwise) {
    EXPECT_FALSE(run(is_in_debug_mode()));
    EXPECT_TRUE(run(is_in_debug_mode(), {.debug = true}));
    {
        const Environment environment("1");
        EXPECT_TRUE(EventLoop().get_debug());
        EXPECT_TRUE(run(is_in_debug_mode()));
        EXPECT_FALSE(run(is_in_debug_mode(), {.debug = false}));
    }
    for (const char* off : {"", "0"}) {
        const Environment environment(off);
        EXPECT_FALSE(EventLoop().get_debug());
        EXPECT_FALSE(run(is_in_debug_mode()));
    }
}

Coroutine<> does_everything_wrong() {
    EventLoop& loop = get_running_loop();
    loop.call_soon(Blocks());
    co_await blocks();
    auto handle = loop.call_later(100, nothing);
    handle.cancel();
    auto task = create_task(swallows());
    co_await sleep(1);
    task.cancel();
    co_await sleep(1);
    EXPECT_EQ(static_cast<AnyFuture>(task).raw()->source_notes(), nullptr);
    co_await task;
}

TEST(DebugMode, is_silent_and_notes_nothing_when_it_is_off) {
    EXPECT_EQ(logged_by(&does_everything_wrong, false), Trace{});
}

}  // namespace debug_test

}  // namespace asyncio
