// SPDX-License-Identifier: MIT
#include "pair.hpp"

/// What it raises, as text.
template <class A>
Coroutine<std::string> ended(A awaitable) {
    auto result = co_await as_result(std::move(awaitable));
    co_return describe(result.error());
}

int cancelling() {
    return current_task().cancelling();
}

Coroutine<int> instant() {
    co_return 1;
}

Coroutine<> fail(int turns = 0) {
    for (int turn = 0; turn < turns; ++turn) {
        co_await sleep(0);
    }
    throw std::invalid_argument("x");
}

Coroutine<> tg_child_error_cancels_body() {
    std::string end = co_await ended(task_group([](TaskGroup& group) -> Coroutine<> {
        group.create_task(fail(1));
        auto slept = co_await as_result(sleep(9));
        print("tg_child_error_cancels_body", "body saw", cancelling());
        slept.get();
    }));
    print("tg_child_error_cancels_body", end, cancelling());
}

Coroutine<> tg_body_error() {
    std::string end = co_await ended(task_group([](TaskGroup& group) {
        group.create_task(sleep(9));
        throw std::out_of_range("b");
    }));
    print("tg_body_error", end);
}

Coroutine<> tg_parent_cancel_and_child_error() {
    auto child = []() -> Coroutine<> {
        auto slept = co_await as_result(sleep(9));
        throw std::invalid_argument("c");
    };
    auto body = [&](TaskGroup& group) -> Coroutine<> {
        group.create_task(child());
        co_await sleep(9);
    };
    auto task = create_task(task_group(body));
    co_await sleep(0);
    co_await sleep(0);
    task.cancel();
    std::string end = co_await ended(task);
    print("tg_parent_cancel_and_child_error", end, task.cancelling());
}

Coroutine<> tg_create_after_abort() {
    std::string end = co_await ended(task_group([](TaskGroup& group) -> Coroutine<> {
        group.create_task(fail());
        auto slept = co_await as_result(sleep(9));
        try {
            group.create_task(instant());
        } catch (const RuntimeError& error) {
            std::string text = error.what();
            print("tg_create_after_abort", text.substr(text.size() - 20));
        }
        slept.get();
    }));
    print("tg_create_after_abort", end);
}

Coroutine<> timeout_basic() {
    Timeout limit = timeout(0.01);
    std::string end = co_await ended(with(limit, [] { return sleep(9); }));
    print("timeout_basic", end, limit.expired(), cancelling());
}

Coroutine<> timeout_nested_outer_first() {
    Timeout outer = timeout(0.01);
    Timeout inner = timeout(5);
    auto body = [&] { return with(inner, [] { return sleep(9); }); };
    try {
        co_await with(outer, body);
    } catch (const TimeoutError&) {
        print("timeout_nested_outer_first", outer.expired(), inner.expired());
    }
}

Coroutine<> timeout_both_expired() {
    // Both have passed when they are entered: neither needs a busy loop, as the original has it.
    const TimePoint past = loop().time() - 1s;
    Timeout outer = timeout_at(past);
    Timeout inner = timeout_at(past);
    auto body = [&]() -> Coroutine<> {
        try {
            co_await with(inner, [] { return sleep(9); });
        } catch (const TimeoutError&) {
            print("timeout_both_expired", "inner TimeoutError");
        } catch (const CancelledError&) {
            print("timeout_both_expired", "inner CancelledError");
            throw;
        }
    };
    try {
        co_await with(outer, body);
    } catch (const TimeoutError&) {
        print("timeout_both_expired", "outer TimeoutError", outer.expired(), inner.expired(),
              cancelling());
    }
}

Coroutine<> timeout_zero_immediate() {
    int steps = 0;
    auto body = [&]() -> Coroutine<> {
        ++steps;
        co_await sleep(0);
        ++steps;
        co_await sleep(0);
        ++steps;
    };
    try {
        co_await timeout(0, body);
    } catch (const TimeoutError&) {
        print("timeout_zero_immediate", steps);
    }
}

Coroutine<> wait_for_done_future_zero() {
    auto future = loop().create_future<int>();
    future.set_result(3);
    int value = co_await wait_for(future, 0);
    print("wait_for_done_future_zero", value);
}

Coroutine<> wait_for_timeout_child_returns() {
    auto body = []() -> Coroutine<std::string> {
        auto slept = co_await as_result(sleep(9));
        co_return "rescued";
    };
    auto task = create_task(body);
    std::string value = co_await wait_for(task, 0.01);
    print("wait_for_timeout_child_returns", value);
}

Coroutine<> main_() {
    co_await tg_child_error_cancels_body();
    co_await tg_body_error();
    co_await tg_parent_cancel_and_child_error();
    co_await tg_create_after_abort();
    co_await timeout_basic();
    co_await timeout_nested_outer_first();
    co_await timeout_both_expired();
    co_await timeout_zero_immediate();
    co_await wait_for_done_future_zero();
    co_await wait_for_timeout_child_returns();
}

int main() {
    run(main_());
}
