// coordination.cpp - tasks that put, get, lock, wait and cancel one another in any order: nothing
// is lost, nobody overtakes, and what is locked is unlocked.
//
// SPDX-License-Identifier: MIT
#include "fuzz.hpp"

#include <asyncio/locks.hpp>
#include <asyncio/queues.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace {

using namespace asyncio;

enum class Act : std::uint8_t { put, get, lock, count, wait, set, pause, cancel };

struct Step {
    Act act;
    std::uint8_t argument;
};

/// What the tasks share, and what is known to be true of it.
struct World {
    explicit World(int room, int places) : queue(room), semaphore(places), places(places) {}

    Queue<int> queue;
    Lock lock;
    Semaphore semaphore;
    Event event;
    int places;
    int next_item = 0;
    std::vector<int> put;
    std::vector<int> got;
    int holders = 0;
    int counted = 0;
    std::vector<Task<>> tasks;
};

Coroutine<> work(World& world, std::vector<Step> steps) {
    for (const Step& step : steps) {
        switch (step.act) {
            case Act::put: {
                // Noted when it is in: those who wait to put keep their order, too.
                const int item = world.next_item++;
                co_await world.queue.put(item);
                world.put.push_back(item);
                break;
            }
            case Act::get: {
                const int item = co_await world.queue.get();
                world.got.push_back(item);
                break;
            }
            case Act::lock: {
                const auto held = co_await world.lock.scoped();
                fuzz::require(++world.holders == 1, "two hold a lock");
                struct Leave {
                    int& holders;
                    ~Leave() { --holders; }
                } const leave{world.holders};
                co_await sleep(step.argument % 3);
                break;
            }
            case Act::count: {
                const auto held = co_await world.semaphore.scoped();
                fuzz::require(++world.counted <= world.places, "too many in a semaphore");
                struct Leave {
                    int& counted;
                    ~Leave() { --counted; }
                } const leave{world.counted};
                co_await sleep(step.argument % 3);
                break;
            }
            case Act::wait:
                co_await world.event.wait();
                break;
            case Act::set:
                if (step.argument % 2 == 0) {
                    world.event.set();
                } else {
                    world.event.clear();
                }
                break;
            case Act::pause:
                co_await sleep(step.argument % 4);
                break;
            case Act::cancel:
                world.tasks[step.argument % world.tasks.size()].cancel();
                break;
        }
    }
}

bool all_done(const World& world) {
    return std::all_of(world.tasks.begin(), world.tasks.end(),
                       [](const Task<>& task) { return task.done(); });
}

Coroutine<> use_what_was_used(World& world) {
    { const auto held = co_await world.lock.scoped(); }
    std::vector<Task<>> holding;
    const auto hold = [](World& world) -> Coroutine<> {
        const auto held = co_await world.semaphore.scoped();
        co_await sleep(1);
    };
    for (int i = 0; i < world.places; ++i) {
        holding.push_back(create_task(hold(world)));
    }
    for (const Task<>& each : holding) {
        co_await each;
    }
}

Coroutine<> try_all(fuzz::Input input) {
    World world(static_cast<int>(input.below(4)), static_cast<int>(1 + input.below(3)));
    std::vector<std::vector<Step>> scripts(2 + input.below(5));
    for (std::size_t i = 0; !input.empty(); ++i) {
        const auto act = static_cast<Act>(input.below(8));
        scripts[i % scripts.size()].push_back({act, input.byte()});
    }
    for (std::vector<Step>& script : scripts) {
        world.tasks.push_back(create_task(work(world, std::move(script))));
    }
    for (int time = 0; time < 1000 && !all_done(world); ++time) {
        co_await sleep(1);
    }
    for (Task<>& task : world.tasks) {  // they wait for something that will not come
        task.cancel();
    }
    co_await testing::settle();
    fuzz::require(all_done(world), "a task cannot be cancelled");
    while (!world.queue.empty()) {
        world.got.push_back(world.queue.get_nowait());
    }
    std::vector<int> put = world.put;
    std::vector<int> got = world.got;
    std::sort(put.begin(), put.end());
    std::sort(got.begin(), got.end());
    fuzz::require(std::includes(got.begin(), got.end(), put.begin(), put.end()), "an item is lost");
    fuzz::require(std::adjacent_find(got.begin(), got.end()) == got.end(), "an item comes twice");
    fuzz::require(!world.lock.locked(), "a lock is left locked");
    const Task<> using_again = create_task(use_what_was_used(world));
    co_await sleep(10);
    fuzz::require(using_again.done(), "a lock or a semaphore is of no use any more");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::run(try_all(fuzz::Input(data, std::min<std::size_t>(size, 400))));
    return 0;
}
