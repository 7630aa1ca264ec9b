// SPDX-License-Identifier: MIT
#include "pair.hpp"

void handler(EventLoop&, const ExceptionContext& context) {
    print("handler:", context.message, context.exception, bool(context.task));
}

Coroutine<> leftover(std::string name, double clean, bool fail = false) {
    auto slept = co_await as_result(sleep(10));
    print(name, slept.error());
    co_await sleep(clean);
    print(name, "cleaned up");
    if (fail) {
        throw RuntimeError(name);
    }
    slept.get();
}

Coroutine<> swallows() {
    try {
        co_await sleep(10);
    } catch (const CancelledError&) {
        print("swallowed");
    }
    co_await sleep(0);
    print("and went on");
}

Coroutine<> never_started() {
    print("never");
    co_return;
}

Coroutine<std::string> returns() {
    create_task(leftover("slow", 0.02));
    co_await sleep(0);
    print("main returns");
    co_return "value";
}

Coroutine<> raises() {
    loop().set_exception_handler(handler);
    create_task(leftover("failing", 0.02, true));
    co_await sleep(0);
    throw std::invalid_argument("main");
}

Coroutine<> does_not_wait() {
    create_task(never_started()).add_done_callback([](AnyFuture task) {
        print("not started, cancelled", task.cancelled());
    });
    co_return;
}

Coroutine<> leaves_a_swallower() {
    create_task(swallows());
    co_await sleep(0);
}

Coroutine<> leaves_callbacks() {
    loop().call_soon([] { print("a callback that is ready still runs"); });
    loop().call_later(10, [] { print("never"); });
    co_return;
}

int main() {
    print(run(returns()));
    try {
        run(raises());
    } catch (const std::invalid_argument&) {
        print(err());
    }
    run(does_not_wait());
    run(leaves_a_swallower());
    run(leaves_callbacks());
}
