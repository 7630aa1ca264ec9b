// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<> main_() {
    auto future = loop().create_future<int>();
    using Token = decltype(future.add_done_callback([](AnyFuture) {}));
    auto second = [](AnyFuture) { print("second"); };
    Token second_token;
    Token third_token;
    future.add_done_callback([&](Future<int> f) {
        print("first", f.result(), "removed:", future.remove_done_callback(third_token));
        future.add_done_callback([](AnyFuture) { print("added by first"); });
    });
    second_token = future.add_done_callback(second);
    third_token = future.add_done_callback([](AnyFuture) { print("third runs all the same"); });
    print("removed:", future.remove_done_callback(second_token));
    print("again:", future.remove_done_callback(second_token));
    future.add_done_callback(second);
    loop().call_soon([] { print("soon before"); });
    future.set_result(1);
    loop().call_soon([] { print("soon after"); });
    print("set");
    co_await sleep(0);
    print("one iteration");
    co_await sleep(0);
    print("two iterations");

    future = loop().create_future<int>();
    future.add_done_callback([](AnyFuture f) { print("callback sees", f.cancelled(), f.done()); });
    bool first_cancel = future.cancel();
    bool second_cancel = future.cancel();
    print(first_cancel, second_cancel);
    auto late = future.add_done_callback([](AnyFuture) { print("never"); });
    print("too late to remove:", future.remove_done_callback(late));
    co_await sleep(0);

    future = loop().create_future<int>();
    auto other = loop().create_future<void>();
    other.add_done_callback([](AnyFuture) { print("other's callback"); });
    future.add_done_callback([&](AnyFuture) {
        print("resolves");
        other.set_result();
        print("resolved");
    });
    future.add_done_callback([](AnyFuture) { print("next callback of the first"); });
    future.set_result(1);
    co_await other;
    print("main");
}

int main() {
    run(main_());
}
