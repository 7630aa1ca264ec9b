// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<> fail() {
    throw std::invalid_argument("from main");
    co_return;
}

Coroutine<> cancel_me() {
    current_task().cancel("by itself");
    co_await sleep(0);
}

Coroutine<> nothing() {
    co_return;
}

template <class Fn>
void attempt(const char* what, Fn fn) {
    try {
        if constexpr (std::is_void_v<decltype(fn())>) {
            fn();
            print(what, "None");
        } else {
            print(what, fn());
        }
    } catch (const std::exception&) {
        print(what, err());
    } catch (const CancelledError&) {
        print(what, err());
    }
}

Coroutine<std::string> inside() {
    auto& own = loop();
    EventLoop other;
    auto future = own.create_future<int>();
    attempt("same loop:", [&] { own.run_until_complete(future); });
    attempt("other loop:", [&] { other.run_until_complete(future); });
    attempt("close:", [&] { own.close(); });
    other.close();
    attempt("run:", [] { run(nothing()); });
    co_return "inside ended";
}

int main() {
    EventLoop own;
    auto future = own.create_future<std::string>();
    own.call_soon([&] { own.stop(); });
    attempt("stopped early:", [&] { return own.run_until_complete(future); });
    own.call_soon([&] { future.set_result("value"); });
    attempt("second call:", [&] { return own.run_until_complete(future); });
    attempt("done already:", [&] { return own.run_until_complete(future); });
    future = {};
    attempt("error:", [&] { own.run_until_complete(fail()); });
    attempt("cancelled:", [&] { own.run_until_complete(cancel_me()); });
    print(own.run_until_complete(inside()));
    own.close();
    attempt("closed, forever:", [&] { own.run_forever(); });
    attempt("closed, call_soon:", [&] { own.call_soon([] {}); });
    attempt("closed, call_later:", [&] { own.call_later(1, [] {}); });
    attempt("closed, call_soon_threadsafe:", [&] { own.call_soon_threadsafe([] {}); });
    attempt("run, error:", [] { run(fail()); });
    attempt("run, cancelled:", [] { run(cancel_me()); });
    try {
        (void)get_running_loop();
    } catch (const RuntimeError&) {
        print(err());
    }
    Runner runner;
    attempt("runner:", [&] { runner.run(fail()); });
    runner.close();
    attempt("runner closed:", [&] { (void)runner.get_loop(); });
}
