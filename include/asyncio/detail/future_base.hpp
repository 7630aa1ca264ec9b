// future_base.hpp - what futures and tasks are without the type of their result.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/outcome.hpp>
#include <asyncio/detail/owned.hpp>
#include <asyncio/events.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

namespace asyncio {

/// What add_done_callback() gives and remove_done_callback() takes.
class DoneCallbackToken {
public:
    DoneCallbackToken() = default;
    bool operator==(const DoneCallbackToken&) const noexcept = default;

private:
    friend class detail::FutureBase;
    explicit DoneCallbackToken(std::uint64_t id) noexcept : id_(id) {}
    std::uint64_t id_ = 0;
};

namespace detail {

struct ScopeLink;

/// The message of a cancellation, where there is one.
using CancelMessage = std::optional<std::string_view>;

/// A function that is called when a future is done. Until then the future has it, without being
/// had; from then on it keeps the future.
class DoneNode : public HandleNode {
public:
    void keep(FutureBase& future) noexcept;

protected:
    using HandleNode::HandleNode;
    ~DoneNode() override;

private:
    friend class FutureBase;
    FutureBase* kept_ = nullptr;
    std::uint64_t id_ = 0;
};

/// What debug mode notes of a future or task.
struct SourceNotes {
    std::vector<std::source_location> made_at;  // the outermost await first
    std::source_location cancelled_at;          // the await at which CancelledError was thrown last
};

/// Where the program is: the awaits that the running task is in, the outermost first, then `site`.
[[nodiscard]] std::vector<std::source_location> source_trace(std::source_location site);

/// Counted by its handles, and by its loop while it is a task that is pending.
class FutureBase {
public:
    enum class State : std::uint8_t { pending, finished, cancelled };
    enum class Kind : std::uint8_t { future, task, gathering };

    FutureBase(const FutureBase&) = delete;
    FutureBase& operator=(const FutureBase&) = delete;

    void retain() noexcept { ++references_; }
    void release() noexcept {
        if (--references_ == 0) {
            expire();
        }
    }

    [[nodiscard]] std::uint32_t references() const noexcept { return references_; }

    [[nodiscard]] bool done() const noexcept { return state_ != State::pending; }
    [[nodiscard]] bool cancelled() const noexcept { return state_ == State::cancelled; }
    [[nodiscard]] EventLoop& loop() const noexcept { return *loop_; }
    [[nodiscard]] Kind kind() const noexcept { return kind_; }

    virtual bool cancel(CancelMessage message) = 0;
    [[nodiscard]] virtual OutcomeBase& outcome() noexcept = 0;

    /// As Python's Future.exception().
    std::exception_ptr exception();
    /// Throws unless there is a result or an error to take from outcome(), and marks it retrieved.
    void retrieve() {
        if (state_ != State::finished) {
            raise_no_result();
        }
        mark_retrieved();
    }
    /// The error of a future that is done, whether it failed or was cancelled; null if it has a
    /// result. Marks it retrieved.
    [[nodiscard]] std::exception_ptr failure();
    /// Nobody needs to be told of an exception any more.
    void mark_retrieved() noexcept { unretrieved_ = false; }
    /// Its maker knows that it may be left pending.
    void set_quiet() noexcept { quiet_ = true; }
    [[nodiscard]] bool quiet() const noexcept { return quiet_; }
    /// Ended with CancelledError: by its state, or with one set as its exception.
    [[nodiscard]] bool ended_cancelled() noexcept {
        return cancelled() || (done() && is_cancelled_error(outcome().error));
    }
    /// The CancelledError of a cancelled future: the one that ended it, the first time. Of any
    /// other it is a new one without a message.
    [[nodiscard]] std::exception_ptr make_cancelled_error();
    [[nodiscard]] CancelMessage cancel_message() const noexcept;

    /// Callbacks to be scheduled when it is done: waiting tasks and others, in order.
    [[nodiscard]] lowlevel::CallbackList& callbacks() noexcept { return callbacks_; }
    DoneCallbackToken add_done_node(DoneNode& node);
    std::size_t remove_done_node(DoneCallbackToken token) noexcept;

    /// Notes for debug mode that it is made here, at `site`.
    void note_source(std::source_location site) noexcept;
    [[nodiscard]] const SourceNotes* source_notes() const noexcept {
        const Rare* const rare = peek_rare();
        return rare != nullptr ? rare->notes.get() : nullptr;
    }

