// lowlevel_test.cpp - what authors of awaitables and proactors build on, used as they would.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/lowlevel/intrusive.hpp>
#include <asyncio/lowlevel/proactor.hpp>
#include <asyncio/lowlevel/waiter.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/timeouts.hpp>

#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace asyncio {

using namespace std::chrono_literals;
using testing::Reports;
using testing::settle;
using testing::Trace;
using testing::TurnCounter;
using testing::VirtualClockScope;

namespace {

// -------------------------------------------------------------------------------------- a gate

/// Lets tasks pass one at a time, as it is opened: a primitive of one's own, on public headers
/// alone. What was granted to a task that is cancelled before it runs is passed on.
class Gate {
public:
    class Awaiter : public lowlevel::ListWaiter {
    public:
        explicit Awaiter(Gate& gate) noexcept : gate_(gate) {}
        bool await_ready() noexcept {
            if (gate_.open_ > 0) {
                --gate_.open_;
                return true;
            }
            return false;
        }
        template <class P>
            requires std::derived_from<P, detail::PromiseBase>
        void await_suspend(std::coroutine_handle<P>) noexcept {
            gate_.waiting_.park(lowlevel::running_task(), *this);
            parked_ = true;
        }
        void await_resume() {
            if (parked_ && granted && lowlevel::running_task().interrupted()) {
                gate_.open();
            }
            lowlevel::running_task().throw_if_interrupted();
        }
        [[nodiscard]] const char* reason() const noexcept override { return "gate"; }

        bool granted = false;

    private:
        Gate& gate_;
        bool parked_ = false;
    };
    class [[nodiscard]] Pass {
    public:
        explicit Pass(Gate& gate) noexcept : gate_(&gate) {}
        Awaiter operator co_await() const noexcept { return Awaiter(*gate_); }

    private:
        Gate* gate_;
    };

