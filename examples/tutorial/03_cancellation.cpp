// 03_cancellation.cpp - chapter 3 of docs/tutorial: cancellation and cleanup.
//
// Its Python twin, 03_cancellation.py, prints the same.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

#include <cstdio>
#include <exception>
#include <string>
#include <utility>
#include <vector>

using namespace asyncio;
using namespace std::chrono_literals;

const char* word(bool value) {
    return value ? "True" : "False";
}

// [cancel]
Coroutine<> forever() {
    try {
        co_await sleep(1h);
    } catch (const CancelledError& error) {
        std::printf("cancelled: %s\n", error.what());
        throw;
    }
}

Coroutine<> cancel() {
    auto task = create_task(forever());
    co_await sleep(10ms);
    task.cancel("enough");  // asks; the task is not done yet
    std::printf("done: %s\n", word(task.done()));
    try {
        co_await task;
    } catch (const CancelledError&) {
        std::printf("done: %s cancelled: %s\n", word(task.done()), word(task.cancelled()));
    }
}
// [/cancel]

// [finally]
Coroutine<std::string> fetch() {
    co_await sleep(1h);
    co_return "data";
}

Coroutine<std::string> use_connection() {
    std::puts("connected");
    auto result = co_await as_result(fetch());  // try:
    co_await sleep(10ms);                       // finally: saying goodbye takes a while
    std::puts("disconnected");
    co_return std::move(result).get();  // the value; or the exception goes on
}

Coroutine<> cleanup() {
    auto task = create_task(use_connection());
    co_await sleep(10ms);
    task.cancel();
    auto result = co_await as_result(task);
    std::printf("cancelled: %s\n", word(result.cancelled()));
}
// [/finally]

// [destructor]
class Logged {
public:
    explicit Logged(std::string name) : name_(std::move(name)) {
        std::printf("opened %s\n", name_.c_str());
    }
    Logged(const Logged&) = delete;
    Logged& operator=(const Logged&) = delete;
    ~Logged() { std::printf("closed %s\n", name_.c_str()); }

private:
    std::string name_;
};

Coroutine<> hold(std::string name) {
    Logged logged(name);
    co_await sleep(1h);
}

Coroutine<> scopes() {
    auto held = create_task(hold("file"));
    co_await sleep(10ms);
    auto never_begun = create_task(hold("nothing"));
    held.cancel();
    never_begun.cancel();
    std::vector<Task<>> tasks{held, never_begun};
    co_await wait(tasks);
}
// [/destructor]

// [shield]
Coroutine<> save() {
    co_await sleep(20ms);
    std::puts("saved");
}

Coroutine<> impatient(Task<> saving) {
    co_await shield(saving);
}

Coroutine<> shielded() {
    auto saving = create_task(save());
    auto task = create_task(impatient(saving));
    co_await sleep(10ms);
    task.cancel();
    std::vector<Task<>> tasks{task};
    co_await wait(tasks);
    std::printf("cancelled: %s saving: %s\n", word(task.cancelled()), word(!saving.done()));
    co_await saving;
}
// [/shield]

// [exception]
Coroutine<> robust() {
    for (int attempt = 1; attempt < 3; ++attempt) {
        try {
            co_await sleep(10ms);
            if (attempt == 1) {
                throw RuntimeError("try again");
            }
            co_await sleep(1h);
        } catch (const std::exception& error) {  // not a CancelledError
            std::printf("attempt %d: %s\n", attempt, error.what());
        }
    }
}

Coroutine<> handlers() {
    auto task = create_task(robust());
    co_await sleep(30ms);
    task.cancel();
    std::vector<Task<>> tasks{task};
    co_await wait(tasks);
    std::printf("cancelled: %s\n", word(task.cancelled()));
}
// [/exception]

Coroutine<> amain() {
    std::puts("-- cancel");
    co_await cancel();
    std::puts("-- cleanup");
    co_await cleanup();
    std::puts("-- scopes");
    co_await scopes();
    std::puts("-- shielded");
    co_await shielded();
    std::puts("-- handlers");
    co_await handlers();
}

int main() {
    run(amain());
}
