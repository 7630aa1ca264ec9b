// SPDX-License-Identifier: MIT
#include "pair.hpp"

void handler(EventLoop&, const ExceptionContext& context) {
    print("handler:", context.message, context.exception);
}

Coroutine<int> fails(std::string why) {
    throw RuntimeError(why);
    co_return 0;
}

Coroutine<int> fails_later(std::string why) {
    co_await sleep(0);
    throw RuntimeError(why);
}

Coroutine<> leaves(int code) {
    throw SystemExit(code);
    co_return;
}

Coroutine<int> instant(int value) {
    co_return value;
}

Coroutine<> main_() {
    loop().set_exception_handler(handler);
    loop().set_task_factory(eager_task_factory);

    auto task = create_task(fails("at once"));
    print(task.done(), task.exception());
    try {
        co_await task;
    } catch (const RuntimeError&) {
        print("main", err());
    }

    try {
        create_task(leaves(3));
    } catch (const SystemExit&) {
        print("out of create_task", err(), bool(current_task()));
    }

    auto gathered = gather(instant(1), fails("first"), fails("second"));
    print("gather", gathered.done(), gathered.exception());
    auto kept = gather(return_exceptions, instant(1), fails("kept"));
    auto [one, error] = kept.result();
    print("gather", kept.done(), "[" + str(*one) + ", " + describe(error.error()) + "]");
    auto two = gather(instant(1), fails_later("later"));
    print("gather", two.done());
    try {
        co_await two;
    } catch (const RuntimeError&) {
        print("main", err());
    }

    auto shielded = shield(instant(5));
    print("shield", true, shielded.done(), shielded.result());
    int six = co_await wait_for(instant(6), 1);
    print(six);
    std::vector<Task<int>> tasks{create_task(instant(7))};
    auto [done, pending] = co_await wait(tasks);
    print(done.size(), pending.size());

    try {
        co_await task_group([](TaskGroup& group) -> Coroutine<> {
            group.create_task(instant(1));
            auto child = group.create_task(fails_later("in the group"));
            print("body", child.done());
            co_await sleep(1);
        });
    } catch (const ExceptionGroup&) {
        print(err());
    }
    try {
        co_await task_group([](TaskGroup& group) -> Coroutine<> {
            auto child = group.create_task(fails("before the body waits"));
            print("body", child.done());
            co_await sleep(1);
            print("not reached");
        });
    } catch (const ExceptionGroup&) {
        print(err());
    }
    print(current_task().cancelling());
}

int main() {
    run(main_());
}
