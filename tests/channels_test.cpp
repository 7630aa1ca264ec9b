// channels_test.cpp - memory channels: order, waiting, cancellation, closing and clones.
//
// SPDX-License-Identifier: MIT
#include <asyncio/channels.hpp>

#include <asyncio/cancel_scope.hpp>
#include <asyncio/tasks.hpp>

#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace asyncio {

namespace {

using testing::thrown_by;
using testing::Trace;
using Numbers = std::vector<int>;

template <class T>
std::string error_of(const Result<T>& result) {
    return describe(result.error());
}

Coroutine<Numbers> receive_all(MemoryReceiveChannel<int> receive) {
    Numbers got;
    while (auto item = co_await receive.next()) {
        got.push_back(*item);
    }
    co_return got;
}

Coroutine<> send_all(MemorySendChannel<int> send, Numbers items) {
    for (const int item : items) {
        co_await send.send(item);
    }
}

// -------------------------------------------------------------------------------------- basics

ASYNC_TEST(MemoryChannel, gives_what_was_sent_in_order) {
    auto [send, receive] = memory_channel<int>(10);
    for (const int item : {1, 2, 3}) {
        co_await send.send(item);
    }
    Numbers got;
    for (int i = 0; i < 3; ++i) {
        const int item = co_await receive.receive();
        got.push_back(item);
    }
    EXPECT_EQ(got, (Numbers{1, 2, 3}));
}

ASYNC_TEST(MemoryChannel, makes_nobody_wait_who_need_not) {
    auto [send, receive] = memory_channel<int>(1);
    bool others_ran = false;
    get_running_loop().call_soon([&] { others_ran = true; });
    co_await send.send(1);
    const int item = co_await receive.receive();
    EXPECT_EQ(item, 1);
    EXPECT_FALSE(others_ran);
}

ASYNC_TEST(MemoryChannel, without_a_buffer_makes_both_sides_meet) {
    auto [send, receive] = memory_channel<int>(0);
    Trace trace;
    EXPECT_EQ(thrown_by([&] { send.send_nowait(0); }), "WouldBlock()");
    auto sender = create_task([&]() -> Coroutine<> {
        co_await send.send(1);
        trace.push_back("sent");
    });
    co_await testing::settle();
    EXPECT_EQ(trace, Trace{});
    EXPECT_EQ(send.statistics().tasks_waiting_send, 1U);

    const int item = co_await receive.receive();
    EXPECT_EQ(item, 1);
    EXPECT_EQ(trace, Trace{});  // it goes on in the next turn
    co_await sender;
    EXPECT_EQ(trace, Trace{"sent"});

    auto receiver = create_task(receive.receive());
    co_await testing::settle();
    send.send_nowait(2);
    const int second = co_await receiver;
    EXPECT_EQ(second, 2);
}

ASYNC_TEST(MemoryChannel, makes_senders_wait_while_it_is_full) {
    auto [send, receive] = memory_channel<int>(2);
    auto sender = create_task(send_all(send, {1, 2, 3, 4}));
    co_await testing::settle();
    EXPECT_EQ(send.statistics().current_buffer_used, 2U);
    EXPECT_EQ(send.statistics().tasks_waiting_send, 1U);
    EXPECT_EQ(receive.receive_nowait(), 1);
    EXPECT_EQ(send.statistics().current_buffer_used, 2U);  // the one who waited has come in
    co_await testing::settle();
    EXPECT_EQ(receive.receive_nowait(), 2);
    EXPECT_EQ(receive.receive_nowait(), 3);
    co_await testing::settle();
    EXPECT_EQ(receive.receive_nowait(), 4);
    EXPECT_EQ(thrown_by([&] { return receive.receive_nowait(); }), "WouldBlock()");
    co_await sender;
}

ASYNC_TEST(MemoryChannel, unbounded_never_makes_senders_wait) {
    auto [send, receive] = memory_channel<int>(unbounded);
    for (int i = 0; i < 1000; ++i) {
        send.send_nowait(i);
    }
    EXPECT_EQ(receive.statistics().current_buffer_used, 1000U);
    EXPECT_EQ(receive.statistics().max_buffer_size, unbounded);
    co_await sleep(0);
}

ASYNC_TEST(MemoryChannel, serves_those_who_wait_in_order) {
    auto [send, receive] = memory_channel<int>(0);
    std::vector<Task<int>> receivers;
    for (int i = 0; i < 3; ++i) {
        receivers.push_back(create_task(receive.receive()));
    }
    co_await testing::settle();
    EXPECT_EQ(receive.statistics().tasks_waiting_receive, 3U);
    for (int i = 0; i < 3; ++i) {
        send.send_nowait(i);
    }
    EXPECT_EQ(thrown_by([&] { send.send_nowait(3); }), "WouldBlock()");
    const Numbers got = co_await gather(receivers);
    EXPECT_EQ(got, (Numbers{0, 1, 2}));

    std::vector<Task<>> senders;
    for (int i = 0; i < 3; ++i) {
        senders.push_back(create_task(send.send(i)));
    }
    co_await testing::settle();
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(receive.receive_nowait(), i);
    }
    co_await gather(senders);
}

