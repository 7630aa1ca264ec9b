// watches.hpp - what add_reader() and add_writer() were asked to call, of one loop: Watches.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/watch.hpp>
#include <asyncio/events.hpp>
#include <asyncio/lowlevel/intrusive.hpp>

#include <unordered_map>

namespace asyncio::detail {

class LoopIO;
class Watch;
struct AllWatches {};  // tag

class Watches {
public:
    explicit Watches(LoopIO& io) noexcept : io_(io) {}
    Watches(const Watches&) = delete;
    Watches& operator=(const Watches&) = delete;
    /// When the loop is closed, and nothing completes any more.
    ~Watches();

    void add(int fd, Watched what, UniqueFunction<void()> function, const Context* context);
    bool remove(int fd, Watched what);
    /// The descriptor is not what it was: `watch` is not found any more.
    void forget(Watch& watch) noexcept;

private:
    struct Pair {
        Watch* input = nullptr;
        Watch* output = nullptr;
    };
    static Watch*& place(Pair& pair, Watched what) noexcept {
        return what == Watched::input ? pair.input : pair.output;
    }
    void check(int fd) const;

    LoopIO& io_;
    std::unordered_map<int, Pair> watches_;
    lowlevel::List<Watch, AllWatches> all_;  // also those that are removed and still to complete
};

}  // namespace asyncio::detail
