// SPDX-License-Identifier: MIT
#include "pair.hpp"

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

void show(const char* what, const Future<>& future) {
    print(what, future.done(), future.cancelled());
}

Coroutine<> main_() {
    auto future = loop().create_future<void>();
    show("pending", future);
    attempt("exception", [&] { return future.exception(); });
    future.set_result();
    show("result", future);
    attempt("exception", [&] { return future.exception(); });
    attempt("set_result", [&] { future.set_result(); });
    attempt("set_exception", [&] { future.set_exception(std::invalid_argument("late")); });
    print("cancel", future.cancel());

    future = loop().create_future<void>();
    future.set_exception(std::invalid_argument("bad"));
    show("failed", future);
    attempt("exception", [&] { return future.exception(); });
    attempt("result", [&] { future.result(); });
    attempt("result again", [&] { future.result(); });
    attempt("set_result", [&] { future.set_result(); });
    print("cancel", future.cancel());

    future = loop().create_future<void>();
    bool first = future.cancel("first");
    bool second = future.cancel("second");
    print("cancel", first, second);
    show("cancelled", future);
    attempt("set_result", [&] { future.set_result(); });
    attempt("exception", [&] { return future.exception(); });
    attempt("exception again", [&] { return future.exception(); });
    attempt("result", [&] { future.result(); });

    future = loop().create_future<void>();
    future.cancel();
    try {
        co_await future;
    } catch (const CancelledError&) {
        print("awaited", err());
    }
    print(current_task().cancelling());

    auto done = loop().create_future<int>();
    done.set_result(5);
    loop().call_soon([] { print("an await of a done future does not yield"); });
    int once = co_await done;
    int twice = co_await done;
    print(once, twice);
    co_await sleep(0);
}

int main() {
    run(main_());
}
