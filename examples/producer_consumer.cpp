// producer_consumer.cpp - two producers and three consumers on a bounded queue.
//
// The queue holds two loaves at most, so the bakers wait when nobody is hungry. When they have
// finished, the queue is shut down: what is in it is still eaten, then get() throws.
// Its Python twin, producer_consumer.py, prints the same.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

#include <cstdio>
#include <string>
#include <vector>

using namespace asyncio;

Coroutine<> bake(Queue<std::string>& shelf, std::string grain, int loaves) {
    for (int loaf = 1; loaf <= loaves; ++loaf) {
        std::string name = grain + " " + std::to_string(loaf);
        co_await shelf.put(name);
        std::printf("%s is on the shelf\n", name.c_str());
    }
}

Coroutine<int> eat(Queue<std::string>& shelf, std::string who) {
    int eaten = 0;
    try {
        while (true) {
            std::string loaf = co_await shelf.get();
            std::printf("%s eats %s\n", who.c_str(), loaf.c_str());
            co_await sleep(0);  // chewing: the others get their turn
            ++eaten;
        }
    } catch (const QueueShutDown&) {
        // no more bread
    }
    co_return eaten;
}

Coroutine<> amain() {
    Queue<std::string> shelf(2);
    std::vector<Task<int>> eaters;
    for (const char* name : {"Ann", "Ben", "Cleo"}) {
        eaters.push_back(create_task(eat(shelf, name)));
    }
    co_await gather(bake(shelf, "rye", 4), bake(shelf, "wheat", 3));
    shelf.shutdown();

    std::vector<int> eaten = co_await gather(eaters);
    std::printf("eaten: %d + %d + %d\n", eaten[0], eaten[1], eaten[2]);
}

int main() {
    run(amain());
}
