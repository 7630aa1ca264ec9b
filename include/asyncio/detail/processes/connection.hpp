// connection.hpp - objects from process to process: Connection, open_connection_pair() (Python's
// Pipe()), ProcessQueue.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/descriptors.hpp>
#include <asyncio/detail/processes/codec.hpp>
#include <asyncio/exceptions.hpp>
#include <asyncio/time.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace asyncio {

/// Nobody is at the other end any more, and everything has been received.
class EOFError : public RuntimeError {
public:
    using RuntimeError::RuntimeError;
    ~EOFError() override;
};

namespace detail {

/// One end of a socket that carries whole messages: each is received once, by one of those who
/// wait, or not at all. What is large goes by memory whose descriptor is sent. A process that is
/// killed leaves no lock behind and no half of a message.
class MessageEnd {
public:
    MessageEnd() = default;
    explicit MessageEnd(FileDescriptor fd) noexcept : fd_(std::move(fd)) {}
    /// Both ends of a new one. OSError.
    static std::pair<MessageEnd, MessageEnd> make_pair();

    /// Waits while it is full, at most so long. TimeoutError, BrokenPipeError.
    void send(std::string bytes, std::optional<Duration> timeout) const;
    /// Waits for a message. TimeoutError, EOFError.
    [[nodiscard]] std::string receive(std::optional<Duration> timeout) const;
    /// Is there one, or the end, within this time?
    [[nodiscard]] bool poll(Duration timeout) const;

    /// The same without blocking the loop; cancelled, they have done nothing.
    [[nodiscard]] Coroutine<> coro_send(std::string bytes) const;
    [[nodiscard]] Coroutine<std::string> coro_receive() const;

    [[nodiscard]] int fileno() const noexcept { return fd_.fileno(); }
    void close() noexcept { fd_.close(); }

private:
    FileDescriptor fd_;
};

template <class T>
std::string to_bytes(const T& value) {
    WireWriter writer;
    write_value<T>(writer, value);
    if (!writer.descriptors().empty()) {
        throw TypeError("descriptors go with calls only, not through pipes and queues");
    }
    return std::move(writer.written());
}

template <class T>
T from_bytes(const std::string& bytes) {
    const WireDocument document(bytes);
    return read_value<T>(document.value());
}

template <class T>
Coroutine<T> received_as(Coroutine<std::string> receiving) {
    const std::string bytes = co_await std::move(receiving);
    co_return from_bytes<T>(bytes);
}

}  // namespace detail

/// One end of a pipe between processes, for objects: Python's
/// multiprocessing.connection.Connection. Movable; sent to a worker by const&, which then has the
/// same end as well.
///
///     auto [ours, theirs] = open_connection_pair();
///     auto done = loop.run_in_executor(&pool, produce, theirs);   // calls theirs.send(...)
///     theirs.close();                                             // so that the end can be seen
///     Item item = co_await ours.coro_recv<Item>();
///
/// recv() and send() wait, for processes without a loop; on a loop use coro_recv() and coro_send().
/// The receiver has to ask for the type that was sent.
///
/// Errors:  EOFError when the other end is closed by all, BrokenPipeError when sending then;
///          RuntimeError if another type was sent.
/// Threads: any; each object is received by one of those who wait.
class Connection {
public:
    explicit Connection(detail::MessageEnd end) noexcept : end_(std::move(end)) {}

    template <Sendable T>
    void send(const T& value) const {
        end_.send(detail::to_bytes(value), std::nullopt);
    }
    template <Sendable T>
    [[nodiscard]] T recv(std::optional<Duration> timeout = std::nullopt) const {
        return detail::from_bytes<T>(end_.receive(timeout));
    }
    /// Is there something to receive, or the end, within this time?
    [[nodiscard]] bool poll(Duration timeout = Duration()) const { return end_.poll(timeout); }

    template <Sendable T>
    [[nodiscard]] Coroutine<> coro_send(const T& value) const {
        return end_.coro_send(detail::to_bytes(value));
    }
    template <Sendable T>
    [[nodiscard]] Coroutine<T> coro_recv() const {
        return detail::received_as<T>(end_.coro_receive());
    }

    [[nodiscard]] int fileno() const noexcept { return end_.fileno(); }
    void close() noexcept { end_.close(); }

private:
    detail::MessageEnd end_;
};

/// Both ends of a new pipe between processes, each to send and to receive: Python's
/// multiprocessing.Pipe(). (Pipe is one of bytes here: pipes.hpp.)
struct ConnectionPair {
    Connection first;
    Connection second;
};
[[nodiscard]] ConnectionPair open_connection_pair();

/// A queue of T between any number of processes, first in, first out: Python's
/// multiprocessing.Queue. Movable; sent to workers by const&, who have the same queue then.
///
/// It is as long as the kernel's buffer for sockets (some hundred small items): put() waits while
/// it is full. There is no end but what the program puts in as such.
///
/// put() and get() wait, for processes without a loop; on a loop use coro_put() and coro_get().
///
/// Errors:  QueueEmpty from get_nowait(), TimeoutError.
/// Threads: any. An item is got by one of those who wait, once; killed processes leave no lock.
template <class T>
class ProcessQueue {
public:
    ProcessQueue() : ProcessQueue(detail::MessageEnd::make_pair()) {}
    ProcessQueue(detail::MessageEnd in, detail::MessageEnd out) noexcept
        : in_(std::move(in)), out_(std::move(out)) {}

    void put(const T& item, std::optional<Duration> timeout = std::nullopt) const {
        in_.send(detail::to_bytes(item), timeout);
    }
    [[nodiscard]] T get(std::optional<Duration> timeout = std::nullopt) const {
        return detail::from_bytes<T>(out_.receive(timeout));
    }
    [[nodiscard]] T get_nowait() const {
        try {
            return get(Duration());
        } catch (const TimeoutError&) {
            throw QueueEmpty();
        }
    }
    [[nodiscard]] bool empty() const { return !out_.poll(Duration()); }

    [[nodiscard]] Coroutine<> coro_put(const T& item) const {
        return in_.coro_send(detail::to_bytes(item));
    }
    [[nodiscard]] Coroutine<T> coro_get() const {
        return detail::received_as<T>(out_.coro_receive());
    }

private:
    friend struct detail::Wire<ProcessQueue>;
    explicit ProcessQueue(std::pair<detail::MessageEnd, detail::MessageEnd> ends) noexcept
        : in_(std::move(ends.first)), out_(std::move(ends.second)) {}

    detail::MessageEnd in_;
    detail::MessageEnd out_;
};

namespace detail {

template <>
struct Wire<asyncio::Connection> {
    static void write(WireWriter& writer, const asyncio::Connection& connection) {
        writer.descriptor(connection.fileno());
    }
    static asyncio::Connection read(const WireValue& value) {
        return asyncio::Connection(MessageEnd(value.descriptor()));
    }
};

template <class T>
struct Wire<ProcessQueue<T>> {
    static void write(WireWriter& writer, const ProcessQueue<T>& queue) {
        static_assert(Sendable<T>, "the items of this queue cannot be sent");
        writer.array(2);
        writer.descriptor(queue.in_.fileno());
        writer.descriptor(queue.out_.fileno());
    }
    static ProcessQueue<T> read(const WireValue& value) {
        value.expect_size(2);
        MessageEnd in(value[0].descriptor());
        MessageEnd out(value[1].descriptor());
        return ProcessQueue<T>(std::move(in), std::move(out));
    }
};

}  // namespace detail

}  // namespace asyncio
