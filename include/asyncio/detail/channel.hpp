// channel.hpp - what the ends of a memory channel share, and how tasks wait at them.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/primitive.hpp>
#include <asyncio/detail/queue_storage.hpp>
#include <asyncio/lowlevel/waiter.hpp>
#include <asyncio/result.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <utility>

namespace asyncio {

/// What statistics() of a channel's end gives.
struct MemoryChannelStatistics {
    std::size_t current_buffer_used;
    std::size_t max_buffer_size;
    std::size_t open_send_channels;
    std::size_t open_receive_channels;
    std::size_t tasks_waiting_send;
    std::size_t tasks_waiting_receive;

    bool operator==(const MemoryChannelStatistics&) const noexcept = default;
};

namespace detail {

enum class ChannelRole : bool { sender, receiver };

/// A task that waits at an end of a channel; it is in the awaiting frame, and keeps the channel.
class ChannelWaiter : public lowlevel::Waiter, public lowlevel::ListHook<ChannelWaiter> {
public:
    bool abort(TaskBase& task, CancelMessage message) noexcept override;

protected:
    friend class ChannelBase;

    enum class State : std::uint8_t {
        waiting,
        served,        // its item has been taken, or there is one for it in the buffer
        settled,       // that has been got, or left to others
        closed,        // the end that it waits at, or was to wait at, was closed
        other_closed,  // the last of the other ends was
    };

    explicit ChannelWaiter(std::uint64_t end) noexcept : end_(end) {}
    ChannelWaiter(const ChannelWaiter&) = delete;
    ChannelWaiter& operator=(const ChannelWaiter&) = delete;
    ~ChannelWaiter() = default;

    void wake(State state) noexcept {
        state_ = state;
        task_->wake();
    }

    TaskBase* task_ = nullptr;
    std::uint64_t end_;  // the number of the end that it waits at
    State state_ = State::waiting;
};

/// Everything of a channel that does not depend on what goes through it. It lives as long as an
/// end, or a task that waits at one.
class ChannelBase {
public:
    ChannelBase(const ChannelBase&) = delete;
    ChannelBase& operator=(const ChannelBase&) = delete;

    void retain() noexcept { ++references_; }
    void release() noexcept {
        if (--references_ == 0) {
            delete this;
        }
    }

    /// One end more; its number.
    [[nodiscard]] std::uint64_t open(ChannelRole role) noexcept {
        ++open_[index(role)];
        return ++last_end_;
    }
    /// Whoever waits at that end, or at the other side if it was the last of its own, finds out.
    void close(ChannelRole role, std::uint64_t end) noexcept;

    [[nodiscard]] bool is_open(ChannelRole role) const noexcept { return open_[index(role)] > 0; }
    [[nodiscard]] MemoryChannelStatistics statistics() const noexcept;
    /// The running task waits.
    void wait(ChannelWaiter& waiter, ChannelRole role);

protected:
    explicit ChannelBase(std::size_t capacity) noexcept : capacity_(capacity) {}
    virtual ~ChannelBase() = default;

    /// How many items nobody has been served with.
    [[nodiscard]] virtual std::size_t size() const noexcept = 0;
    /// Nobody can receive any more.
    virtual void drop_items() noexcept = 0;

    using WaiterList = lowlevel::List<ChannelWaiter, ChannelWaiter>;

    [[nodiscard]] WaiterList& waiters(ChannelRole role) noexcept { return waiters_[index(role)]; }

    /// There is an item for the receiver that has waited longest.
    void serve_first() noexcept;
    /// A receiver that was served has got an item, or left it to the next.
    void settle(bool got) noexcept;

    std::size_t capacity_;
    std::size_t served_ = 0;  // receivers that have been served and have not run since

private:
    void end_if_drained() noexcept;
    static void tell_of_end(WaiterList& waiters) noexcept;
    [[nodiscard]] static std::size_t index(ChannelRole role) noexcept {
        return role == ChannelRole::sender ? 0 : 1;
    }

    std::size_t references_ = 1;
    std::size_t open_[2] = {0, 0};
    std::uint64_t last_end_ = 0;
    WaiterList waiters_[2];
    LoopBinding binding_;
};

// What cannot be done, and why: those who ask for it again and again get it without a throw.
[[nodiscard]] std::exception_ptr make_end_of_channel();
[[nodiscard]] std::exception_ptr make_broken_channel();
[[nodiscard]] std::exception_ptr make_closed_channel();

template <class T>
class SendAwaiter;
template <class T>
class ReceiveAwaiterBase;

/// A channel: senders wait only while the buffer is full, receivers while it is empty and nobody
/// waits to send. A receiver that is served finds its item, the oldest there is, in the buffer when
/// it runs: should it be cancelled until then, the item need not come back.
template <class T>
class Channel final : public ChannelBase {
public:
    explicit Channel(std::size_t capacity) noexcept : ChannelBase(capacity) {}

    enum class Attempt : std::uint8_t { done, would_block, broken };

