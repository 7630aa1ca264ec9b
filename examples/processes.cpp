// processes.cpp - programs as parts of a program: a filter, a conversation, a time limit.
//
// Its Python twin, processes.py, prints the same.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>
#include <cstdio>
#include <string>

using namespace asyncio;
using namespace std::chrono_literals;

Coroutine<int> count_words(std::string text) {  // all at once
    Process process =
        co_await create_subprocess_exec({.stdin_ = PIPE, .stdout_ = PIPE}, "wc", "-w");
    auto [out, err] = co_await process.communicate(text);
    co_return std::stoi(out);
}

Coroutine<> converse() {  // line by line
    Process process =
        co_await create_subprocess_exec({.stdin_ = PIPE, .stdout_ = PIPE}, "sed", "-u", "s/$/!/");
    for (const std::string word : {"ready", "steady", "go"}) {
        process.stdin_().write(word + "\n");
        co_await process.stdin_().drain();
        std::string answer = co_await process.stdout_().readline();
        std::printf("%s", answer.c_str());
    }
    process.stdin_().close();
    int status = co_await process.wait();
    std::printf("status %d\n", status);
}

Coroutine<> give_up() {  // a program that takes too long
    Process process = co_await create_subprocess_exec("sleep", "1000");
    auto waited = co_await as_result(wait_for(process.wait(), 100ms));
    if (!waited.has_value()) {
        process.kill();
        int status = co_await process.wait();
        std::printf("killed: %d\n", status);
    }
}

Coroutine<> amain() {
    auto [a, b] = co_await gather(count_words("to be or not to be"), count_words("that is"));
    std::printf("%d %d\n", a, b);
    co_await converse();
    co_await give_up();
    try {
        co_await create_subprocess_exec("no-such-program");
    } catch (const FileNotFoundError&) {
        std::puts("no such program");
    }
}

int main() {
    run(amain());
}
