// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<> main_() {
    Handle second;
    Handle third;
    loop().call_soon([&] {
        print("first cancels second");
        second.cancel();
    });
    second = loop().call_soon([] { print("never"); });
    third = loop().call_soon([&] { print("third", second.cancelled()); });
    co_await sleep(0);
    third.cancel();
    print("cancelled after it ran:", third.cancelled());

    TimerHandle late;
    loop().call_later(-2, [&] {
        print("early cancels late");
        late.cancel();
    });
    late = loop().call_later(-1, [] { print("never"); });
    co_await sleep(0.02);
    print(late.cancelled());

    Handle own;
    own = loop().call_soon([&] {
        own.cancel();
        print("cancelling oneself", own.cancelled());
    });
    co_await sleep(0);

    std::vector<TimerHandle> many;
    for (int i = 0; i < 150; ++i) {
        many.push_back(loop().call_later(30ms + i * 1ms, [i] { print("timer", i); }));
    }
    for (std::size_t i = 0; i < many.size(); ++i) {
        if (i % 50 != 7) {
            many[i].cancel();
        }
    }
    co_await sleep(0.3);
    loop().call_later(0.02, [] { print("a dropped handle still runs"); });
    co_await sleep(0.05);
}

int main() {
    run(main_());
}
