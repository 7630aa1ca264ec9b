// SPDX-License-Identifier: MIT
#include "pair.hpp"

#include <csignal>

Coroutine<> attempt(Coroutine<Process> starting) {
    auto started = co_await as_result(std::move(starting));
    if (!started.has_value()) {
        print(describe(started.error()));
        co_return;
    }
    Process process = started.get();
    int status = co_await process.wait();
    print(status);
}

template <class Action>
void attempt_action(Action action) {
    try {
        action();
    } catch (const ProcessLookupError&) {
        print("ProcessLookupError");
    }
}

Coroutine<Process> start_with_null_byte() {
    co_return co_await create_subprocess_exec("true", std::string("a\0b", 3));
}

Coroutine<> amain() {
    co_await attempt(create_subprocess_exec("no-such-program"));
    co_await attempt(create_subprocess_exec("/etc/passwd"));
    co_await attempt(create_subprocess_exec("/etc/passwd/x"));
    co_await attempt(create_subprocess_exec({.cwd = "/no/such/directory"}, "true"));
    co_await attempt(create_subprocess_exec({.stdout_ = 777}, "true"));
    co_await attempt(start_with_null_byte());
    co_await attempt(create_subprocess_exec("true"));

    Process process = co_await create_subprocess_exec("true");
    co_await process.wait();
    for (const int number : {SIGTERM, SIGKILL, SIGHUP}) {
        process = co_await create_subprocess_exec({.stdin_ = PIPE}, "cat");
        print(!process.returncode().has_value());
        process.send_signal(number);
        const int status = co_await process.wait();
        print(status, *process.returncode());
    }

    attempt_action([&] { process.kill(); });
    attempt_action([&] { process.terminate(); });
    attempt_action([&] { process.send_signal(SIGHUP); });

    process = co_await create_subprocess_exec({.stdin_ = PIPE}, "cat");
    auto waiting = create_task(process.wait());
    co_await sleep(0);
    waiting.cancel();
    const auto waited = co_await as_result(waiting);
    print(describe(waited.error()), !process.returncode().has_value());
    process.stdin_().close();
    const int status = co_await process.wait();
    print(status);
}

int main() {
    run(amain());
}
