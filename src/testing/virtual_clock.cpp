// virtual_clock.cpp - a proactor around another one, with a clock of its own.
//
// SPDX-License-Identifier: MIT
#include <asyncio/testing/virtual_clock.hpp>

#include <asyncio/detail/config.hpp>
#include <asyncio/events.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace asyncio::testing {

using lowlevel::CallbackList;
using lowlevel::Operation;

// Not zero, so that it is no accident when something works with zero.
static constexpr TimePoint beginning{std::chrono::seconds(1)};

VirtualClock::Count VirtualClock::count(CallbackList& operations) noexcept {
    Count counted;
    for (lowlevel::Callback& operation : operations) {
        ++counted.all;
        counted.on_files += is_on_file(static_cast<Operation&>(operation).opcode) ? 1 : 0;
    }
    return counted;
}

VirtualClock::VirtualClock(std::unique_ptr<Proactor> inner)
    : Proactor(&attempt_inside), inner_(std::move(inner)), now_(beginning) {}

VirtualClock::~VirtualClock() {
    ASYNCIO_ASSERT(outside_work_ == 0);
}

void VirtualClock::poll(CallbackList& pending, CallbackList& ready, TimePoint deadline) {
    const bool may_wait = deadline > now_;
    if (poll_inside(pending, ready, TimePoint::min()) || !may_wait) {
        return;
    }
    if (outside_work_ > 0 || under_way_.on_files > 0 || deadline == TimePoint::max()) {
        poll_inside(pending, ready, TimePoint::max());
        return;
    }
    if (under_way_.all > 0) {
        const Duration patience = (deadline - now_) / 1000;
        const TimePoint until =
            detail::after(inner_->now(), std::clamp(patience, least_patience, most_patience));
        do {  // a signal may end a poll early
            if (poll_inside(pending, ready, until)) {
                return;
            }
        } while (inner_->now() < until);
    }
    now_ = deadline;
}

// True if there is something to do: then the clock must not jump over it.
bool VirtualClock::poll_inside(CallbackList& pending, CallbackList& ready,
                               TimePoint real_deadline) {
    CallbackList finished;
    under_way_ += count(pending);
    inner_->poll(pending, finished, real_deadline);
    under_way_ -= count(finished);
    const bool woken = woken_.exchange(false, std::memory_order_acq_rel);
    const bool found = woken || !finished.empty();
    ready.splice_back(finished);
    return found;
}

void VirtualClock::cancel(Operation& operation, CallbackList& ready) noexcept {
    const bool inside = operation.started;  // and not still in the loop's list
    CallbackList finished;
    inner_->cancel(operation, finished);
    if (inside) {
        under_way_ -= count(finished);
    }
    ready.splice_back(finished);
}

void VirtualClock::abort_all(CallbackList& ready) noexcept {
    CallbackList finished;
    inner_->abort_all(finished);
    under_way_ -= count(finished);
    ready.splice_back(finished);
}

std::int64_t VirtualClock::call(Operation& operation) noexcept {
    return inner_->call(operation);
}

void VirtualClock::wake() noexcept {
    woken_.store(true, std::memory_order_release);
    inner_->wake();
}

int VirtualClock::descriptor() const noexcept {
    return inner_->descriptor();
}

std::uint64_t VirtualClock::random() noexcept {
    return inner_->random();
}

void VirtualClock::outside_work(bool begins) noexcept {
    ASYNCIO_ASSERT(begins || outside_work_ > 0);
    begins ? ++outside_work_ : --outside_work_;
    inner_->outside_work(begins);
}

bool VirtualClock::performs(lowlevel::Opcode on_file) const noexcept {
    return inner_->performs(on_file);
}

std::string_view VirtualClock::name() const noexcept {
    return "virtual_clock";
}

bool VirtualClock::attempt_inside(Proactor& self, Operation& operation) noexcept {
    return static_cast<VirtualClock&>(self).inner_->attempt(operation);
}

void advance(Duration duration) {
    auto* const clock = dynamic_cast<VirtualClock*>(&get_running_loop().proactor());
    if (clock == nullptr) {
        throw RuntimeError("the running loop has no virtual clock");
    }
    clock->now_ = detail::after(clock->now_, duration);
}

static std::unique_ptr<lowlevel::Proactor> make_virtual_clock(std::string_view name) {
    return std::make_unique<VirtualClock>(lowlevel::make_system_proactor(name));
}

void use_virtual_clock() noexcept {
    lowlevel::set_proactor_factory(&make_virtual_clock);
}

void use_real_clock() noexcept {
    lowlevel::set_proactor_factory(nullptr);
}

VirtualClockScope::VirtualClockScope() noexcept
    : before_(lowlevel::set_proactor_factory(&make_virtual_clock)) {}

VirtualClockScope::~VirtualClockScope() {
    lowlevel::set_proactor_factory(before_);
}

}  // namespace asyncio::testing