ASYNC_TEST(MemoryChannel, takes_what_can_only_be_moved) {
    auto [send, receive] = memory_channel<std::unique_ptr<int>>(1);
    co_await send.send(std::make_unique<int>(1));
    auto second = create_task(send.send(std::make_unique<int>(2)));
    co_await testing::settle();
    const auto one = co_await receive.receive();
    const auto two = co_await receive.next();
    co_await second;
    EXPECT_EQ(*one, 1);
    EXPECT_EQ(**two, 2);
}

// ------------------------------------------------------------------------------------- closing

ASYNC_TEST(MemoryChannel, ends_when_all_senders_are_closed) {
    auto [send, receive] = memory_channel<int>(5);
    auto first = create_task(receive_all(receive));
    auto second = create_task(receive_all(receive));
    {
        auto clone = send.clone();
        send.close();
        EXPECT_EQ(receive.statistics().open_send_channels, 1U);
        EXPECT_EQ(receive.statistics().open_receive_channels, 3U);
        const Numbers items{1, 2, 3};
        co_await send_all(std::move(clone), items);
    }
    const auto one = co_await first;
    const auto two = co_await second;
    Numbers all(one);
    all.insert(all.end(), two.begin(), two.end());
    std::sort(all.begin(), all.end());
    EXPECT_EQ(all, (Numbers{1, 2, 3}));
    const auto received = co_await as_result(receive.receive());
    EXPECT_EQ(error_of(received), "EndOfChannel()");
    const auto next = co_await receive.next();
    EXPECT_EQ(next, std::nullopt);
    EXPECT_EQ(thrown_by([&] { return receive.receive_nowait(); }), "EndOfChannel()");
}

ASYNC_TEST(MemoryChannel, gives_what_is_left_after_the_last_sender) {
    auto [send, receive] = memory_channel<int>(5);
    send.send_nowait(1);
    send.send_nowait(2);
    send.close();
    const Numbers got = co_await receive_all(receive);
    EXPECT_EQ(got, (Numbers{1, 2}));
}

ASYNC_TEST(MemoryChannel, tells_receivers_who_wait_of_its_end) {
    auto [send, receive] = memory_channel<int>(0);
    auto waits = create_task(receive.receive());
    auto next = create_task(receive.next());
    co_await testing::settle();
    send.close();
    const auto received = co_await as_result(waits);
    EXPECT_EQ(error_of(received), "EndOfChannel()");
    const std::optional<int> nothing = co_await next;
    EXPECT_EQ(nothing, std::nullopt);
}

ASYNC_TEST(MemoryChannel, is_broken_when_all_receivers_are_closed) {
    auto [send, receive] = memory_channel<std::shared_ptr<int>>(1);
    auto item = std::make_shared<int>(1);
    send.send_nowait(item);
    auto waits = create_task(send.send(item));
    co_await testing::settle();
    EXPECT_EQ(item.use_count(), 3);
    receive.close();
    EXPECT_EQ(item.use_count(), 2);  // what was in it is dropped
    const auto sent = co_await as_result(waits);
    EXPECT_EQ(error_of(sent), "BrokenResourceError()");
    EXPECT_EQ(item.use_count(), 1);
    const auto again = co_await as_result(send.send(item));
    EXPECT_EQ(error_of(again), "BrokenResourceError()");
    EXPECT_EQ(thrown_by([&] { send.send_nowait(item); }), "BrokenResourceError()");
}

