// loop.hpp - the ready list: who is resumed next, and nothing else.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>

namespace limits {

/// A place in the ready list. It lies inside whatever waits (a task, an awaiter), so that becoming
/// ready allocates nothing.
struct Ready {
    Ready* next = nullptr;
    std::coroutine_handle<> coroutine;
};

/// Runs what is ready in generations, as asyncio does: what becomes ready in one pass runs in the
/// next one, where a real loop would look at the clock and at the kernel in between.
class Loop {
public:
    void push(Ready& entry) noexcept {
        entry.next = nullptr;
        *tail_ = &entry;
        tail_ = &entry.next;
    }

    // Not inlined: all measurements shall run the same machine code.
    [[gnu::noinline]] void run() {
        while (head_ != nullptr) {
            Ready* entry = head_;
            head_ = nullptr;
            tail_ = &head_;
            while (entry != nullptr) {
                Ready* next = entry->next;  // resuming may destroy the entry
                entry->coroutine.resume();
                entry = next;
            }
        }
    }

private:
    Ready* head_ = nullptr;
    Ready** tail_ = &head_;
};

inline Loop loop;

/// sleep(0): to the end of the ready list.
class Yield {
public:
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> coroutine) noexcept {
        ready_.coroutine = coroutine;
        loop.push(ready_);
    }
    void await_resume() const noexcept {}

private:
    Ready ready_;
};

}  // namespace limits
