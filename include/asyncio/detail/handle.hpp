// handle.hpp - Handle and TimerHandle, and the control block behind them.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/contextvars.hpp>
#include <asyncio/detail/blocks.hpp>
#include <asyncio/detail/config.hpp>
#include <asyncio/detail/context_slot.hpp>
#include <asyncio/detail/owned.hpp>
#include <asyncio/lowlevel/callback.hpp>
#include <asyncio/time.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

namespace asyncio {
class EventLoop;
}

namespace asyncio::detail {

/// A user's function that the loop is to call, once. Counted by the handles and by the loop.
class HandleNode : public lowlevel::Callback {
public:
    void retain() noexcept {
        if (shared_) {
            references_.fetch_add(1, std::memory_order_relaxed);
        } else {
            references_.store(references_.load(std::memory_order_relaxed) + 1,
                              std::memory_order_relaxed);
        }
    }
    void release() noexcept;

    /// The function will not be called. One that is not shared between threads is taken out of
    /// whatever list it is in and its function destroyed. One that is, is left there; if another
    /// thread calls it at this moment, that is waited for.
    void cancel() noexcept;
    [[nodiscard]] bool cancelled() const noexcept {
        return cancelled_.load(std::memory_order_relaxed);
    }

    /// The loop gives it up: the function is destroyed, although handles may be left, which it may
    /// own itself.
    void discard() noexcept;

    /// Runs the function; what it throws goes to the loop's exception handler.
    static void run_node(Callback& callback);
    /// Is it a node, and no other callback?
    [[nodiscard]] static bool is_node(const Callback& callback) noexcept {
        return callback.function() == &run_node || callback.function() == &run_shared_node;
    }

    [[nodiscard]] EventLoop& loop() const noexcept { return *loop_; }
    /// What the function is called in.
    [[nodiscard]] ContextSlot& context() noexcept {
        has_context_ = true;
        return context_;
    }
    [[nodiscard]] bool running() const noexcept { return running_; }

    /// The loop has noted where it was made, until it goes.
    void set_noted() noexcept { noted_ = true; }
    [[nodiscard]] bool noted() const noexcept { return noted_; }

protected:
    /// In `context`, or in a copy of the current one.
    HandleNode(EventLoop& loop, bool shared, const Context* context) noexcept;
    virtual ~HandleNode() {
        if (has_context_) {
            context_.~ContextSlot();
        }
    }

    virtual void invoke() = 0;
    virtual void destroy_function() noexcept = 0;
    virtual void dispose() noexcept = 0;
    [[nodiscard]] bool shared() const noexcept { return shared_; }

private:
    /// How far a call is that other threads may cancel. Only nodes that are shared have one.
    enum class Call : std::uint8_t { waiting, running, awaited, over };

    static void run_shared_node(Callback& callback);
    template <bool is_shared>
    static void run_node_as(Callback& callback);
    void cancel_shared() noexcept;
    void end_call() noexcept;
    void drop_function() noexcept;
    [[gnu::noinline]] void forget_and_dispose() noexcept;

    EventLoop* loop_;
    std::atomic<std::uint32_t> references_{2};  // the loop's and the first handle's
    std::atomic<bool> cancelled_{false};
    const bool shared_;  // with other threads: counted atomically, allocated from the heap
    bool running_ : 1 = false;
    bool has_function_ : 1 = true;
    bool noted_ : 1 = false;
    bool has_context_ : 1;  // there may be something in the slot
    std::atomic<Call> call_{Call::waiting};
    // The last, so that cancelling touches no more memory than what is before.
    union {
        ContextSlot context_;
    };
};

/// One that is called when its time has come.
class TimerNode : public HandleNode {
public:
    [[nodiscard]] TimePoint when() const noexcept { return when_; }
    void set_when(TimePoint when) noexcept { when_ = when; }

protected:
    using HandleNode::HandleNode;

private:
    TimePoint when_{};
};

/// A function that needs more than the ordinary alignment of a block.
template <class Fn>
class Boxed {
public:
    template <class F>
    explicit Boxed(F&& fn) : fn_(make_owned<Fn>(std::forward<F>(fn))) {}
    void operator()() { static_cast<void>((*fn_)()); }

private:
    Owned<Fn> fn_;
};

template <class Base, class Function>
class HandleNodeOf final : public Base {
    using Fn =
        std::conditional_t<(alignof(Function) > 2 * sizeof(void*)), Boxed<Function>, Function>;

public:
    template <class F>
    static HandleNodeOf* make(EventLoop& loop, bool shared, const Context* context, F&& fn) {
        // What is allocated here and freed by another thread must not come from this thread's
        // recycled blocks: they would all move over there.
        void* memory =
            shared ? ::operator new(sizeof(HandleNodeOf)) : allocate_block(sizeof(HandleNodeOf));
        try {
            return ::new (memory) HandleNodeOf(loop, shared, context, std::forward<F>(fn));
        } catch (...) {
            give_back(memory, shared);
            throw;
        }
    }

private:
    template <class F>
    HandleNodeOf(EventLoop& loop, bool shared, const Context* context, F&& fn)
        : Base(loop, shared, context), fn_(std::forward<F>(fn)) {}
    ~HandleNodeOf() override {}

