// SPDX-License-Identifier: MIT
#include "pair.hpp"

std::string strip(std::string text) {
    while (!text.empty() && text.back() == '\n') {
        text.pop_back();
    }
    return text;
}

Coroutine<int> status_of(int i) {
    Process process =
        co_await create_subprocess_shell({.stdout_ = PIPE}, "exit " + std::to_string(i));
    co_return co_await process.wait();
}

Coroutine<> amain() {
    Process process =
        co_await create_subprocess_exec({.stdin_ = PIPE, .stdout_ = PIPE}, "cat");
    {
        auto [out, err] = co_await process.communicate("hello\n");
        print(strip(out), !process.has_stderr() && err.empty(), *process.returncode());
    }
    const std::string big(1'000'000, 'x');
    process = co_await create_subprocess_shell({.stdin_ = PIPE, .stdout_ = PIPE, .stderr_ = PIPE},
                                               "tee /dev/stderr; exit 4");
    {
        auto [out, err] = co_await process.communicate(big);
        print(out == big, err == big, *process.returncode());
    }
    process = co_await create_subprocess_exec({.stdin_ = PIPE, .stdout_ = PIPE}, "cat");
    {
        auto [out, err] = co_await process.communicate();
        print(out.size(), *process.returncode());
    }
    process = co_await create_subprocess_exec({.stdin_ = PIPE, .stdout_ = PIPE}, "true");
    {
        auto [out, err] = co_await process.communicate(big);  // nobody reads it
        print(out.size(), *process.returncode());
    }
    process = co_await create_subprocess_shell({.stdout_ = PIPE, .stderr_ = STDOUT},
                                               "echo out; echo err >&2");
    {
        auto [out, err] = co_await process.communicate();
        print(out == "out\nerr\n" ? "['out', 'err']" : out.c_str());
    }
    process = co_await create_subprocess_shell(
        {.stdin_ = DEVNULL, .stdout_ = DEVNULL, .stderr_ = PIPE}, "cat; echo out; echo err >&2");
    {
        auto [out, err] = co_await process.communicate();
        print(strip(err));
    }
    std::vector<Coroutine<int>> waits;
    for (int i = 0; i < 5; ++i) {
        waits.push_back(status_of(i));
    }
    const std::vector<int> outputs = co_await gather(std::move(waits));
    print(outputs[0], outputs[1], outputs[2], outputs[3], outputs[4]);
}

int main() {
    run(amain());
}
