// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<> waiter(Condition& condition, std::string name) {
    co_await with(condition, [&]() -> Coroutine<> {
        print(name, "waits");
        auto result = co_await as_result(condition.wait());
        if (result.cancelled()) {
            const std::string text = describe(result.error());  // CancelledError('...')
            const std::string message = text.substr(14);
            print(name, "cancelled", message == "()" ? message : "(" + message.substr(1, message.size() - 2) + ",)",
                  condition.locked());
        } else {
            print(name, "notified", condition.locked());
        }
        result.get();
    });
    print(name, "out");
}

Coroutine<> settle(std::vector<Task<>>& tasks) {
    auto results = co_await gather(return_exceptions, tasks);
    std::string text;
    for (const auto& result : results) {
        const std::string name = describe(result.error());
        text += (text.empty() ? "['" : ", '") + (result ? "NoneType" : name.substr(0, name.find('('))) + "'";
    }
    print(text + "]");
}

std::string done(const std::vector<Task<>>& tasks) {
    std::string text;
    for (const auto& task : tasks) {
        text += (text.empty() ? "[" : ", ") + str(task.done());
    }
    return text + "]";
}

std::string list(const std::vector<int>& values) {
    std::string text;
    for (int value : values) {
        text += (text.empty() ? "" : ", ") + str(value);
    }
    return "[" + text + "]";
}

Coroutine<> cancelled_while_it_waits() {
    Condition condition;
    std::vector<Task<>> tasks;
    tasks.push_back(create_task(waiter(condition, "a")));
    tasks.push_back(create_task(waiter(condition, "b")));
    co_await sleep(0);
    co_await condition.acquire();
    tasks[0].cancel("first");
    co_await sleep(0.01);
    print("needs the lock", tasks[0].done());
    tasks[0].cancel("second");
    co_await sleep(0.01);
    print("still", tasks[0].done(), tasks[0].cancelling());
    condition.notify();
    condition.release();
    co_await settle(tasks);
}

Coroutine<> cancelled_after_it_was_notified() {
    Condition condition;
    std::vector<Task<>> tasks;
    for (const char* name : {"a", "b", "c"}) {
        tasks.push_back(create_task(waiter(condition, name)));
    }
    co_await sleep(0);
    co_await with(condition, [&] {
        condition.notify();
        tasks[0].cancel();
    });
    co_await sleep(0.01);
    print(done(tasks));
    co_await with(condition, [&] { condition.notify_all(); });
    co_await settle(tasks);
}

Coroutine<> predicate(Condition& condition, std::vector<int>& values, std::string name) {
    co_await with(condition, [&]() -> Coroutine<> {
        int got = 0;
        auto take = [&] {
            if (values.empty()) {
                return false;
            }
            got = values.front();
            values.erase(values.begin());
            return got != 0;
        };
        co_await condition.wait_for(take);
        print(name, "gets", got);
    });
}

Coroutine<> waits_for() {
    Condition condition;
    std::vector<int> values;
    std::vector<Task<>> tasks;
    tasks.push_back(create_task(predicate(condition, values, "a")));
    tasks.push_back(create_task(predicate(condition, values, "b")));
    co_await sleep(0);
    for (int value : {0, 7, 8}) {
        co_await with(condition, [&] {
            values.push_back(value);
            condition.notify_all();
        });
        co_await sleep(0.01);
        print("left", list(values), done(tasks));
    }
}

Coroutine<> misuse() {
    Condition condition;
    try {
        condition.notify();
    } catch (const RuntimeError& error) {
        print(error.what());
    }
    try {
        condition.notify_all();
    } catch (const RuntimeError& error) {
        print(error.what());
    }
    try {
        condition.release();
    } catch (const RuntimeError& error) {
        print(error.what());
    }
    try {
        co_await condition.wait();
    } catch (const RuntimeError& error) {
        print(error.what());
    }
    Lock lock;
    Condition one(lock);
    Condition other(lock);
    co_await with(one, [&] {
        print("shared", other.locked());
        other.notify();
    });
}

Coroutine<> main_() {
    print("-- cancelled_while_it_waits");
    co_await cancelled_while_it_waits();
    print("-- cancelled_after_it_was_notified");
    co_await cancelled_after_it_was_notified();
    print("-- waits_for");
    co_await waits_for();
    print("-- misuse");
    co_await misuse();
}

int main() {
    run(main_());
}
