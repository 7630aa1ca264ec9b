// cancellation_generators_test.cpp - generators, whoever is cancelled at whatever step.
//
// SPDX-License-Identifier: MIT
#include "support/cancellations.hpp"

#include <asyncio/generators.hpp>
#include <asyncio/result.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/with.hpp>

#include <exception>

namespace asyncio {

using testing::CancelScenario;
using testing::Counted;
using testing::expect_withstands_cancellations;

namespace {

using namespace std::chrono_literals;

AsyncGenerator<int> count_slowly(int& alive, int& cleaned, int to) {
    const Counted counted(alive);
    std::exception_ptr error;
    try {
        for (int number = 0; number < to; ++number) {
            const Duration delay = number % 2 == 0 ? Duration(0) : Duration(1h);
            co_await sleep(delay);
            co_yield number;
        }
    } catch (...) {
        error = std::current_exception();
    }
    ++cleaned;
    const auto slept = co_await as_result(sleep(0));  // what a `finally` awaits
    slept.get();
    if (error != nullptr) {
        std::rethrow_exception(error);
    }
}

class Generators final : public CancelScenario {
public:
    void begin() override {
        spawn("to the end", iterate(*this, 100));
        spawn("to the second", iterate(*this, 2));
        spawn("by hand", by_hand(*this));
    }
    Coroutine<> probe() override {
        expect(alive_ == 0, "a generator is left");
        expect(cleaned_ == begun_, "a generator was not closed");
        co_return;
    }

private:
    static Coroutine<> iterate(Generators& self, int most) {
        co_await sleep(0);
        auto generator = count_slowly(self.alive_, self.cleaned_, 3);
        const auto body = [&](AsyncGenerator<int>& numbers) -> Coroutine<> {
            for (int expected = 0; expected < most; ++expected) {
                self.begun_ += expected == 0 ? 1 : 0;
                const auto number = co_await numbers.next();
                if (!number.has_value()) {
                    break;
                }
                self.expect(*number == expected, "a number is missing");
            }
        };
        co_await with(aclosing(generator), body);
    }
    static Coroutine<> by_hand(Generators& self) {
        auto generator = count_slowly(self.alive_, self.cleaned_, 2);
        ++self.begun_;
        const auto first = co_await as_result(generator.next());
        const auto closed = co_await as_result(generator.aclose());
        static_cast<void>(first.get());
        closed.get();
    }

    int alive_ = 0;
    int begun_ = 0;
    int cleaned_ = 0;
};

TEST(CancellationOfEverybody, leaves_generators_in_order) {
    expect_withstands_cancellations<Generators>();
}

}  // namespace

}  // namespace asyncio