ASYNC_TEST(MemoryChannel, end_that_is_closed_is_not_to_be_used) {
    auto [send, receive] = memory_channel<int>(1);
    auto send_too = send;
    auto receive_too = receive;
    auto receiver = create_task(receive.receive());
    auto receiver_too = create_task(receive_too.receive());
    co_await testing::settle();
    receive.close();  // disturbs nobody but who waits at it
    receive.close();
    const auto received = co_await as_result(receiver);
    EXPECT_EQ(error_of(received), "ClosedResourceError()");
    EXPECT_FALSE(receiver_too.done());
    const auto again = co_await as_result(receive.receive());
    EXPECT_EQ(error_of(again), "ClosedResourceError()");
    const auto next = co_await as_result(receive.next());
    EXPECT_EQ(error_of(next), "ClosedResourceError()");
    EXPECT_EQ(thrown_by([&] { return receive.receive_nowait(); }), "ClosedResourceError()");
    EXPECT_EQ(thrown_by([&] { return receive.statistics(); }), "ClosedResourceError()");
    EXPECT_EQ(thrown_by([&] { return receive.clone(); }), "ClosedResourceError()");

    send.send_nowait(1);
    const int item = co_await receiver_too;
    EXPECT_EQ(item, 1);
    send.send_nowait(2);
    auto sender = create_task(send.send(3));
    auto sender_too = create_task(send_too.send(4));
    co_await testing::settle();
    send.close();
    const auto sent = co_await as_result(sender);
    EXPECT_EQ(error_of(sent), "ClosedResourceError()");
    const auto sent_again = co_await as_result(send.send(5));
    EXPECT_EQ(error_of(sent_again), "ClosedResourceError()");
    EXPECT_EQ(thrown_by([&] { send.send_nowait(5); }), "ClosedResourceError()");
    EXPECT_EQ(thrown_by([&] { return send.clone(); }), "ClosedResourceError()");
    EXPECT_EQ(receive_too.receive_nowait(), 2);
    EXPECT_EQ(receive_too.receive_nowait(), 4);
    co_await sender_too;
}

ASYNC_TEST(MemoryChannel, outlives_its_ends_while_somebody_waits) {
    Task<int> task;
    Task<> sender;
    {
        auto [send, receive] = memory_channel<int>(0);
        task = create_task(receive.receive());  // begins when the end is gone
        auto other = memory_channel<int>(0);
        sender = create_task(other.send.send(1));
        co_await sleep(0);
        auto moved = std::move(other.send);
    }
    const auto received = co_await as_result(task);
    EXPECT_EQ(error_of(received), "ClosedResourceError()");
    const auto sent = co_await as_result(sender);
    EXPECT_EQ(error_of(sent), "ClosedResourceError()");
}

ASYNC_TEST(MemoryChannel, end_can_be_assigned) {
    auto one = memory_channel<int>(1);
    auto two = memory_channel<int>(1);
    one.send.send_nowait(1);
    one.send = two.send;
    two.send.close();
    one.send.send_nowait(2);
    auto& self = one.send;
    one.send = self;
    EXPECT_EQ(two.receive.receive_nowait(), 2);
    EXPECT_EQ(two.receive.statistics().open_send_channels, 1U);
    EXPECT_EQ(one.receive.receive_nowait(), 1);
    EXPECT_EQ(thrown_by([&] { return one.receive.receive_nowait(); }), "EndOfChannel()");
    co_await sleep(0);
}

