// SPDX-License-Identifier: MIT
#include "pair.hpp"

#include <map>

std::string strip(std::string text) {
    while (!text.empty() && text.back() == '\n') {
        text.pop_back();
    }
    return text;
}

Coroutine<> converse() {
    Process process = co_await create_subprocess_shell(
        {.stdin_ = PIPE, .stdout_ = PIPE, .stderr_ = PIPE},
        "while read x; do echo \"<$x>\"; done; echo end >&2");
    for (const std::string line : {"one", "two", "three"}) {
        process.stdin_().write(line + "\n");
        co_await process.stdin_().drain();
        const std::string answer = co_await process.stdout_().readline();
        print(strip(answer));
    }
    process.stdin_().close();
    co_await process.stdin_().wait_closed();
    const std::string rest = co_await process.stdout_().read();
    const std::string errors = co_await process.stderr_().read();
    print(rest.empty(), strip(errors));
    const int status = co_await process.wait();
    print(status);
}

Coroutine<std::string> shout(std::string text) {
    Process process = co_await create_subprocess_exec({.stdin_ = PIPE, .stdout_ = PIPE}, "tr",
                                                      "a-z", "A-Z");
    ProcessOutput output = co_await process.communicate(text);
    co_return output.stdout_;
}

Coroutine<> amain() {
    co_await converse();
    const auto [a, b, c] = co_await gather(shout("a"), shout("b"), shout("c"));
    print(a, b, c);

    auto [r, w] = open_pipe();
    Process first = co_await create_subprocess_exec({.stdout_ = w.fileno()}, "printf", "b\\na\\n");
    w.close();
    Process second =
        co_await create_subprocess_exec({.stdin_ = r.fileno(), .stdout_ = PIPE}, "sort");
    r.close();
    while (auto line = co_await second.stdout_().next()) {
        print(strip(*line));
    }
    const int first_status = co_await first.wait();
    const int second_status = co_await second.wait();
    print(first_status, second_status);

    const std::map<std::string, std::string> variables{{"A", "1"}};
    Process env = co_await create_subprocess_exec({.stdout_ = PIPE, .env = variables}, "env");
    const ProcessOutput shown = co_await env.communicate();
    print(strip(shown.stdout_));
    Process pwd = co_await create_subprocess_exec({.stdout_ = PIPE, .cwd = "/"}, "pwd");
    const ProcessOutput where = co_await pwd.communicate();
    print(strip(where.stdout_));
}

int main() {
    run(amain());
}
