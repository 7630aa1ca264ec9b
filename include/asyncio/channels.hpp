// channels.hpp - what tasks hand things to each other through, with ends that can be closed:
// memory_channel.
//
// Beyond asyncio: after Trio and AnyIO. What it is for: docs/beyond.md#memory-channels.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/channel.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

namespace asyncio {

/// As the capacity of a channel: send() never waits.
inline constexpr std::size_t unbounded = std::numeric_limits<std::size_t>::max();

namespace detail {

/// An end: a copy is another end (a clone), and what is destroyed is closed.
template <class T, ChannelRole role>
class ChannelEnd {
public:
    ChannelEnd(const ChannelEnd& other) noexcept : channel_(cloned(other.channel_)) {}
    ChannelEnd(ChannelEnd&&) noexcept = default;
    ChannelEnd& operator=(const ChannelEnd& other) noexcept {
        if (this != &other) {
            *this = ChannelEnd(other);
        }
        return *this;
    }
    ChannelEnd& operator=(ChannelEnd&& other) noexcept {
        if (this != &other) {
            close();
            channel_ = std::move(other.channel_);
        }
        return *this;
    }
    ~ChannelEnd() { close(); }

    /// Closes this end, not its clones. Tasks that wait at it get ClosedResourceError, and so does
    /// whoever uses it from now on. Closing twice changes nothing.
    void close() noexcept {
        if (channel_) {
            const ChannelRef<T> channel = std::move(channel_);
            channel->close(role, channel.end());
        }
    }
    /// What is in the channel, and who is at it; ClosedResourceError if this end is closed.
    [[nodiscard]] MemoryChannelStatistics statistics() const { return checked()->statistics(); }

protected:
    explicit ChannelEnd(Channel<T>& channel) noexcept : channel_(channel, channel.open(role)) {}

    /// Empty if it is closed.
    [[nodiscard]] const ChannelRef<T>& channel() const noexcept { return channel_; }
    [[nodiscard]] const ChannelRef<T>& checked() const {
        if (!channel_) {
            throw ClosedResourceError();
        }
        return channel_;
    }

private:
    static ChannelRef<T> cloned(const ChannelRef<T>& channel) noexcept {
        return channel ? ChannelRef<T>(*channel.operator->(), channel->open(role))
                       : ChannelRef<T>();
    }

    ChannelRef<T> channel_;
};

}  // namespace detail

template <class T>
struct MemoryChannel;

template <class T>
MemoryChannel<T> memory_channel(std::size_t capacity);

/// The end of a memory channel that is sent into. A copy is a clone: the channel ends when all
/// have been closed. See memory_channel().
///
/// Cancellation: send() has sent nothing. If its item had been received before, it ends well, and
///         the CancelledError comes at the task's next await.
/// Errors: BrokenResourceError if all receiving ends are closed; ClosedResourceError if this one
/// is. Threads: one, and one loop.
template <class T>
class MemorySendChannel : public detail::ChannelEnd<T, detail::ChannelRole::sender> {
public:
    using value_type = T;

    /// Sends `item`; waits while the buffer is full, or, if it has no room at all, until somebody
    /// receives.
    [[nodiscard]] detail::Send<T> send(T item) {
        return detail::Send<T>(this->channel(), std::move(item));
    }
    /// Sends `item`, or throws WouldBlock.
    void send_nowait(T item) {
        using Attempt = typename detail::Channel<T>::Attempt;
        detail::Slot<T> slot(std::move(item));
        switch (this->checked()->send(slot)) {
            case Attempt::done:
                return;
            case Attempt::broken:
                throw BrokenResourceError();
            case Attempt::would_block:
                throw WouldBlock();
        }
    }
    /// Another end into the same channel; a copy, with a name for it. ClosedResourceError if this
    /// one is closed.
    [[nodiscard]] MemorySendChannel clone() const {
        static_cast<void>(this->checked());
        return *this;
    }

private:
    friend MemoryChannel<T> memory_channel<T>(std::size_t capacity);
    using detail::ChannelEnd<T, detail::ChannelRole::sender>::ChannelEnd;
};

/// The end of a memory channel that is received from. A copy is a clone: each item goes to one of
/// them. When all have been closed, what is in the channel is dropped. See memory_channel().
///
///     while (auto item = co_await receive.next()) { use(*item); }
///
/// Cancellation: takes nothing: an item that the task was woken for is left to the next who waits,
///         or in the buffer.
/// Errors: EndOfChannel when all is received and all sending ends are closed; ClosedResourceError
/// if
///         this end is.
/// Threads: one, and one loop.
template <class T>
class MemoryReceiveChannel : public detail::ChannelEnd<T, detail::ChannelRole::receiver> {
public:
    using value_type = T;

    /// The next item; waits for one. EndOfChannel if there will be none.
    [[nodiscard]] detail::Receive<T, detail::ReceiveAwaiter<T>> receive() {
        return detail::Receive<T, detail::ReceiveAwaiter<T>>(this->channel());
    }
    /// The same as std::optional, empty at the end: Python's `async for`.
    [[nodiscard]] detail::Receive<T, detail::NextAwaiter<T>> next() {
        return detail::Receive<T, detail::NextAwaiter<T>>(this->channel());
    }
    /// The next item, or throws WouldBlock.
    T receive_nowait() {
        using Attempt = typename detail::Channel<T>::Attempt;
        Attempt why = Attempt::done;
        std::optional<detail::Slot<T>> item = this->checked()->receive(why);
        if (item.has_value()) {
            return std::move(item->item());
        }
        if (why == Attempt::would_block) {
            throw WouldBlock();
        }
        throw EndOfChannel();
    }
    /// Another end out of the same channel; a copy, with a name for it. ClosedResourceError if this
    /// one is closed.
    [[nodiscard]] MemoryReceiveChannel clone() const {
        static_cast<void>(this->checked());
        return *this;
    }

private:
    friend MemoryChannel<T> memory_channel<T>(std::size_t capacity);
    using detail::ChannelEnd<T, detail::ChannelRole::receiver>::ChannelEnd;
};

/// Both ends of a channel.
template <class T>
struct MemoryChannel {
    MemorySendChannel<T> send;
    MemoryReceiveChannel<T> receive;
};

/// A channel that holds at most `capacity` items that are sent and not yet received; with 0 each
/// send() waits for its receive().
///
///     auto [send, receive] = memory_channel<std::string>(10);
///
/// First in, first out, and so are those who wait: whoever has waited longest is the first to be
/// woken for an item. T can be moved; it need not be copyable. Waiting allocates nothing.
/// (Trio's open_memory_channel, AnyIO's create_memory_object_stream.)
template <class T>
MemoryChannel<T> memory_channel(std::size_t capacity) {
    auto* const channel = new detail::Channel<T>(capacity);
    MemoryChannel<T> ends{MemorySendChannel<T>(*channel), MemoryReceiveChannel<T>(*channel)};
    channel->release();  // the ends have it
    return ends;
}

}  // namespace asyncio
