// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<std::string> attempt(std::string name, double delay, bool error) {
    print("begin", name);
    try {
        co_await sleep(delay);
    } catch (const CancelledError&) {
        print("cancelled", name);
        throw;
    }
    print("end", name);
    if (error) {
        throw RuntimeError(name);
    }
    co_return name;
}

struct Attempt {
    std::string name;
    double delay;
    bool error = false;

    Coroutine<std::string> operator()() const { return attempt(name, delay, error); }
};

Coroutine<> show(std::vector<Attempt> attempts, std::optional<Duration> delay) {
    auto race = co_await staggered_race(std::move(attempts), delay);
    std::string exceptions;
    for (const std::exception_ptr& exception : race.exceptions) {
        const std::string text = describe(exception);
        const char* const quote = text.find('\'') == std::string::npos ? "'" : "\"";
        exceptions += (exceptions.empty() ? "" : ", ") + (quote + text + quote);
    }
    print("winner", race.winner_result.value_or("None"),
          race.winner_index ? std::to_string(*race.winner_index) : "None", "[" + exceptions + "]");
}

Coroutine<> main_() {
    co_await show({}, 0.01);
    std::vector<Attempt> attempts{{"a", 0}, {"b", 0}};
    co_await show(attempts, 0.01);
    attempts = {{"a", 0.01, true}, {"b", 0.01}};
    co_await show(attempts, 1);
    attempts = {{"a", 0.3}, {"b", 0.3}, {"c", 0.01}};
    co_await show(attempts, 0.05);
    attempts = {{"a", 0.3, true}, {"b", 0, true}};
    co_await show(attempts, std::nullopt);
    attempts = {{"a", 0, true}, {"b", 0.2}, {"c", 0}};
    co_await show(attempts, 0.05);

    attempts = {{"a", 1}, {"b", 1}};
    auto task = create_task(staggered_race(attempts, 0.02));
    co_await sleep(0.05);
    task.cancel();
    try {
        co_await task;
    } catch (const CancelledError&) {
        print("cancelled");
    }
    co_await sleep(0.01);
}

int main() {
    run(main_());
}