    Pass pass() noexcept { return Pass(*this); }
    void open() noexcept {
        if (lowlevel::Waiter* const waiter = waiting_.wake_first()) {
            static_cast<Awaiter*>(waiter)->granted = true;
        } else {
            ++open_;
        }
    }
    [[nodiscard]] int opened() const noexcept { return open_; }

private:
    lowlevel::WaitList waiting_;
    int open_ = 0;
};

Coroutine<> pass(Gate& gate, Trace& trace, std::string name) {
    co_await gate.pass();
    trace.push_back(name);
}

ASYNC_TEST(OwnAwaitable, wakes_tasks_first_come_first_served) {
    Gate gate;
    Trace trace;
    create_task(pass(gate, trace, "first"));
    create_task(pass(gate, trace, "second"));
    co_await settle();

    gate.open();
    co_await settle();
    EXPECT_EQ(trace, Trace{"first"});
    gate.open();
    gate.open();
    co_await settle();

    EXPECT_EQ(trace, (Trace{"first", "second"}));
    EXPECT_EQ(gate.opened(), 1);
    co_await gate.pass();  // is open: does not wait
    EXPECT_EQ(gate.opened(), 0);
}

ASYNC_TEST(OwnAwaitable, can_be_cancelled_timed_out_and_gathered) {
    Gate gate;
    Trace trace;
    auto first = create_task(pass(gate, trace, "first"));
    auto second = create_task(pass(gate, trace, "second"));
    co_await settle();

    first.cancel("why");
    auto result = co_await as_result(first);
    auto limited = co_await as_result(wait_for(gate.pass(), 1));
    gate.open();
    co_await second;
    gate.open();
    gate.open();
    co_await gather(gate.pass(), gate.pass());

    EXPECT_EQ(describe(result.error()), "CancelledError('why')");
    EXPECT_EQ(describe(limited.error()), "TimeoutError()");
    EXPECT_EQ(trace, Trace{"second"});
    EXPECT_EQ(gate.opened(), 0);
}

ASYNC_TEST(OwnAwaitable, passes_on_what_was_granted_to_a_task_that_is_cancelled_meanwhile) {
    Gate gate;
    Trace trace;
    auto first = create_task(pass(gate, trace, "first"));
    auto second = create_task(pass(gate, trace, "second"));
    co_await settle();

    gate.open();
    first.cancel();
    co_await settle();

    EXPECT_TRUE(first.cancelled());
    EXPECT_EQ(trace, Trace{"second"});
    EXPECT_EQ(gate.opened(), 0);
    EXPECT_TRUE(second.done());
}

ASYNC_TEST(OwnAwaitable, destroyed_leaves_those_who_wait_to_be_cancelled) {
    auto gate = std::make_unique<Gate>();
    Trace trace;
    auto cancelled = create_task(pass(*gate, trace, "cancelled"));
    auto left = create_task(pass(*gate, trace, "left"));
    co_await settle();

    gate.reset();
    cancelled.cancel("why");
    co_await settle();

    const auto result = co_await as_result(cancelled);
    EXPECT_EQ(describe(result.error()), "CancelledError('why')");
    EXPECT_FALSE(left.done());
    left.cancel();
    co_await settle();
    EXPECT_TRUE(left.cancelled());
    EXPECT_EQ(trace, Trace{});
}

TEST(OwnAwaitable, may_be_waited_for_when_the_loop_is_closed) {
    Gate gate;
    Trace trace;
    EventLoop loop;
    const Reports reports(loop);
    loop.create_task(pass(gate, trace, "never"));
    loop.run_until_complete(sleep(0));

    loop.close();
    gate.open();

    EXPECT_EQ(trace, Trace{});
    EXPECT_EQ(gate.opened(), 1);
}

// ------------------------------------------------------------------------------------ operations

class Sockets {
public:
    Sockets() {
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    }
    Sockets(const Sockets&) = delete;
    Sockets& operator=(const Sockets&) = delete;
    ~Sockets() {
        ::close(fds[0]);
        ::close(fds[1]);
    }
    void close(EventLoop& loop) {
        for (const int fd : fds) {
            lowlevel::Operation forget([](lowlevel::Callback&) {}, lowlevel::Opcode::forget, fd);
            loop.call(forget);
        }
    }
    int fds[2] = {-1, -1};
};

class Receive : public lowlevel::OperationWaiter {
public:
    Receive(EventLoop& loop, int fd, char* buffer, std::size_t size)
        : OperationWaiter(loop, lowlevel::Opcode::recv, fd) {
        data = buffer;
        this->size = size;
    }
};
class [[nodiscard]] ReceiveFrom {
public:
    ReceiveFrom(int fd, char* buffer, std::size_t size) : fd_(fd), buffer_(buffer), size_(size) {}
    Receive operator co_await() const { return Receive(get_running_loop(), fd_, buffer_, size_); }

private:
    int fd_;
    char* buffer_;
    std::size_t size_;
};

Coroutine<std::string> receive(int fd) {
    char buffer[64];
    const std::int64_t size = co_await ReceiveFrom(fd, buffer, sizeof buffer);
    if (size < 0) {
        detail::raise_os_error(static_cast<int>(-size), "recv");
    }
    co_return std::string(buffer, static_cast<std::size_t>(size));
}

ASYNC_TEST(OperationWaiter, gives_what_the_kernel_answered_at_once_or_later) {
    Sockets sockets;
    EXPECT_EQ(::send(sockets.fds[1], "now", 3, 0), 3);
    const std::string now = co_await receive(sockets.fds[0]);
    auto later = create_task(receive(sockets.fds[0]));
    co_await sleep(0);
    EXPECT_EQ(::send(sockets.fds[1], "later", 5, 0), 5);
    const std::string then = co_await later;
    ::shutdown(sockets.fds[1], SHUT_WR);
    const std::string end = co_await receive(sockets.fds[0]);
    auto bad = co_await as_result(receive(-1));

    EXPECT_EQ(now, "now");
    EXPECT_EQ(then, "later");
    EXPECT_EQ(end, "");
    EXPECT_TRUE(describe(bad.error()).starts_with("OSError(9,")) << describe(bad.error());
    sockets.close(get_running_loop());
}

ASYNC_TEST(OperationWaiter, cancelled_loses_no_byte) {
    Sockets sockets;
    auto first = create_task(receive(sockets.fds[0]));
    co_await settle();

    first.cancel("stop");
    auto result = co_await as_result(first);
    EXPECT_EQ(::send(sockets.fds[1], "kept", 4, 0), 4);
    const std::string kept = co_await receive(sockets.fds[0]);

    EXPECT_EQ(describe(result.error()), "CancelledError('stop')");
    EXPECT_EQ(kept, "kept");
    sockets.close(get_running_loop());
}

TEST(OperationWaiter, under_way_when_the_loop_is_closed_is_aborted) {
    Sockets sockets;
    EventLoop loop;
    const Reports reports(loop);
    loop.create_task(receive(sockets.fds[0]));
    loop.run_until_complete(sleep(0.001));

    loop.close();

    EXPECT_EQ(reports.messages, Trace{"Task was destroyed but it is pending!"});
}

// ---------------------------------------------------------------------------- a proactor around
// one

/// Counts what goes through it.
class Counting final : public lowlevel::Proactor {
public:
    struct Counts {
        int polls = 0;
        int attempts = 0;
        int started = 0;
        int finished = 0;
        int calls = 0;
    };