TEST(MemoryChannel, may_be_waited_for_when_the_loop_is_closed) {
    auto item = std::make_shared<int>(1);
    auto ends = memory_channel<std::shared_ptr<int>>(0);
    {
        EventLoop loop;
        loop.set_exception_handler([](EventLoop&, const ExceptionContext&) {});
        auto sender = loop.create_task(ends.send.send(item));
        auto own = loop.create_task([]() -> Coroutine<> {
            auto [send, receive] = memory_channel<int>(0);
            co_await receive.receive();
        });
        loop.call_soon([&] { loop.stop(); });
        loop.run_forever();
        EXPECT_EQ(ends.send.statistics().tasks_waiting_send, 1U);
    }
    EXPECT_EQ(ends.send.statistics().tasks_waiting_send, 0U);
    EXPECT_EQ(item.use_count(), 1);

    EventLoop other;
    const auto refused =
        thrown_by([&] { return other.run_until_complete(ends.receive.receive()); });
    EXPECT_TRUE(refused.ends_with("is bound to a different event loop')")) << refused;
}

// -------------------------------------------------------------------------------- cancellation

ASYNC_TEST(MemoryChannel, gives_back_what_a_cancelled_receiver_had_been_given) {
    auto [send, receive] = memory_channel<int>(0);
    auto first = create_task(receive.receive());
    auto second = create_task(receive.receive());
    co_await testing::settle();
    send.send_nowait(1);
    first.cancel();
    co_await testing::settle();
    EXPECT_TRUE(first.cancelled());
    EXPECT_EQ(second.result(), 1);

    auto third = create_task(receive.receive());
    co_await testing::settle();
    send.send_nowait(2);
    third.cancel();
    send.close();
    co_await testing::settle();
    EXPECT_TRUE(third.cancelled());
    EXPECT_EQ(receive.statistics().current_buffer_used, 1U);  // over its capacity, for once
    EXPECT_EQ(receive.receive_nowait(), 2);
    EXPECT_EQ(thrown_by([&] { return receive.receive_nowait(); }), "EndOfChannel()");
}

ASYNC_TEST(MemoryChannel, gives_an_item_that_came_back_to_who_was_told_of_the_end) {
    auto [send, receive] = memory_channel<int>(0);
    auto first = create_task(receive.receive());
    auto second = create_task(receive.receive());
    co_await testing::settle();
    send.send_nowait(1);
    send.close();
    first.cancel();
    co_await testing::settle();
    EXPECT_TRUE(first.cancelled());
    EXPECT_EQ(second.result(), 1);
}

ASYNC_TEST(MemoryChannel, has_sent_what_was_received_before_the_sender_was_cancelled) {
    auto [send, receive] = memory_channel<int>(0);
    Trace trace;
    auto sender = create_task([&]() -> Coroutine<> {
        co_await send.send(1);
        trace.push_back("sent");
        co_await sleep(0);
        trace.push_back("not reached");
    });
    co_await testing::settle();
    EXPECT_EQ(receive.receive_nowait(), 1);
    sender.cancel();
    const auto ended = co_await as_result(sender);
    EXPECT_TRUE(ended.cancelled());
    EXPECT_EQ(trace, Trace{"sent"});

    auto waits = create_task(send.send(2));
    co_await testing::settle();
    waits.cancel();
    EXPECT_EQ(thrown_by([&] { return receive.receive_nowait(); }), "WouldBlock()");
    const auto cancelled = co_await as_result(waits);
    EXPECT_TRUE(cancelled.cancelled());
}

struct Traffic {
    Numbers sent;
    Numbers received;
    int cancelled = 0;
};

Coroutine<> send_some(MemorySendChannel<int> send, int from, CancelScope& scope, Traffic& traffic) {
    const auto body = [&]() -> Coroutine<> {
        for (int item = from; item < from + 3; ++item) {
            const auto sent = co_await as_result(send.send(item));
            if (sent.has_value()) {
                traffic.sent.push_back(item);
            }
            sent.get();
            co_await sleep(0);
        }
    };
    co_await with(scope, body);
}

Coroutine<> receive_some(MemoryReceiveChannel<int> receive, CancelScope& scope, Traffic& traffic) {
    const auto body = [&]() -> Coroutine<> {
        while (true) {
            const auto item = co_await as_result(receive.receive());
            if (!item.has_value()) {
                if (item.cancelled()) {
                    ++traffic.cancelled;
                    item.value();
                }
                co_return;
            }
            traffic.received.push_back(*item);
        }
    };
    co_await with(scope, body);
}

