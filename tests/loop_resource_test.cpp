// loop_resource_test.cpp - what is open as long as its loop is, and how it ends.
//
// SPDX-License-Identifier: MIT
#include "support/observe.hpp"

#include <asyncio/lowlevel/loop_resource.hpp>
#include <asyncio/lowlevel/operation.hpp>
#include <asyncio/tasks.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

namespace asyncio {

using testing::Reports;
using testing::Trace;

namespace {

class Named final : public lowlevel::LoopResource {
public:
    Named(std::string name, Trace& trace) : name_(std::move(name)), trace_(trace) {}
    void loop_closing() noexcept override { trace_.push_back(name_); }

private:
    std::string name_;
    Trace& trace_;
};

struct OnExit {
    OnExit(Trace& to, std::string text) : trace(&to), what(std::move(text)) {}
    OnExit(OnExit&& other) noexcept
        : trace(std::exchange(other.trace, nullptr)), what(std::move(other.what)) {}
    OnExit& operator=(OnExit&&) = delete;
    ~OnExit() {
        if (trace != nullptr) {
            trace->push_back(what);
        }
    }

    Trace* trace;
    std::string what;
};

Coroutine<> wait_for_ever(Trace& trace) {
    const OnExit exit(trace, "frame");
    co_await sleep(1000);
}

TEST(LoopResource, is_told_once_in_order_before_tasks_are_destroyed) {
    Trace trace;
    Named first("first", trace);
    Named second("second", trace);
    EventLoop loop;
    const Reports reports(loop);
    loop.resources().push_back(first);
    loop.resources().push_back(second);
    loop.create_task(wait_for_ever(trace));
    loop.run_until_complete(sleep(0));
    loop.call_soon([exit = OnExit(trace, "handle")] {});

    loop.close();
    loop.close();

    EXPECT_EQ(trace, (Trace{"handle", "first", "second", "frame"}));
    EXPECT_TRUE(loop.resources().empty());
}

TEST(LoopResource, that_is_destroyed_before_is_not_told) {
    Trace trace;
    EventLoop loop;
    Named first("first", trace);
    Named last("last", trace);
    loop.resources().push_back(first);
    {
        Named gone("gone", trace);
        loop.resources().push_back(gone);
    }
    loop.resources().push_back(last);

    loop.close();

    EXPECT_EQ(trace, (Trace{"first", "last"}));
}

/// Waits for a descriptor of its own, and owns itself.
class Watcher final : public lowlevel::LoopResource, private lowlevel::Operation {
public:
    Watcher(EventLoop& loop, int watched, Trace& trace)
        : Operation(&on_input, lowlevel::Opcode::poll_in, watched), loop_(loop), trace_(trace) {
        loop.resources().push_back(*this);
        loop.start(*this);
    }

    void loop_closing() noexcept override {
        trace_.push_back(completed && result == -ECANCELED ? "aborted" : "not started");
        if (linked_as_callback()) {
            static_cast<lowlevel::Callback&>(*this).unlink();
        }
        Operation close(&on_input, lowlevel::Opcode::close, fd);
        trace_.push_back(loop_.call(close) == 0 ? "closed" : "not closed");
        delete this;
    }

private:
    ~Watcher() = default;
    [[nodiscard]] bool linked_as_callback() const noexcept {
        return static_cast<const lowlevel::Callback&>(*this).linked();
    }
    static void on_input(lowlevel::Callback& callback) {
        static_cast<Watcher&>(static_cast<Operation&>(callback)).trace_.push_back("ran");
    }

    EventLoop& loop_;
    Trace& trace_;
};

TEST(LoopResource, finds_its_operations_aborted_and_closes_its_descriptor) {
    for (const bool started : {false, true}) {
        int fds[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        Trace trace;
        EventLoop loop;
        new Watcher(loop, fds[0], trace);
        if (started) {
            loop.run_until_complete(sleep(0.001));
        }

        loop.close();

        EXPECT_EQ(trace, (Trace{started ? "aborted" : "not started", "closed"}));
        char byte = 0;
        EXPECT_EQ(::recv(fds[1], &byte, 1, 0), 0);  // the other end was closed
        ::close(fds[1]);
    }
}

}  // namespace

}  // namespace asyncio
