// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<std::string> value() {
    co_await sleep(0);
    co_return "value";
}

int main() {
    EventLoop own;
    print(own.is_running(), own.is_closed());
    own.call_soon([&] { print("one", own.is_running()); });
    own.call_soon([&] { own.stop(); });
    own.call_soon([] { print("two, after stop()"); });
    own.call_soon([&] { own.call_soon([] { print("scheduled by the batch"); }); });
    own.run_forever();
    print("first run ended", own.is_running());

    own.call_soon([] { print("before the second run"); });
    own.stop();
    own.run_forever();
    print("second run ended");

    own.call_soon([&] { own.call_soon([] { print("only in the next run"); }); });
    own.call_later(-1, [] { print("a due timer is part of the one iteration"); });
    auto distant = own.call_later(60, [] { print("never"); });
    own.stop();
    own.stop();
    own.run_forever();
    print("third run ended");

    print(own.run_until_complete(value()));
    own.call_later(0.02, [&] { own.stop(); });
    own.run_forever();
    distant.cancel();
    own.close();
    own.close();
    print("closed", own.is_closed());
}