    explicit Counting(Counts& counts)
        : Proactor(&attempt_inside), inner_(lowlevel::make_system_proactor()), counts_(counts) {}

    void poll(lowlevel::CallbackList& pending, lowlevel::CallbackList& ready,
              TimePoint deadline) override {
        ++counts_.polls;
        for (lowlevel::Callback& operation : pending) {
            static_cast<void>(operation);
            ++counts_.started;
        }
        lowlevel::CallbackList finished;
        inner_->poll(pending, finished, deadline);
        for (lowlevel::Callback& operation : finished) {
            static_cast<void>(operation);
            ++counts_.finished;
        }
        ready.splice_back(finished);
    }
    void cancel(lowlevel::Operation& operation, lowlevel::CallbackList& ready) noexcept override {
        inner_->cancel(operation, ready);
    }
    void abort_all(lowlevel::CallbackList& ready) noexcept override { inner_->abort_all(ready); }
    std::int64_t call(lowlevel::Operation& operation) noexcept override {
        ++counts_.calls;
        return inner_->call(operation);
    }
    [[nodiscard]] TimePoint now() const noexcept override { return inner_->now(); }
    void wake() noexcept override { inner_->wake(); }
    [[nodiscard]] int descriptor() const noexcept override { return inner_->descriptor(); }
    [[nodiscard]] std::uint64_t random() noexcept override { return inner_->random(); }
    [[nodiscard]] std::string_view name() const noexcept override { return "counting"; }

private:
    static bool attempt_inside(Proactor& self, lowlevel::Operation& operation) noexcept {
        auto& counting = static_cast<Counting&>(self);
        ++counting.counts_.attempts;
        return counting.inner_->attempt(operation);
    }