// Two senders and two receivers; each of them is cancelled at each turn, and each pair of them at
// each pair of turns, by its scope or by Task::cancel(). What was sent arrives, once; what was not
// sent does not.
ASYNC_TEST(MemoryChannel, loses_and_doubles_nothing_whoever_is_cancelled_whenever) {
    constexpr int turns = 5;
    constexpr int choices = 4 * turns * 2;  // whom, when, how
    for (std::size_t capacity = 0; capacity < 3; ++capacity) {
        for (int one = 0; one < choices; ++one) {
            for (int two = one; two < choices; ++two) {
                auto [send, receive] = memory_channel<int>(capacity);
                Traffic traffic;
                CancelScope scopes[4];
                std::vector<Task<>> tasks;
                tasks.push_back(create_task(send_some(send, 10, scopes[0], traffic)));
                tasks.push_back(create_task(receive_some(receive, scopes[1], traffic)));
                tasks.push_back(create_task(send_some(send, 20, scopes[2], traffic)));
                tasks.push_back(create_task(receive_some(receive, scopes[3], traffic)));
                send.close();
                for (int turn = 0; turn < turns; ++turn) {
                    for (const int choice : {one, two}) {
                        const int victim = choice / 2 % 4;
                        if (choice / 8 == turn) {
                            choice % 2 == 0 ? scopes[victim].cancel()
                                            : static_cast<void>(tasks[victim].cancel());
                        }
                    }
                    co_await sleep(0);
                }
                co_await testing::settle();
                Numbers left = co_await receive_all(receive);
                receive.close();
                const auto ended = co_await as_result(gather(return_exceptions, tasks));
                EXPECT_TRUE(ended.has_value());
                Numbers arrived = traffic.received;
                arrived.insert(arrived.end(), left.begin(), left.end());
                std::sort(arrived.begin(), arrived.end());
                std::sort(traffic.sent.begin(), traffic.sent.end());
                // A sender that waited may have ended after its item was received.
                EXPECT_EQ(arrived, traffic.sent) << capacity << " " << one << " " << two;
            }
        }
    }
}

ASYNC_TEST(MemoryChannel, keeps_the_order_of_what_several_cancelled_receivers_had_been_given) {
    auto [send, receive] = memory_channel<int>(0);
    auto first = create_task(receive.receive());
    auto second = create_task(receive.receive());
    co_await testing::settle();
    send.send_nowait(1);
    send.send_nowait(2);
    first.cancel();
    second.cancel();
    co_await testing::settle();
    EXPECT_EQ(receive.receive_nowait(), 1);
    EXPECT_EQ(receive.receive_nowait(), 2);
}

ASYNC_TEST(MemoryChannel, has_not_ended_while_an_item_may_come_back) {
    auto [send, receive] = memory_channel<int>(0);
    auto first = create_task(receive.receive());
    co_await testing::settle();
    send.send_nowait(1);
    send.close();
    first.cancel();
    const auto next = co_await receive.next();
    EXPECT_EQ(next, 1);
    const auto end = co_await receive.next();
    EXPECT_EQ(end, std::nullopt);
}

TEST(MemoryChannel, keeps_an_item_when_the_loop_is_closed_under_its_receiver) {
    auto ends = memory_channel<int>(0);
    {
        EventLoop loop;
        loop.set_exception_handler([](EventLoop&, const ExceptionContext&) {});
        const auto receive = [&]() -> Coroutine<> { co_await ends.receive.next(); };
        loop.create_task(receive());
        loop.create_task(receive());
        loop.call_later(0, [&] {
            ends.send.send_nowait(1);
            loop.stop();
        });
        loop.run_forever();
    }
    EXPECT_EQ(ends.receive.statistics().tasks_waiting_receive, 0U);
    EXPECT_EQ(ends.receive.statistics().current_buffer_used, 1U);
    EXPECT_EQ(ends.receive.receive_nowait(), 1);
}

}  // namespace

}  // namespace asyncio
