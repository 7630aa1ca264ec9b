// scopes_and_channels.cpp - what asyncio has not got: a block that can be cancelled, a child that
// says when it is ready, and a channel that ends.
//
// Two cooks send dishes through a channel; when both have closed their ends, the guest's loop ends.
// What each of these is for: docs/beyond.md.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>
#include <asyncio/cancel_scope.hpp>
#include <asyncio/channels.hpp>

#include <cstdio>
#include <string>

using namespace asyncio;

Coroutine<> cook(MemorySendChannel<std::string> counter, std::string dish,
                 TaskStatus<int>& status) {
    co_await sleep(0.01);  // the oven gets hot
    status.started(3);
    for (int plate = 1; plate <= 3; ++plate) {
        co_await counter.send(dish + " " + std::to_string(plate));
    }
}

Coroutine<> dine() {
    co_await task_group([&](TaskGroup& group) -> Coroutine<> {
        auto [counter, table] = memory_channel<std::string>(0);
        const int soups = co_await group.start<int>(cook, counter, "soup");
        const int breads = co_await group.start<int>(cook, counter, "bread");
        std::printf("there will be %d\n", soups + breads);
        counter.close();  // the cooks have ends of their own
        while (auto dish = co_await table.next()) {
            std::printf("the guest has %s\n", dish->c_str());
        }
        std::printf("the kitchen is closed\n");
    });
}

Coroutine<> amain() {
    co_await dine();

    CancelScope patience = move_on_after(0.02);
    co_await with(patience, [&]() -> Coroutine<> {
        const auto waited = co_await as_result(sleep(3600));
        std::printf("no dessert: %s\n", describe(waited.error()).c_str());
        CancelScope manners = move_on_after(1, {.shield = true});
        co_await with(manners, []() -> Coroutine<> {
            co_await sleep(0.01);
            std::printf("but a word of thanks\n");
        });
        co_await sleep(3600);  // is still cancelled
        std::printf("never printed\n");
    });
    std::printf("out of patience: %s\n", patience.cancelled_caught() ? "yes" : "no");
}

int main() {
    run(amain());
}
