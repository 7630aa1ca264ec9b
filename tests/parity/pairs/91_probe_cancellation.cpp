// SPDX-License-Identifier: MIT
#include "pair.hpp"

/// What it raises, as text.
template <class A>
Coroutine<std::string> ended(A awaitable) {
    auto result = co_await as_result(std::move(awaitable));
    co_return describe(result.error());
}

Coroutine<> fail(int turns = 0) {
    for (int turn = 0; turn < turns; ++turn) {
        co_await sleep(0);
    }
    throw std::invalid_argument("x");
}

Coroutine<> cancel_before_start() {
    auto body = []() -> Coroutine<> {
        print("cancel_before_start", "body ran");
        co_return;
    };
    auto task = create_task(body);
    task.cancel();
    std::string end = co_await ended(task);
    print("cancel_before_start", end, task.cancelled());
}

Coroutine<> cancel_loses_result() {
    auto future = loop().create_future<std::string>();
    auto body = [&]() -> Coroutine<> {
        std::string value = co_await future;
        print("cancel_loses_result", "got", value);
    };
    auto task = create_task(body);
    co_await sleep(0);
    future.set_result("value");
    task.cancel();
    std::string end = co_await ended(task);
    print("cancel_loses_result", end);
}

Coroutine<> cancel_swallowed_then_return() {
    auto body = []() -> Coroutine<int> {
        auto slept = co_await as_result(sleep(9));
        co_return 5;
    };
    auto task = create_task(body);
    co_await sleep(0);
    task.cancel();
    int value = co_await task;
    print("cancel_swallowed_then_return", value, task.cancelled(), task.cancelling());
}

Coroutine<> cancel_self_then_return() {
    auto body = []() -> Coroutine<int> {
        current_task().cancel();
        co_return 7;
    };
    auto task = create_task(body);
    std::string end = co_await ended(task);
    print("cancel_self_then_return", end, task.cancelled());
}

Coroutine<> double_cancel_count() {
    auto body = []() -> Coroutine<int> {
        int count = 0;
        for (int i = 0; i < 2; ++i) {
            auto slept = co_await as_result(sleep(0.005));
            count += slept.cancelled() ? 1 : 0;
        }
        co_return count;
    };
    auto task = create_task(body);
    co_await sleep(0);
    task.cancel();
    task.cancel();
    int cancelling = task.cancelling();
    int count = co_await task;
    print("double_cancel_count", cancelling, count);
}

Coroutine<> uncancel_clears_must_cancel() {
    auto body = []() -> Coroutine<std::string> {
        auto task = current_task();
        task.cancel();
        task.uncancel();
        co_await sleep(0);
        co_return "survived";
    };
    std::string value = co_await create_task(body);
    print("uncancel_clears_must_cancel", value);
}

Coroutine<> gather_first_exc() {
    auto slow = []() -> Coroutine<> {
        co_await sleep(0.02);
        print("gather_first_exc", "sibling finished");
    };
    std::string end = co_await ended(gather(fail(), slow()));
    print("gather_first_exc", end);
    co_await sleep(0.06);
}

Coroutine<> gather_outer_cancel_retexc() {
    auto outer = []() -> Coroutine<> {
        co_await gather(return_exceptions, sleep(9), sleep(9));
    };
    auto task = create_task(outer);
    co_await sleep(0);
    co_await sleep(0);
    task.cancel();
    std::string end = co_await ended(task);
    print("gather_outer_cancel_retexc", end);
}

Coroutine<> gather_child_cancelled() {
    auto child = create_task(sleep(9));
    auto group = gather(child, sleep(0.01));
    co_await sleep(0);
    child.cancel();
    std::string end = co_await ended(group);
    print("gather_child_cancelled", end, group.cancelled(), current_task().cancelling());
}

Coroutine<> shield_cancel() {
    auto inner = create_task(sleep(0.02, std::string("in")));
    auto outer = [&]() -> Coroutine<> { co_await shield(inner); };
    auto task = create_task(outer);
    co_await sleep(0);
    task.cancel();
    std::string end = co_await ended(task);
    std::string value = co_await inner;
    print("shield_cancel", end, value);
}

// In which words is not shown: those of a shield are of 3.14.
void handler(EventLoop&, const ExceptionContext& context) {
    print("handler:", context.exception);
}

Coroutine<> shield_inner_exc_after_outer_cancel() {
    auto inner = create_task(fail(3));
    auto outer = [&]() -> Coroutine<> { co_await shield(inner); };
    auto task = create_task(outer);
    co_await sleep(0);
    task.cancel();
    std::string end = co_await ended(task);
    print("shield_inner_exc_after_outer_cancel", end);
    co_await sleep(0.02);
    inner = {};
    print("shield_inner_exc_after_outer_cancel", "done");
}

Coroutine<> never_retrieved() {
    auto task = create_task(fail());
    co_await sleep(0.01);
    task = {};
    print("never_retrieved", "deleted");
}

Coroutine<> main_() {
    loop().set_exception_handler(handler);
    co_await cancel_before_start();
    co_await cancel_loses_result();
    co_await cancel_swallowed_then_return();
    co_await cancel_self_then_return();
    co_await double_cancel_count();
    co_await uncancel_clears_must_cancel();
    co_await gather_first_exc();
    co_await gather_outer_cancel_retexc();
    co_await gather_child_cancelled();
    co_await shield_cancel();
    co_await shield_inner_exc_after_outer_cancel();
    co_await never_retrieved();
}

int main() {
    run(main_());
}