    // Who waits for it without being in callbacks().
    void add_awaited_by(FutureBase& waiter);
    void discard_awaited_by(FutureBase& waiter) noexcept;
    [[nodiscard]] const std::vector<FutureBase*>& awaited_by() const noexcept;

    // What makes a plain future done; the result goes to outcome() before.
    void finish();
    void fail(std::exception_ptr error);
    bool cancel_plain(CancelMessage message);
    void check_pending() const {
        if (done()) {
            raise_invalid_state("invalid state");
        }
    }

protected:
    /// Of what is needed rarely; and the context, where there is such a thing.
    struct Rare : ContextSlot {
        std::optional<std::string> name;
        std::optional<std::string> cancel_message;
        Owned<SourceNotes> notes;
        std::vector<FutureBase*> awaited_by;  // for the call graph; retained
        ScopeLink* scope = nullptr;           // of a task: the innermost cancel scope that it is in
        int scope_requests = 0;               // of those in cancelling(), how many are of scopes
    };

    FutureBase(EventLoop& loop, Kind kind, Owned<Rare> rare = nullptr) noexcept
        : kind_(kind), loop_(&loop) {
        if (rare != nullptr) {
            context_.lead_to(*rare.release());
        }
    }
    virtual ~FutureBase();

    /// Destroys and frees the object.
    virtual void dispose() noexcept = 0;

    void set_done(State state) noexcept { state_ = state; }
    void set_unretrieved() noexcept { unretrieved_ = true; }
    void schedule_callbacks() {
        if (!callbacks_.empty()) {
            schedule_all_callbacks();
        }
    }
    Rare& rare();
    SourceNotes& make_notes();
    void set_cancel_message(CancelMessage message);
    [[nodiscard]] Rare* peek_rare() const noexcept {
        return static_cast<Rare*>(context_.leads_to());
    }
    /// Of a task, what it runs in; nothing of other futures.
    [[nodiscard]] ContextSlot& context_slot() noexcept { return context_; }

private:
    void expire() noexcept;
    void report_unretrieved() noexcept;
    void check_loop() const;
    void schedule_all_callbacks();
    [[noreturn]] void raise_no_result();

    std::uint32_t references_ = 1;
    State state_ : 2 = State::pending;
    Kind kind_ : 2;
    bool unretrieved_ : 1 = false;
    bool has_done_nodes_ : 1 = false;

protected:
    // Of tasks; here because there is room.
    bool must_cancel_ : 1 = false;           // throw CancelledError at the next step
    bool interrupted_ : 1 = false;           // this step throws CancelledError
    bool quiet_ : 1 = false;                 // nothing is reported if it is destroyed while pending
    bool held_up_ : 1 = false;               // by one that was started eagerly in a step of it
    bool by_scope_ : 1 = false;              // must_cancel_ is set for a cancel scope only
    bool interrupted_by_scope_ : 1 = false;  // and so is interrupted_
    [[maybe_unused]] std::uint8_t unused_ : 4 = 0;  // so that all is written at once, none kept
    std::uint16_t block_size_ = 0;  // of frame and control block; 0 if it is larger than that

private:
    EventLoop* loop_;
    lowlevel::CallbackList callbacks_;
    ContextSlot context_;  // the slot leads to a Rare, which this then owns
};

/// A future that others make done: what gather() and shield() give. While it watches them its loop
/// keeps it, handles or not, so that what it will do is done; a loop that closes lets go of it.
class DependentFuture : public FutureBase, public lowlevel::ListHook<AllDependents> {
public:
    /// Watches nobody any more.
    virtual void detach() noexcept = 0;

protected:
    using FutureBase::FutureBase;

    /// The loop keeps it until let_go(). A loop that is closed keeps nothing: nobody will be done.
    void be_kept();
    void let_go() noexcept;
};

template <class T>
class FutureImpl : public FutureBase {
public:
    explicit FutureImpl(EventLoop& loop, Kind kind = Kind::future) noexcept
        : FutureBase(loop, kind) {}

    static FutureImpl* make(EventLoop& loop) {
        return ::new (allocate_block(sizeof(FutureImpl))) FutureImpl(loop);
    }

    bool cancel(CancelMessage message) override { return cancel_plain(message); }
    [[nodiscard]] OutcomeBase& outcome() noexcept override { return outcome_; }
    Outcome<T>& typed_outcome() noexcept { return outcome_; }

protected:
    ~FutureImpl() override = default;
    void dispose() noexcept override {
        this->~FutureImpl();
        free_block(this, sizeof(FutureImpl));
    }

private:
    Outcome<T> outcome_;
};

}  // namespace detail

}  // namespace asyncio
