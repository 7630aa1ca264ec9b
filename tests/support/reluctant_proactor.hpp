// reluctant_proactor.hpp - ReluctantProactor: whatever is asked of it, "not now" is its answer most
// of the time.
//
// What hostile_system.hpp does to system calls, done to operations, so that it is the same on every
// proactor: attempts fail, and what is started reaches the proactor some polls later. The order is
// kept.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/lowlevel/proactor.hpp>

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

namespace asyncio::testing {

class ReluctantProactor final : public lowlevel::Proactor {
public:
    /// Per cent of the times that it does as it is asked.
    ReluctantProactor(std::unique_ptr<Proactor> inner, unsigned willing, std::uint64_t seed)
        : Proactor(&attempt_inside), inner_(std::move(inner)), willing_(willing), random_(seed) {}

    void poll(lowlevel::CallbackList& pending, lowlevel::CallbackList& ready,
              TimePoint deadline) override {
        held_.splice_back(pending);
        lowlevel::CallbackList passed;
        while (!held_.empty() && agrees()) {
            passed.push_back(held_.pop_front());
        }
        const bool waits = held_.empty() && finished_.empty();
        ready.splice_back(finished_);
        inner_->poll(passed, ready, waits ? deadline : TimePoint::min());
    }
    // All lists are alike: the one that is held back is taken out of its own.
    void cancel(lowlevel::Operation& operation, lowlevel::CallbackList& ready) noexcept override {
        inner_->cancel(operation, ready);
    }
    void abort_all(lowlevel::CallbackList& ready) noexcept override {
        while (!held_.empty()) {
            inner_->cancel(static_cast<lowlevel::Operation&>(held_.front()), ready);
        }
        ready.splice_back(finished_);
        inner_->abort_all(ready);
    }
    // What is held back on a descriptor is not for the next of its number.
    std::int64_t call(lowlevel::Operation& operation) noexcept override {
        if (operation.opcode == lowlevel::Opcode::close ||
            operation.opcode == lowlevel::Opcode::forget) {
            inner_->poll(held_, finished_, TimePoint::min());
            inner_->wake();
        }
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
    [[nodiscard]] std::string_view name() const noexcept override { return "reluctant"; }

private:
    static bool attempt_inside(Proactor& self, lowlevel::Operation& operation) noexcept {
        auto& proactor = static_cast<ReluctantProactor&>(self);
        // Nothing overtakes what is held back.
        return proactor.held_.empty() && proactor.agrees() && proactor.inner_->attempt(operation);
    }
    bool agrees() noexcept {
        random_ ^= random_ << 13;
        random_ ^= random_ >> 7;
        random_ ^= random_ << 17;
        return random_ % 100 < willing_;
    }

    std::unique_ptr<Proactor> inner_;
    lowlevel::CallbackList held_;
    lowlevel::CallbackList finished_;
    unsigned willing_;
    std::uint64_t random_;
};

/// Loops are made with one while it exists.
class ReluctantProactorScope {
public:
    explicit ReluctantProactorScope(std::uint64_t seed_of_all)
        : before_(lowlevel::set_proactor_factory(&make)) {
        seed = seed_of_all;
    }
    ReluctantProactorScope(const ReluctantProactorScope&) = delete;
    ReluctantProactorScope& operator=(const ReluctantProactorScope&) = delete;
    ~ReluctantProactorScope() { lowlevel::set_proactor_factory(before_); }

private:
    static std::unique_ptr<lowlevel::Proactor> make(std::string_view name) {
        return std::make_unique<ReluctantProactor>(lowlevel::make_system_proactor(name), 30, seed);
    }

    static inline std::uint64_t seed = 1;
    lowlevel::ProactorFactory before_;
};

}  // namespace asyncio::testing
