// tls_cancellations_test.cpp - tasks that use TLS are cancelled each time that the loop asks the
// system what has happened, be it during a handshake, a read, drain(), wait_closed() or
// start_tls().
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/live_allocations.hpp"
#include "support/network.hpp"
#include "support/tls_scenarios.hpp"

#include <asyncio/log.hpp>
#include <asyncio/lowlevel/proactor.hpp>
#include <asyncio/testing/virtual_clock.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace asyncio {

namespace {

using testing::open_descriptors;
using testing::the_client_context;
using testing::the_server_context;

using Scenario = Coroutine<> (*)();

/// Cancels when the loop asks the system for the nth time.
class Strike {
public:
    explicit Strike(int nth) noexcept : left_(nth) { current = this; }
    Strike(const Strike&) = delete;
    Strike& operator=(const Strike&) = delete;
    ~Strike() { current = nullptr; }

    /// At `task`, or at all others.
    void aim(EventLoop& loop, AnyTask task, bool others) {
        loop_ = &loop;
        task_ = std::move(task);
        others_ = others;
    }
    void asked() {
        if (loop_ == nullptr || left_ == 0 || --left_ > 0) {
            return;
        }
        for (AnyTask& each : all_tasks(*loop_)) {
            if ((each == task_) != others_) {
                each.cancel();
            }
        }
    }
    void spare_all() noexcept { loop_ = nullptr; }
    [[nodiscard]] bool has_fallen() const noexcept { return left_ == 0; }

    static inline Strike* current = nullptr;

private:
    int left_;
    EventLoop* loop_ = nullptr;
    AnyTask task_;
    bool others_ = false;
};

/// What has just happened is ready to be told when the Strike falls.
class StrikingProactor final : public lowlevel::Proactor {
public:
    explicit StrikingProactor(std::unique_ptr<Proactor> inner)
        : Proactor(&attempt_inside), inner_(std::move(inner)) {}

    void poll(lowlevel::CallbackList& pending, lowlevel::CallbackList& ready,
              TimePoint deadline) override {
        inner_->poll(pending, ready, deadline);
        if (Strike::current != nullptr) {
            Strike::current->asked();
        }
    }
    void cancel(lowlevel::Operation& operation, lowlevel::CallbackList& ready) noexcept override {
        inner_->cancel(operation, ready);
    }
    void abort_all(lowlevel::CallbackList& ready) noexcept override { inner_->abort_all(ready); }
    std::int64_t call(lowlevel::Operation& operation) noexcept override {
        return inner_->call(operation);
    }
    [[nodiscard]] TimePoint now() const noexcept override { return inner_->now(); }
    void wake() noexcept override { inner_->wake(); }
    [[nodiscard]] int descriptor() const noexcept override { return inner_->descriptor(); }
    [[nodiscard]] std::uint64_t random() noexcept override { return inner_->random(); }
    void outside_work(bool begins) noexcept override { inner_->outside_work(begins); }
    [[nodiscard]] bool performs(lowlevel::Opcode opcode) const noexcept override {
        return inner_->performs(opcode);
    }
    [[nodiscard]] std::string_view name() const noexcept override { return "striking"; }

private:
    static bool attempt_inside(Proactor& self, lowlevel::Operation& operation) noexcept {
        return static_cast<StrikingProactor&>(self).inner_->attempt(operation);
    }