    void invoke() override { static_cast<void>(fn_()); }
    void destroy_function() noexcept override { fn_.~Fn(); }
    void dispose() noexcept override {
        const bool from_heap = this->shared();
        this->~HandleNodeOf();
        give_back(this, from_heap);
    }
    static void give_back(void* memory, bool from_heap) noexcept {
        if (from_heap) {
            ::operator delete(memory);
        } else {
            free_block(memory, sizeof(HandleNodeOf));
        }
    }

    union {
        Fn fn_;  // destroyed as soon as it has run or was cancelled, while handles live on
    };
};

/// A function and its arguments as one callable without arguments.
template <class Fn, class... Args>
auto bind(Fn&& fn, Args&&... args) {
    return [fn = std::forward<Fn>(fn),
            args = std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...)]() mutable {
        return std::apply(fn, std::move(args));
    };
}

}  // namespace asyncio::detail

namespace asyncio {

/// What call_soon() gives: the means to cancel. Cheap to copy; empty by default. Dropping it
/// changes nothing. Mirrors asyncio.Handle.
class Handle {
public:
    Handle() = default;
    Handle(const Handle& other) noexcept : node_(other.node_) {
        if (node_ != nullptr) {
            node_->retain();
        }
    }
    Handle(Handle&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    Handle& operator=(Handle other) noexcept {
        std::swap(node_, other.node_);
        return *this;
    }
    ~Handle() {
        if (node_ != nullptr) {
            node_->release();
        }
    }

    /// The function will not be called, if it was not yet; it is destroyed at once.
    ///
    /// Threads: the loop's. That of call_soon_threadsafe() any: then, as in Python 3.14, the
    ///          function is neither running nor will it run when this has returned, unless it is
    ///          called by the function itself, or by what that calls. So a function must not wait
    ///          for a thread that cancels it. It is destroyed by the loop.
    void cancel() noexcept {
        if (node_ != nullptr) {
            node_->cancel();
        }
    }
    [[nodiscard]] bool cancelled() const noexcept { return node_ != nullptr && node_->cancelled(); }

    /// What the function is called in; RuntimeError if the handle is empty. In the loop's thread.
    [[nodiscard]] Context get_context() const;

    explicit operator bool() const noexcept { return node_ != nullptr; }
    bool operator==(const Handle&) const noexcept = default;

protected:
    friend class EventLoop;
    friend struct std::hash<Handle>;
    /// Takes over a reference.
    explicit Handle(detail::HandleNode* node) noexcept : node_(node) {}

    detail::HandleNode* node_ = nullptr;
};

/// Keyword arguments of call_soon() and its kin, and of add_done_callback().
struct CallOptions {
    /// What the function is called in; by default a copy of the context of whoever asks for the
    /// call, made at once. (It is referred to until the call is registered, and shared from then
    /// on: what the function sets is seen in it.)
    const Context* context = nullptr;
};
static_assert(detail::trivially_destructible<CallOptions>);

/// What call_later() and call_at() give. Mirrors asyncio.TimerHandle.
class TimerHandle : public Handle {
public:
    TimerHandle() = default;
    /// When it is due, on the loop's clock.
    [[nodiscard]] TimePoint when() const noexcept {
        return node_ != nullptr ? static_cast<detail::TimerNode*>(node_)->when() : TimePoint{};
    }

    bool operator==(const TimerHandle&) const noexcept = default;
    // By when they are due; `<=` and `>=` also hold of the same handle only, as in Python.
    friend bool operator<(const TimerHandle& a, const TimerHandle& b) noexcept {
        return a.when() < b.when();
    }
    friend bool operator>(const TimerHandle& a, const TimerHandle& b) noexcept { return b < a; }
    friend bool operator<=(const TimerHandle& a, const TimerHandle& b) noexcept {
        return a < b || a == b;
    }
    friend bool operator>=(const TimerHandle& a, const TimerHandle& b) noexcept { return b <= a; }

private:
    friend class EventLoop;
    using Handle::Handle;
};

}  // namespace asyncio

template <>
struct std::hash<asyncio::Handle> {
    std::size_t operator()(const asyncio::Handle& handle) const noexcept {
        return std::hash<const void*>{}(handle.node_);
    }
};
template <>
struct std::hash<asyncio::TimerHandle> : std::hash<asyncio::Handle> {};
