// 07_contextvars.cpp - chapter 7 of docs/tutorial: context variables.
//
// Its Python twin, 07_contextvars.py, prints the same.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

#include <cstdio>
#include <string>

using namespace asyncio;
using namespace std::chrono_literals;

// [request]
ContextVar<std::string> user("user", "nobody");

void say(std::string text) {  // need not be told on whose behalf
    std::printf("%s: %s\n", user.get().c_str(), text.c_str());
}

Coroutine<> query() {
    co_await sleep(10ms);
    say("has an answer");
}

Coroutine<> handle(std::string name) {
    user.set(name);  // for this task, and what it calls
    say("asks");
    co_await query();
}

Coroutine<> request() {
    co_await gather(handle("Ann"), handle("Ben"));
    say("goes on");
}
// [/request]

// [inherit]
Coroutine<> take_over() {
    say("takes over");
    user.set("somebody else");
    co_return;
}

Coroutine<> inherit() {
    user.set("Cleo");
    auto task = create_task(take_over());  // gets a copy of what is set now
    user.set("Dora");
    co_await task;
    say("is still Dora");
    co_await take_over();  // no task, no copy
    say("is not Dora any more");
}
// [/inherit]

// [reset]
Coroutine<> reset() {
    auto token = user.set("Eve");
    say("is here");
    user.reset(token);
    say("is back");

    Context context = copy_context();
    context.run([] { user.set("Fay"); });
    std::printf("%s there, %s here\n", context[user].c_str(), user.get().c_str());
    get_running_loop().call_soon({.context = &context}, say, "calls back");
    co_await sleep(0);
}
// [/reset]

Coroutine<> amain() {
    std::puts("-- request");
    co_await create_task(request());
    std::puts("-- inherit");
    co_await create_task(inherit());
    std::puts("-- reset");
    co_await create_task(reset());
}

int main() {
    run(amain());
}