    /// Puts `item` into the buffer, also for the first who waits for one. It is moved from only if
    /// that is done.
    Attempt send(Slot<T>& item) {
        if (!is_open(ChannelRole::receiver)) {
            return Attempt::broken;
        }
        const bool awaited = !waiters(ChannelRole::receiver).empty();
        if (!awaited && size() >= capacity_) {
            return Attempt::would_block;
        }
        items_.reserve(items_.size() + 1);
        items_.push_slot(std::move(item));
        if (awaited) {
            serve_first();
        }
        return Attempt::done;
    }

    /// The oldest item. An empty one tells `why`; it is not the end while one may be left over.
    std::optional<Slot<T>> receive(Attempt& why) noexcept {
        WaiterList& senders = waiters(ChannelRole::sender);
        std::optional<Slot<T>> item;
        if (size() == 0 && senders.empty()) {
            const bool more = is_open(ChannelRole::sender) || served_ > 0;
            why = more ? Attempt::would_block : Attempt::broken;
        } else if (items_.size() == 0) {
            item.emplace(take_from_first(senders));
        } else {
            item.emplace(items_.pop_slot());
            if (!senders.empty() && items_.size() < capacity_ + served_) {
                items_.push_slot(take_from_first(senders));
            }
        }
        return item;
    }

    /// What a receiver has been served with.
    Slot<T> receive_served() noexcept {
        Slot<T> item = items_.pop_slot();
        settle(true);
        return item;
    }

private:
    friend SendAwaiter<T>;
    friend ReceiveAwaiterBase<T>;

    [[nodiscard]] std::size_t size() const noexcept override { return items_.size() - served_; }
    void drop_items() noexcept override {
        Ring<T> dropped;
        dropped.swap(items_);
    }

    Slot<T> take_from_first(WaiterList& senders) noexcept;

    Ring<T> items_;
};

/// A channel, kept, and one of its ends; empty if that is closed.
template <class T>
class ChannelRef {
public:
    ChannelRef() = default;
    ChannelRef(Channel<T>& channel, std::uint64_t end) noexcept : channel_(&channel), end_(end) {
        channel.retain();
    }
    ChannelRef(const ChannelRef& other) noexcept : channel_(other.channel_), end_(other.end_) {
        if (channel_ != nullptr) {
            channel_->retain();
        }
    }
    ChannelRef(ChannelRef&& other) noexcept
        : channel_(std::exchange(other.channel_, nullptr)), end_(other.end_) {}
    ChannelRef& operator=(ChannelRef other) noexcept {
        std::swap(channel_, other.channel_);
        std::swap(end_, other.end_);
        return *this;
    }
    ~ChannelRef() {
        if (channel_ != nullptr) {
            channel_->release();
        }
    }

    [[nodiscard]] std::uint64_t end() const noexcept { return end_; }
    explicit operator bool() const noexcept { return channel_ != nullptr; }
    Channel<T>* operator->() const noexcept { return channel_; }

private:
    Channel<T>* channel_ = nullptr;
    std::uint64_t end_ = 0;
};

/// What both kinds of awaiters have in common: it refers to the channel, not to the end, which may
/// be moved or destroyed meanwhile.
template <class T>
class ChannelAwaiter : public ChannelWaiter {
protected:
    ChannelAwaiter(ChannelRef<T>&& channel, ChannelRole role) noexcept
        : ChannelWaiter(channel.end()), channel_(std::move(channel)), role_(role) {}
    ~ChannelAwaiter() {
        if (this->linked()) {
            this->unlink();
        }
    }

    /// Was the end closed before it was awaited?
    [[nodiscard]] bool closed() const noexcept { return !channel_ || !channel_->is_open(role_); }
    void suspend() { channel_->wait(*this, role_); }

    ChannelRef<T> channel_;

private:
    ChannelRole role_;
};

template <class T>
class [[nodiscard]] SendAwaiter final : public ChannelAwaiter<T> {
    using Attempt = typename Channel<T>::Attempt;
    using State = typename ChannelWaiter::State;

public:
    SendAwaiter(ChannelRef<T>&& channel, Slot<T>&& item) noexcept
        : ChannelAwaiter<T>(std::move(channel), ChannelRole::sender), item_(std::move(item)) {}

    [[nodiscard]] bool await_ready() {
        if (this->closed()) {
            this->state_ = State::closed;
            return true;
        }
        attempt_ = this->channel_->send(item_);
        return attempt_ != Attempt::would_block;
    }
    template <class P>
        requires std::derived_from<P, PromiseBase>
    void await_suspend(std::coroutine_handle<P>) {
        this->suspend();
    }
    void await_resume() {
        if (std::exception_ptr error = outcome()) {
            std::rethrow_exception(std::move(error));
        }
    }
    Result<void> await_result() {
        std::exception_ptr error = outcome();
        return error != nullptr ? Result<void>(std::move(error)) : Result<void>(std::in_place);
    }

    [[nodiscard]] const char* reason() const noexcept override { return "channel send"; }

private:
    friend Channel<T>;

