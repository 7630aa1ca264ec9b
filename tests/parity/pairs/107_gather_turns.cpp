// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<> turns(int count) {
    for (int turn = 0; turn < count; ++turn) {
        print("- turn", turn);
        co_await sleep(0);
    }
}

Coroutine<std::string> after(std::string name, int count, bool fails = false) {
    try {
        for (int turn = 0; turn < count; ++turn) {
            co_await sleep(0);
        }
    } catch (const CancelledError&) {
        print(name, err());
        throw;
    }
    print(name, "ends");
    if (fails) {
        throw RuntimeError(name);
    }
    co_return name;
}

std::string outcome(const AnyFuture& future) {
    try {
        future.result();
    } catch (...) {
        return err();
    }
    return "a result";
}

template <class F>
F watch(std::string what, F future) {
    print(what, "at once:", future.done());
    future.add_done_callback(
        [what](const AnyFuture& done) { print(what, "is done", done.cancelled()); });
    return future;
}

Coroutine<> main_() {
    loop().set_exception_handler([](EventLoop&, const ExceptionContext& context) {
        print("handler:", context.message, context.exception);
    });
    auto ready = loop().create_future<std::string>();
    ready.set_result("ready");
    auto failed = loop().create_future<std::string>();
    failed.set_exception(RuntimeError("failed"));
    auto cancelled = loop().create_future<std::string>();
    cancelled.cancel("cancelled");

    print("== of coroutines");
    auto gathered = watch("gather", gather(after("a", 1), after("b", 0)));
    co_await turns(5);
    print(std::get<0>(gathered.result()), std::get<1>(gathered.result()));

    print("== of what is done");
    gathered = watch("gather", gather(ready, ready));
    print(std::get<0>(gathered.result()), std::get<1>(gathered.result()));
    co_await turns(1);
    gathered = watch("gather", gather(ready, after("c", 0)));
    co_await turns(3);
    print(std::get<0>(gathered.result()), std::get<1>(gathered.result()));

    print("== of what has failed, or was cancelled");
    print(outcome(watch("failed", gather(ready, failed, after("d", 1)))));
    co_await turns(4);
    print(outcome(watch("cancelled", gather(cancelled, failed))));
    co_await turns(1);
    {
        auto all = watch("all", gather(return_exceptions, cancelled, failed, ready));
        auto [one, two, three] = all.result();
        print(one.error(), two.error(), *three);
    }
    co_await turns(1);

    print("== of gathers");
    {
        auto left = watch("left", gather(after("e", 0), after("f", 1)));
        auto right = watch("right", gather(ready));
        auto outer = watch("outer", gather(left, right));
        co_await turns(6);
        auto [of_left, of_right] = outer.result();
        print(std::get<0>(of_left), std::get<1>(of_left), std::get<0>(of_right));
    }

    print("== two gathers of the same, one is cancelled");
    auto shared = create_task(after("shared", 3));
    auto one = watch("one", gather(shared, after("own", 5)));
    auto two = watch("two", gather(shared, ready));
    co_await turns(1);
    bool asked = two.cancel("two");
    print(asked, shared.cancelling());
    co_await turns(4);
    std::string of_one = outcome(one);
    print(of_one, outcome(two));
    co_await turns(3);

    print("== cancelled when a child has just ended");
    auto child = loop().create_future<std::string>();
    auto other = create_task(after("other", 3));
    gathered = watch("gather", gather(child, other));
    child.set_result("child");
    asked = gathered.cancel("now");
    print(asked, child.cancelled(), other.cancelling());
    co_await turns(4);
    print(outcome(gathered));

    print("== failed, and another fails later");
    gathered = watch("gather", gather(after("first", 0, true), after("later", 2, true)));
    co_await turns(2);
    std::string error = outcome(gathered);
    print(error, gathered.cancel());
    co_await turns(4);
    gathered = {};
    print("nobody looks");
    {
        auto alone = gather(after("alone", 0, true));
        co_await turns(3);
    }

    print("== cancelled twice with other messages");
    gathered = watch("gather", gather(after("x", 9), after("y", 9)));
    co_await turns(1);
    bool first = gathered.cancel("one");
    print(first, gathered.cancel("two"));
    co_await turns(3);
    error = outcome(gathered);
    print(error, gathered.cancelled());
}

int main() {
    run(main_());
}
