// SPDX-License-Identifier: MIT
#include "pair.hpp"

std::string name_of(const std::exception_ptr& error) {
    const std::string text = describe(error);
    return text.substr(0, text.find('('));
}

Coroutine<> comes(Barrier& barrier, std::string name, int rounds = 1) {
    try {
        for (int i = 0; i < rounds; ++i) {
            const int index = static_cast<int>(co_await barrier.wait());
            print(name, "passes as", index);
        }
    } catch (const BrokenBarrierError& error) {
        print(name, "BrokenBarrierError", error.what());
        throw;
    } catch (const CancelledError&) {
        print(name, "CancelledError");
        throw;
    }
}

void state(const Barrier& barrier) {
    print("parties", static_cast<int>(barrier.parties()), "waiting",
          static_cast<int>(barrier.n_waiting()), "broken", barrier.broken());
}

Coroutine<> settle(std::vector<Task<>>& tasks) {
    auto results = co_await gather(return_exceptions, tasks);
    std::string text;
    for (const auto& result : results) {
        text += (text.empty() ? "['" : ", '") + (result ? "NoneType" : name_of(result.error())) + "'";
    }
    print(text + "]");
}

void add(std::vector<Task<>>& tasks, Barrier& barrier, std::string names, int rounds = 1) {
    for (char name : names) {
        tasks.push_back(create_task(comes(barrier, std::string(1, name), rounds)));
    }
}

Coroutine<> rounds() {
    Barrier barrier(3);
    std::vector<Task<>> tasks;
    add(tasks, barrier, "abc", 2);
    co_await sleep(0);
    state(barrier);
    co_await settle(tasks);
    state(barrier);
}

Coroutine<> more_than_fit() {
    Barrier barrier(2);
    std::vector<Task<>> tasks;
    add(tasks, barrier, "abcde");
    co_await sleep(0.01);
    state(barrier);
    add(tasks, barrier, "f");
    co_await settle(tasks);
}

Coroutine<> one_is_cancelled() {
    Barrier barrier(2);
    std::vector<Task<>> tasks;
    add(tasks, barrier, "a");
    co_await sleep(0);
    tasks[0].cancel();
    co_await sleep(0);
    state(barrier);
    add(tasks, barrier, "bc");
    co_await settle(tasks);
}

Coroutine<> is_reset() {
    Barrier barrier(3);
    std::vector<Task<>> tasks;
    add(tasks, barrier, "ab");
    co_await sleep(0);
    co_await barrier.reset();
    state(barrier);
    add(tasks, barrier, "cde");
    co_await settle(tasks);
    state(barrier);
}

Coroutine<> is_aborted() {
    Barrier barrier(3);
    std::vector<Task<>> tasks;
    add(tasks, barrier, "ab");
    co_await sleep(0);
    co_await barrier.abort();
    state(barrier);
    tasks.push_back(create_task(comes(barrier, "late")));
    co_await settle(tasks);
    co_await barrier.reset();
    state(barrier);
    std::vector<Task<>> next;
    add(next, barrier, "xyz");
    co_await settle(next);
}

Coroutine<> in_a_block(Barrier& barrier, std::string name) {
    auto body = [&](auto position) { print(name, "is in as", static_cast<int>(position)); };
    co_await with(barrier, body);
}

Coroutine<> misuse() {
    try {
        Barrier barrier(0);
    } catch (const std::invalid_argument& error) {
        print(error.what());
    }
    Barrier barrier(2);
    co_await gather(in_a_block(barrier, "a"), in_a_block(barrier, "b"));
}

Coroutine<> main_() {
    print("-- rounds");
    co_await rounds();
    print("-- more_than_fit");
    co_await more_than_fit();
    print("-- one_is_cancelled");
    co_await one_is_cancelled();
    print("-- is_reset");
    co_await is_reset();
    print("-- is_aborted");
    co_await is_aborted();
    print("-- misuse");
    co_await misuse();
}

int main() {
    run(main_());
}
