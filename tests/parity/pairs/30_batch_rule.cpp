// SPDX-License-Identifier: MIT
#include "pair.hpp"

void chain(const std::string& name, int depth) {
    print(name, depth);
    if (depth > 0) {
        loop().call_soon([name, depth] { chain(name, depth - 1); });
    }
}

Coroutine<> main_() {
    loop().call_soon([] { chain("a", 3); });
    loop().call_later(-1, [] { chain("timer", 2); });
    loop().call_soon([] { chain("b", 1); });
    for (int i = 0; i < 5; ++i) {
        co_await sleep(0);
        print("main", i);
    }
}

int main() {
    run(main_());
}