    std::exception_ptr outcome() {
        if (attempt_ != Attempt::would_block) {
            return attempt_ == Attempt::done ? nullptr : make_broken_channel();
        }
        if (this->state_ == State::served) {
            if (this->task_->interrupted()) {
                this->task_->postpone_interrupt();  // it cannot be taken back
            }
            return nullptr;
        }
        if (this->task_ != nullptr) {
            if (std::exception_ptr error = this->task_->take_interrupt()) {
                return error;
            }
        }
        return this->state_ == State::closed ? make_closed_channel() : make_broken_channel();
    }

    Slot<T> item_;
    Attempt attempt_ = Attempt::would_block;
};

template <class T>
class ReceiveAwaiterBase : public ChannelAwaiter<T> {
    using Attempt = typename Channel<T>::Attempt;
    using State = typename ChannelWaiter::State;

public:
    explicit ReceiveAwaiterBase(ChannelRef<T>&& channel) noexcept
        : ChannelAwaiter<T>(std::move(channel), ChannelRole::receiver) {}

    [[nodiscard]] bool await_ready() noexcept {
        if (this->closed()) {
            this->state_ = State::closed;
            return true;
        }
        item_ = this->channel_->receive(attempt_);
        return item_.has_value() || attempt_ != Attempt::would_block;
    }
    template <class P>
        requires std::derived_from<P, PromiseBase>
    void await_suspend(std::coroutine_handle<P>) {
        this->suspend();
    }

    [[nodiscard]] const char* reason() const noexcept override { return "channel receive"; }

protected:
    ~ReceiveAwaiterBase() {
        if (this->state_ == State::served) {
            this->channel_->settle(false);  // the loop was closed under it
        }
    }

    /// Null if there is an item. `ended` is set at the end of the channel, which then is no error.
    std::exception_ptr outcome(bool& ended) {
        std::exception_ptr error = this->task_ != nullptr ? this->task_->take_interrupt() : nullptr;
        if (this->state_ == State::served) {
            this->state_ = State::settled;
            if (error == nullptr) {
                item_.emplace(this->channel_->receive_served());
            } else {
                this->channel_->settle(false);
            }
        }
        if (error != nullptr) {
            return error;
        }
        if (this->state_ == State::closed) {
            return make_closed_channel();
        }
        ended = !item_.has_value();
        return nullptr;
    }
    T take() { return std::move(item_->item()); }

private:
    friend Channel<T>;

    std::optional<Slot<T>> item_;
    Attempt attempt_ = Attempt::would_block;
};

/// Gives an item, or throws EndOfChannel.
template <class T>
class [[nodiscard]] ReceiveAwaiter final : public ReceiveAwaiterBase<T> {
public:
    using ReceiveAwaiterBase<T>::ReceiveAwaiterBase;

    T await_resume() {
        if (std::exception_ptr error = failure()) {
            std::rethrow_exception(std::move(error));
        }
        return this->take();
    }
    Result<T> await_result() {
        if (std::exception_ptr error = failure()) {
            return Result<T>(std::move(error));
        }
        return Result<T>::of([this] { return this->take(); });
    }

private:
    std::exception_ptr failure() {
        bool ended = false;
        std::exception_ptr error = this->outcome(ended);
        return ended ? make_end_of_channel() : error;
    }
};

/// Gives an item, or nullopt at the end of the channel.
template <class T>
class [[nodiscard]] NextAwaiter final : public ReceiveAwaiterBase<T> {
public:
    using ReceiveAwaiterBase<T>::ReceiveAwaiterBase;

    std::optional<T> await_resume() {
        bool ended = false;
        if (std::exception_ptr error = this->outcome(ended)) {
            std::rethrow_exception(std::move(error));
        }
        return ended ? std::nullopt : std::optional<T>(this->take());
    }
    Result<std::optional<T>> await_result() {
        bool ended = false;
        if (std::exception_ptr error = this->outcome(ended)) {
            return Result<std::optional<T>>(std::move(error));
        }
        return Result<std::optional<T>>::of(
            [this, ended] { return ended ? std::nullopt : std::optional<T>(this->take()); });
    }
};

template <class T>
Slot<T> Channel<T>::take_from_first(WaiterList& senders) noexcept {
    auto& sender = static_cast<SendAwaiter<T>&>(senders.pop_front());
    sender.wake(SendAwaiter<T>::State::served);
    return std::move(sender.item_);
}

/// What receive() and next() give. It may be awaited when the end is gone.
template <class T, class Awaiter>
class [[nodiscard]] Receive {
public:
    explicit Receive(ChannelRef<T> channel) noexcept : channel_(std::move(channel)) {}
    Awaiter operator co_await() && noexcept { return Awaiter(std::move(channel_)); }

private:
    ChannelRef<T> channel_;
};

/// What send() gives: keeps the item until it is awaited, once.
template <class T>
class [[nodiscard]] Send {
public:
    Send(ChannelRef<T> channel, T&& item) : channel_(std::move(channel)), item_(std::move(item)) {}
    SendAwaiter<T> operator co_await() && noexcept {
        return SendAwaiter<T>(std::move(channel_), std::move(item_));
    }

private:
    ChannelRef<T> channel_;
    Slot<T> item_;
};

}  // namespace detail

}  // namespace asyncio
