// signal_watch.cpp - the table of who gets which signal, and the handler that looks at it.
//
// SPDX-License-Identifier: MIT
#include "signal_watch.hpp"

#include "embedding_hooks.hpp"
#include "fork.hpp"
#include "report.hpp"

#include <cerrno>
#include <csignal>
#include <exception>
#include <new>
#include <thread>

#include <unistd.h>

namespace asyncio::detail {

namespace {

/// One signal. What is atomic the handler looks at, in any thread; the rest is the main thread's.
struct Slot {
    std::atomic<SignalWatch*> last{nullptr};
    std::atomic<int> in_handler{0};  // threads
    struct sigaction before;
};

constinit Slot slots[_NSIG + 1] = {};
// Whose watches these are. A signal may come to a child before it has forgotten them.
constinit std::atomic<pid_t> process{0};

// The child shares with its parent what wakes the loops: it has none of the parent's watches, and
// nobody of it is in the handler.
void forget_watches() noexcept {
    for (Slot& slot : slots) {
        slot.last.store(nullptr);
        slot.in_handler.store(0);
    }
}

void forget_watches_in_children() noexcept {
    [[maybe_unused]] static const bool once = (at_fork(nullptr, nullptr, &forget_watches), true);
}

}  // namespace

SignalWatch::SignalWatch(EventLoop& loop, int signal) noexcept
    : Callback(&run_delivery), loop_(loop), signal_(signal) {}

bool SignalWatch::allowed() noexcept {
    return ::getpid() == ::gettid();
}

// Whatever handler is there that is not ours comes back at the end: also one that the program has
// put in the place of ours meanwhile.
int SignalWatch::install() noexcept {
    Slot& slot = slots[signal_];
    struct sigaction action{};
    action.sa_handler = &on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    forget_watches_in_children();
    process.store(::getpid());
    before_ = slot.last.load();
    slot.last.store(this);
    struct sigaction previous{};
    if (::sigaction(signal_, &action, &previous) != 0) {
        const int error = errno;
        slot.last.store(before_);
        return error;
    }
    if (previous.sa_handler != &on_signal) {
        slot.before = previous;
    }
    installed_ = true;
    return 0;
}

void SignalWatch::uninstall() noexcept {
    if (installed_) {
        installed_ = false;
        Slot& slot = slots[signal_];
        if (slot.last.load() == this) {
            slot.last.store(before_);
        } else {
            SignalWatch* later = slot.last.load();
            while (later != nullptr && later->before_ != this) {
                later = later->before_;
            }
            if (later != nullptr) {  // otherwise it is its parent's, in a child of fork()
                later->before_ = before_;
            }
        }
        struct sigaction current{};
        // Left alone if the program has put its own in its place meanwhile.
        if (slot.last.load() == nullptr && ::sigaction(signal_, nullptr, &current) == 0 &&
            current.sa_handler == &on_signal) {
            ::sigaction(signal_, &slot.before, nullptr);
        }
        // The signal may have come to another thread, which is in the handler still.
        while (slot.in_handler.load() > 0) {
            std::this_thread::yield();
        }
    }
    // What came and was not delivered is in the inbox of the loop, or in its list.
    if (!loop_.closed_) {
        loop_.take_posted();
    }
    if (linked()) {
        unlink();
    }
}

void SignalWatch::replace(SignalWatch& before) noexcept {
    before.uninstall();
    const unsigned count = before.pending_.exchange(0);
    if (count > 0 && pending_.fetch_add(count) == 0) {
        loop_.schedule(*this);
    }
}

bool SignalWatch::arrived() noexcept {
    if (pending_.fetch_add(1) == 0) {
        static_cast<void>(loop_.post(*this));
        // In the thread that has a ring the kernel does not tell of what that writes itself.
        if (loop_.embedding_ != nullptr) {
            loop_.embedding_->kick();
        }
    }
    return true;
}

void SignalWatch::on_signal(int signal) {
    const int error = errno;
    Slot& slot = slots[signal];
    slot.in_handler.fetch_add(1);
    SignalWatch* const watch = slot.last.load();
    if (watch == nullptr || process.load() != ::getpid() || !watch->arrived()) {
        ::sigaction(signal, &slot.before, nullptr);
        ::raise(signal);
    }
    slot.in_handler.fetch_sub(1);
    errno = error;
}

// One at a time, so that a storm lets others run; afterwards it may not exist any more.
void SignalWatch::run_delivery(Callback& callback) {
    auto& self = static_cast<SignalWatch&>(callback);
    EventLoop& loop = self.loop_;
    if (self.pending_.fetch_sub(1) > 1) {
        loop.schedule(self);
    }
    try {
        self.deliver();
    } catch (const std::bad_alloc&) {
        ExceptionContext context;
        context.exception = std::current_exception();
        set_message(context, [] { return "there is no memory to handle a signal"; });
        loop.call_exception_handler(context);
    }
}

}  // namespace asyncio::detail
