// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<std::string> work(std::string name, double delay, bool fails = false) {
    try {
        co_await sleep(delay);
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

template <class A>
Coroutine<> report(std::string what, A awaitable) {
    auto result = co_await as_result(std::move(awaitable));
    if (!result.has_value()) {
        print(what, result.error());
    } else if constexpr (std::is_same_v<std::decay_t<decltype(*result)>, std::string>) {
        print(what, "gave", *result);
    }
}

Coroutine<std::string> shielded(Task<std::string> task) {
    std::string result = co_await shield(task);
    co_return result;
}

Coroutine<std::string> in_group(Task<std::string> task, bool fails) {
    auto body = [&](TaskGroup& group) {
        group.create_task(shielded(task));
        if (fails) {
            group.create_task(work("sibling", .01, true));
        }
    };
    co_await task_group(body);
    co_return "group";
}

Coroutine<std::string> insists(Task<std::string> task) {
    while (true) {
        auto result = co_await as_result(shield(task));
        if (result.has_value()) {
            co_return *result;
        }
        print("insists", result.error(), current_task().cancelling());
        if (task.done()) {
            result.get();
        }
    }
}

Coroutine<> main_() {
    loop().set_exception_handler([](EventLoop&, const ExceptionContext& context) {
        print("handler:", context.exception);
    });

    print("== a shield around a gather");
    auto first = loop().create_future<int>();
    auto second = loop().create_future<int>();
    {
        auto gathered = gather(first, second);
        auto outer = shield(gathered);
        bool asked = outer.cancel("outer");
        print(asked, outer.cancelled(), gathered.done());
        co_await sleep(0);
        first.set_result(1);
        second.set_result(2);
        co_await sleep(0);
        auto [one, two] = gathered.result();
        print(one, two);
    }

    print("== shields in a gather");
    first = loop().create_future<int>();
    second = loop().create_future<int>();
    {
        auto shield_1 = shield(first);
        auto shield_2 = shield(second);
        auto gathered = gather(shield_1, shield_2);
        bool asked = gathered.cancel("all");
        print(asked, gathered.done(), shield_1.cancelled(), shield_2.cancelled());
        co_await sleep(0);
        print(gathered.done(), gathered.cancelled(), first.done(), second.done());
        co_await report("gather", gathered);
        first.set_result(1);
        second.cancel();
        co_await sleep(0);
    }

    print("== one child of a gather is shielded");
    auto task = create_task(work("shielded", .03));
    {
        auto gathered = gather(shield(task), work("other", 10));
        co_await sleep(.01);
        gathered.cancel("all");
        co_await report("gather", gathered);
    }
    bool done = task.done();
    std::string value = co_await task;
    print(done, value);

    print("== in a time limit, and asked again");
    task = create_task(work("slow", .03));
    co_await report("limit", wait_for(shield(task), .01));
    print(task.done(), task.cancelling());
    co_await report("limit", wait_for(shield(task), 10));
    co_await report("no time", wait_for(shield(task), 0));

    print("== in a group that is cancelled");
    task = create_task(work("shielded", .03));
    auto group = create_task(in_group(task, false));
    co_await sleep(.01);
    group.cancel("the group");
    co_await report("group", group);
    done = task.done();
    value = co_await task;
    print(done, value);

    print("== in a group that fails");
    task = create_task(work("shielded", .03));
    co_await report("group", in_group(task, true));
    done = task.done();
    value = co_await task;
    print(done, value);

    print("== who insists");
    task = create_task(work("slow", .03));
    auto waiting = create_task(insists(task));
    co_await sleep(.01);
    waiting.cancel("one");
    co_await sleep(0);
    co_await sleep(0);
    waiting.cancel("two");
    co_await report("insists", waiting);
    print(waiting.cancelled(), waiting.cancelling(), task.cancelling());

    print("== the inner one is cancelled by another");
    task = create_task(work("inner", 10));
    waiting = create_task(insists(task));
    co_await sleep(.01);
    task.cancel("inner");
    co_await report("insists", waiting);
    print(waiting.cancelled(), waiting.cancelling());
}

int main() {
    run(main_());
}