    std::unique_ptr<lowlevel::Proactor> inner_;
    Counts& counts_;
};

TEST(Proactor, can_be_decorated) {
    Counting::Counts counts;
    EventLoop loop(std::make_unique<Counting>(counts));
    Sockets sockets;
    auto body = [&]() -> Coroutine<> {
        auto task = create_task(receive(sockets.fds[0]));
        co_await sleep(0.001);
        EXPECT_EQ(::send(sockets.fds[1], "x", 1, 0), 1);
        const std::string text = co_await task;
        EXPECT_EQ(text, "x");
    };

    loop.run_until_complete(body());
    sockets.close(loop);

    EXPECT_EQ(loop.proactor().name(), "counting");
    EXPECT_EQ(counts.attempts, 1);
    EXPECT_EQ(counts.started, 1);
    EXPECT_EQ(counts.finished, 1);
    EXPECT_EQ(counts.calls, 2);
    EXPECT_GE(counts.polls, 2);
}

TEST(Proactor, factory_decides_for_every_loop_made_since) {
    static Counting::Counts counts;
    const lowlevel::ProactorFactory before =
        lowlevel::set_proactor_factory([](std::string_view) -> std::unique_ptr<lowlevel::Proactor> {
            return std::make_unique<Counting>(counts);
        });
    EventLoop made_since;
    lowlevel::set_proactor_factory(before);
    EventLoop made_later;

    EXPECT_EQ(made_since.proactor().name(), "counting");
    EXPECT_NE(made_later.proactor().name(), "counting");
}

// --------------------------------------------------------------------------- the loop, directly

struct Noting : lowlevel::Callback {
    Noting(Trace& trace, std::string name) : Callback(&note), trace(trace), name(std::move(name)) {}
    static void note(Callback& callback) {
        auto& self = static_cast<Noting&>(callback);
        self.trace.push_back(self.name);
    }
    Trace& trace;
    std::string name;
};

TEST(EventLoopForAuthors, schedules_callbacks_and_whole_lists_in_order) {
    EventLoop loop;
    Trace trace;
    Noting a(trace, "a");
    Noting b(trace, "b");
    Noting c(trace, "c");
    Noting d(trace, "d");
    lowlevel::CallbackList list;
    list.push_back(b);
    list.push_back(c);
    loop.schedule(a);
    loop.schedule(list);
    loop.schedule(d);
    EXPECT_TRUE(list.empty());
    c.unlink();  // thought better of it
    loop.stop();
    loop.run_forever();
    EXPECT_EQ(trace, (Trace{"a", "b", "d"}));
    EXPECT_FALSE(a.linked());
    loop.schedule(a);  // may be scheduled again once it has run
    loop.stop();
    loop.run_forever();
    EXPECT_EQ(trace.back(), "a");
}

TEST(EventLoopForAuthors, has_a_serial_number_that_no_other_loop_has_or_had) {
    std::optional<EventLoop> loop(std::in_place);
    const EventLoop other;
    const std::uint64_t before = loop->serial();

    loop.emplace();

    EXPECT_GT(before, 0U);
    EXPECT_NE(loop->serial(), before);
    EXPECT_NE(loop->serial(), other.serial());
}

TEST(EventLoopForAuthors, arms_callbacks_and_withdraws_them) {
    const VirtualClockScope clock;
    EventLoop loop;
    Trace trace;
    Noting late(trace, "late");
    Noting early(trace, "early");
    Noting never(trace, "never");
    const TimePoint now = loop.time();
    loop.arm(late, now + 2s);
    loop.arm(never, now + 1s);
    loop.arm(early, now + 1s);
    EXPECT_TRUE(never.armed());
    loop.withdraw(never);
    loop.withdraw(never);  // again is nothing
    EXPECT_FALSE(never.armed());
    loop.run_until_complete(sleep(3));
    EXPECT_EQ(trace, (Trace{"early", "late"}));
    EXPECT_FALSE(late.armed());
    loop.arm(late, now);  // may be armed again
    loop.stop();
    loop.run_forever();
    EXPECT_EQ(trace, (Trace{"early", "late", "late"}));
}

// ---------------------------------------------------------------------------------------- lists

struct Tag1 {};
struct Tag2 {};
struct Node : lowlevel::ListHook<Tag1>, lowlevel::ListHook<Tag2> {
    explicit Node(int value) : value(value) {}
    int value;
};

template <class List>
std::vector<int> values(const List& list) {
    std::vector<int> result;
    for (Node& node : list) {
        result.push_back(node.value);
    }
    return result;
}

TEST(IntrusiveList, is_first_in_first_out_and_an_object_may_be_in_one_of_each_tag) {
    lowlevel::List<Node, Tag1> one;
    lowlevel::List<Node, Tag2> two;
    Node a(1);
    Node b(2);
    Node c(3);
    for (Node* node : {&a, &b, &c}) {
        one.push_back(*node);
    }
    two.push_back(c);
    two.push_back(a);

    EXPECT_EQ(values(one), (std::vector<int>{1, 2, 3}));
    EXPECT_EQ(values(two), (std::vector<int>{3, 1}));
    EXPECT_EQ(one.size(), 3U);
    static_cast<lowlevel::ListHook<Tag1>&>(b).unlink();
    EXPECT_EQ(values(one), (std::vector<int>{1, 3}));
    EXPECT_EQ(one.pop_front().value, 1);
    EXPECT_EQ(values(two), (std::vector<int>{3, 1}));
    static_cast<lowlevel::ListHook<Tag1>&>(c).unlink();
    EXPECT_TRUE(one.empty());
}

TEST(IntrusiveList, cleared_leaves_its_objects_in_no_list) {
    lowlevel::List<Node, Tag1> list;
    Node a(1);
    Node b(2);
    list.push_back(a);
    list.push_back(b);

    list.clear();

    EXPECT_TRUE(list.empty());
    EXPECT_EQ(list.size(), 0U);
    EXPECT_FALSE(static_cast<lowlevel::ListHook<Tag1>&>(a).linked());
    EXPECT_FALSE(static_cast<lowlevel::ListHook<Tag1>&>(b).linked());
}

TEST(IntrusiveList, splices_in_constant_time) {
    lowlevel::List<Node, Tag1> list;
    lowlevel::List<Node, Tag1> other;
    lowlevel::List<Node, Tag1> empty;
    Node a(1);
    Node b(2);
    Node c(3);
    Node d(4);
    list.push_back(a);
    other.push_back(b);
    other.push_back(c);

    list.splice_back(other);
    EXPECT_TRUE(other.empty());
    list.splice_back(empty);
    other.push_back(d);
    list.splice_front(other);

    EXPECT_TRUE(other.empty());
    EXPECT_EQ(values(list), (std::vector<int>{4, 1, 2, 3}));
    lowlevel::List<Node, Tag1> moved(std::move(list));
    EXPECT_EQ(values(moved), (std::vector<int>{4, 1, 2, 3}));
    while (!moved.empty()) {
        moved.pop_front();
    }
}

}  // namespace

}  // namespace asyncio
