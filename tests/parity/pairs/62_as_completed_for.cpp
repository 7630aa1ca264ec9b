// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<std::string> work(std::string name, double delay) {
    co_await sleep(delay);
    if (name.starts_with("bad")) {
        throw RuntimeError(name);
    }
    co_return name;
}

template <class A>
Coroutine<> report(std::string name, A awaitable) {
    auto result = co_await as_result(std::move(awaitable));
    if (result.has_value()) {
        print(name, "got", *result);
    } else {
        print(name, result.error());
    }
}

Coroutine<> main_() {
    print("== in the order of completion");
    for (auto next_one : as_completed(work("a", .03), work("bad b", .02), work("c", .01))) {
        co_await report("next", std::move(next_one));
    }

    print("== what is given twice counts once");
    auto task = create_task(work("twice", .01));
    for (auto next_one : as_completed(task, task, task)) {
        co_await report("next", std::move(next_one));
    }
    for ([[maybe_unused]] auto next_one : as_completed(std::vector<Task<int>>())) {
        print("not reached");
    }

    print("== futures, done and not");
    auto first = loop().create_future<std::string>();
    first.set_result("done before");
    auto second = loop().create_future<std::string>();
    loop().call_later(.01, [second] { second.cancel("cancelled"); });
    auto third = loop().create_future<std::string>();
    loop().call_later(.02, [third] { third.set_exception(RuntimeError("failed")); });
    for (auto next_one : as_completed(third, second, first)) {
        co_await report("next", std::move(next_one));
    }

    print("== not awaited in order");
    std::vector<AsCompleted<std::string>::Next> items;
    for (auto next_one : as_completed(work("one", .01), work("two", .02), work("three", .03))) {
        items.push_back(std::move(next_one));
    }
    print(items.size());
    co_await report("last", std::move(items[2]));
    co_await report("middle", std::move(items[1]));
    co_await report("first", std::move(items[0]));

    print("== awaited together");
    std::vector<Task<>> reports;
    for (auto next_one : as_completed(work("slow", .03), work("quick", .01), work("medium", .02))) {
        reports.push_back(create_task(report(std::to_string(reports.size()), std::move(next_one))));
    }
    co_await wait(reports);

    print("== out of time");
    auto slow = create_task(work("slow", .05));
    auto also = create_task(work("also slow", .06));
    for (auto next_one : as_completed({.timeout = .03}, slow, also, work("quick", .01))) {
        co_await report("next", std::move(next_one));
    }
    print(slow.done(), also.done(), slow.cancelling());
    auto slow_text = co_await slow;
    auto also_text = co_await also;
    print(slow_text, also_text);

    print("== no time at all");
    for (auto next_one : as_completed({.timeout = 0}, first, work("never seen", 0))) {
        co_await report("next", std::move(next_one));
    }
    co_await sleep(.01);
}

int main() {
    run(main_());
}
