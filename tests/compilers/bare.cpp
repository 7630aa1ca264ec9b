// bare.cpp - canary: that a condition is miscompiled is not this library's doing.
//
// The smallest coroutine type there is, and the worst of the mistakes: an await in a condition, in
// a body without local variables.
//
// SPDX-License-Identifier: MIT
#include <sys/wait.h>
#include <unistd.h>

#include <coroutine>
#include <cstdio>
#include <exception>

struct Bare {
    struct promise_type {
        Bare get_return_object() {
            return {std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
    std::coroutine_handle<promise_type> handle;
};

/// Not trivial, as real awaiters are not.
struct Value {
    explicit Value(int number) : value(number) {}
    Value(const Value& other) : value(other.value) {}
    ~Value() { value = -1; }
    bool await_ready() { return false; }
    void await_suspend(std::coroutine_handle<>) {}
    int await_resume() { return value; }

    int value;
};

static int reached = 0;

static Bare condition() {
    if (co_await Value(1) == 1) {
        ++reached;
    }
}

static Bare named() {
    int value = co_await Value(1);
    if (value == 1) {
        ++reached;
    }
}

/// In a child process: does it get there, and to its end?
static bool works(Bare (*body)()) {
    Bare bare = body();
    for (int i = 0; i < 5 && !bare.handle.done(); ++i) {
        bare.handle.resume();
    }
    return bare.handle.done() && reached == 1;
}

int main() {
    struct {
        const char* name;
        Bare (*body)();
    } cases[] = {{"bare_condition", condition}, {"bare_named", named}};
    for (auto& one : cases) {
        pid_t child = fork();
        if (child == 0) {
            alarm(5);
            std::freopen("/dev/null", "w", stderr);  // the C library's last words
            _exit(works(one.body) ? 0 : 1);
        }
        int status = 0;
        waitpid(child, &status, 0);
        std::printf("%s %s\n", one.name, status == 0 ? "ok" : "miscompiled");
        std::fflush(stdout);
    }
}
