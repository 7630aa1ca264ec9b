// SPDX-License-Identifier: MIT
#include "pair.hpp"

auto say(const char* text) {
    return [text] { print(text); };
}

Coroutine<> main_() {
    auto now = loop().time();
    loop().call_later(0, say("later 0"));
    loop().call_at(now - 1s, say("at -1"));
    loop().call_later(-2, say("later -2"));
    loop().call_soon(say("soon"));
    loop().call_later(0.09, say("later .09"));
    loop().call_later(0.03, say("later .03"));
    loop().call_at(now + 60ms, say("at .06"));
    co_await sleep(0);
    print("one iteration: the past is run after it");
    co_await sleep(0);
    print("two");
    co_await sleep(0.15);

    loop().call_later(0.02, [] {
        print("nested: first");
        loop().call_later(0, say("timer made in a callback"));
        loop().call_soon(say("soon made in a callback"));
    });
    co_await sleep(0.05);

    auto early = loop().call_at(now + 100s, say("never"));
    auto late = loop().call_at(now + 200s, say("never"));
    print(early.when() < late.when(), early.when() == now + 100s, early.cancelled());
    early.cancel();
    early.cancel();
    late.cancel();
    print(early.cancelled(), late.cancelled(), early.when() == now + 100s);
}

int main() {
    run(main_());
}
