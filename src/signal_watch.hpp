// signal_watch.hpp - SignalWatch: a signal becomes a callback of a loop.
//
// The only handler of signals that the library has. It counts, and posts the callback to the inbox
// of the loop, both of which a signal handler may do; everything else happens on the loop.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/events.hpp>
#include <asyncio/lowlevel/callback.hpp>

#include <atomic>

namespace asyncio::detail {

/// Gets a signal, in a turn of its loop, once for each time that it came. Of several for one signal
/// the last one gets it, and when that goes the one before; with the first one's end the signal is
/// treated as it was before.
///
/// Threads: made and destroyed in the main thread. The signal may come to any.
class SignalWatch : public lowlevel::Callback {
public:
    SignalWatch(const SignalWatch&) = delete;
    SignalWatch& operator=(const SignalWatch&) = delete;

    /// Can signals be watched from this thread?
    [[nodiscard]] static bool allowed() noexcept;
    /// 0, or the errno of a signal that cannot be caught.
    [[nodiscard]] int install() noexcept;
    /// Takes the place of `before`: what has come and was not delivered is delivered here.
    void replace(SignalWatch& before) noexcept;
    [[nodiscard]] int signal() const noexcept { return signal_; }
    [[nodiscard]] EventLoop& loop() const noexcept { return loop_; }

protected:
    SignalWatch(EventLoop& loop, int signal) noexcept;
    /// Takes it out, also of the loop's lists. Derived classes call it first of all: a signal may
    /// come until then.
    void uninstall() noexcept;
    ~SignalWatch() = default;

    /// On the loop, once for each.
    virtual void deliver() = 0;
    /// In the signal handler: false if the signal is to do what it did before all watches.
    virtual bool arrived() noexcept;

    /// How many have come that are not delivered.
    [[nodiscard]] unsigned pending() const noexcept { return pending_.load(); }

private:
    static void run_delivery(Callback& callback);
    static void on_signal(int signal);

    EventLoop& loop_;
    SignalWatch* before_ = nullptr;
    int signal_;
    bool installed_ = false;
    std::atomic<unsigned> pending_{0};
};

}  // namespace asyncio::detail