    std::unique_ptr<Proactor> inner_;
};

/// How a run has ended.
struct Outcome {
    bool was_cancelled = false;
    bool was_done = false;  // before it could be cancelled
    std::string complaint;
};

Outcome run_once(Scenario scenario, const char* proactor, int nth, bool others) {
    Outcome outcome;
    Strike strike(nth);
    EventLoop loop(std::make_unique<testing::VirtualClock>(
        std::make_unique<StrikingProactor>(lowlevel::make_system_proactor(proactor))));
    const Task<> task = loop.create_task(scenario());
    strike.aim(loop, task, others);
    try {
        loop.run_until_complete(task);
    } catch (const CancelledError&) {
        outcome.was_cancelled = true;
    } catch (...) {
        if (!others) {
            outcome.complaint = "ended with " + describe(std::current_exception());
        }
    }
    outcome.was_done = !strike.has_fallen();
    strike.spare_all();
    // What it left behind ends by itself.
    loop.run_until_complete(sleep(1000));
    if (!all_tasks(loop).empty()) {
        outcome.complaint = "a task is left";
    }
    loop.close();
    return outcome;
}

/// Until it is done sooner than it can be cancelled, some times in a row: the system's part in it
/// may take longer at one time than at another.
void expect_withstands_cancellations(Scenario scenario, bool others) {
    constexpr int most = 1000;
    static_cast<void>(the_client_context());
    static_cast<void>(the_server_context());
    static_cast<void>(testing::live_allocations());
    set_logger([](Level, std::string_view) {});
    for (const char* proactor : testing::proactors) {
        SCOPED_TRACE(std::string("on ") + proactor);
        const std::size_t before = open_descriptors();
        int cancelled = 0;
        int done_in_a_row = 0;
        int nth = 1;
        for (; nth < most && done_in_a_row < 5; ++nth) {
            std::int64_t left = 0;
            for (int time = 0; time < 4; ++time) {
                const std::int64_t allocated = testing::live_allocations();
                {
                    const Outcome outcome = run_once(scenario, proactor, nth, others);
                    cancelled += outcome.was_cancelled ? 1 : 0;
                    done_in_a_row = outcome.was_done ? done_in_a_row + 1 : 0;
                    EXPECT_EQ(outcome.complaint, "") << "cancelled at " << nth;
                }
                left = testing::live_allocations() - allocated;
                if (left <= 0) {
                    break;
                }
            }
            EXPECT_LE(left, 0) << "blocks are left when cancelled at " << nth;
            EXPECT_EQ(open_descriptors(), before) << "cancelled at " << nth;
        }
        EXPECT_LT(nth, most);
        EXPECT_TRUE(cancelled >= 5 || others) << "hardly anything was tried";
    }
    set_logger(nullptr);
}

// ------------------------------------------------------------------------------- the scenarios
// Without time limits and tasks in between: what is cancelled is what waits.

Coroutine<> streams() {
    Server server = co_await testing::serve_streams(&testing::echo_over_tls, &the_server_context());
    const testing::ClosingServer closing(server);
    co_await testing::visit_over_tls(server, 100'000);
}

Coroutine<> streams_upgraded() {
    Server server = co_await testing::serve_streams(&testing::upgrade_and_echo, nullptr);
    const testing::ClosingServer closing(server);
    co_await testing::upgrade_and_visit(server);
}

Coroutine<> protocols() {
    Server server = co_await testing::serve_protocols();
    const testing::ClosingServer closing(server);
    co_await testing::visit_by_protocol(server);
}

Coroutine<> linger(StreamReader, StreamWriter writer) {
    writer.write(std::string(700'000, 'x'));
    co_await writer.drain();
}

// Nobody reads: drain() and wait_closed() wait.
Coroutine<> unread_streams() {
    Server server = co_await testing::serve_streams(&linger, &the_server_context());
    const testing::ClosingServer closing(server);
    auto [reader, writer] = co_await testing::open_streams(server, &the_client_context());
    writer.write(std::string(1'500'000, 'y'));
    const Result<void> drained = co_await as_result(wait_for(writer.drain(), 20));
    if (drained.cancelled()) {
        std::rethrow_exception(drained.error());
    }
    writer.close();
    const Result<void> closed = co_await as_result(writer.wait_closed());
    if (closed.cancelled()) {
        std::rethrow_exception(closed.error());
    }
}

TEST(TLSCancellation, leaves_nothing_of_streams) {
    expect_withstands_cancellations(&streams, false);
}
TEST(TLSCancellation, of_those_who_serve_leaves_nothing_of_streams) {
    expect_withstands_cancellations(&streams, true);
}
TEST(TLSCancellation, leaves_nothing_of_streams_whose_tls_began_later) {
    expect_withstands_cancellations(&streams_upgraded, false);
}
TEST(TLSCancellation, of_those_who_serve_leaves_nothing_of_streams_whose_tls_began_later) {
    expect_withstands_cancellations(&streams_upgraded, true);
}
TEST(TLSCancellation, leaves_nothing_of_protocols) {
    expect_withstands_cancellations(&protocols, false);
}
TEST(TLSCancellation, leaves_nothing_of_streams_that_nobody_reads) {
    testing::over = testing::Over::unix_socket;  // keeps less
    expect_withstands_cancellations(&unread_streams, false);
    testing::over = testing::Over::tcp;
}

}  // namespace

}  // namespace asyncio
