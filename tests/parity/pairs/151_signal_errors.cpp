// SPDX-License-Identifier: MIT
#include "pair.hpp"

#include <csignal>
#include <thread>

void nothing() {}

template <class Fn>
void attempt(const char* name, Fn fn) {
    try {
        if constexpr (std::is_void_v<decltype(fn())>) {
            fn();
            print(name, "None");
        } else {
            print(name, fn());
        }
    } catch (...) {
        print(name, err());
    }
}

Coroutine<> main_() {
    loop().set_exception_handler([](EventLoop&, const ExceptionContext& context) {
        print("handler:", context.exception);
    });

    attempt("0", [] { add_signal_handler(0, nothing); });
    attempt("-1", [] { add_signal_handler(-1, nothing); });
    attempt("66", [] { add_signal_handler(66, nothing); });
    attempt("32", [] { add_signal_handler(32, nothing); });
    attempt("SIGKILL", [] { add_signal_handler(SIGKILL, nothing); });
    attempt("SIGSTOP", [] { add_signal_handler(SIGSTOP, nothing); });
    attempt("remove 0", [] { return remove_signal_handler(0); });
    attempt("remove 66", [] { return remove_signal_handler(66); });
    attempt("remove SIGKILL", [] { return remove_signal_handler(SIGKILL); });
    attempt("remove SIGUSR1", [] { return remove_signal_handler(SIGUSR1); });

    EventLoop& own = loop();
    std::thread([&own] {
        attempt("thread", [&own] { add_signal_handler(own, SIGUSR1, nothing); });
    }).join();

    int calls = 0;
    add_signal_handler(SIGUSR1, [&calls] {
        throw RuntimeError("bad " + std::to_string(++calls));
    });
    std::raise(SIGUSR1);
    co_await sleep(0.01);
    std::raise(SIGUSR1);
    co_await sleep(0.01);
    remove_signal_handler(SIGUSR1);
}

int main() {
    run(main_());
    const std::unique_ptr<EventLoop> closed = new_event_loop();
    closed->close();
    attempt("closed", [&closed] { add_signal_handler(*closed, SIGUSR1, nothing); });
}
