// stream_read.hpp - what the reads of a StreamReader are awaited with.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/detail/stream_handle.hpp>
#include <asyncio/lowlevel/waiter.hpp>
#include <asyncio/result.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asyncio::detail {

class Stream;

inline constexpr std::size_t default_stream_limit = std::size_t{64} * 1024;

/// One or more separators.
class Separators {
public:
    explicit Separators(std::string_view only) : first_(only), count_(1) {}
    explicit Separators(std::vector<std::string> all);

    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    /// There is one, and none is empty.
    [[nodiscard]] bool valid() const noexcept;
    [[nodiscard]] std::string_view operator[](std::size_t index) const noexcept {
        return index == 0 ? first_ : more_[index - 1];
    }

private:
    std::string first_;
    std::vector<std::string> more_;
    std::size_t count_;
};

enum class ReadKind : std::uint8_t { some, into, exactly, all, until, line };

/// A task that reads, and what it is to get. What is received goes to the stream's buffer, and from
/// there to the task when it runs; so whatever happens to the task, no byte is lost.
class ReadWaiter : public lowlevel::Waiter {
public:
    ReadWaiter(const ReadWaiter&) = delete;
    ReadWaiter& operator=(const ReadWaiter&) = delete;

    [[nodiscard]] bool await_ready() { return ready(); }
    template <class P>
        requires std::derived_from<P, PromiseBase>
    void await_suspend(std::coroutine_handle<P>) noexcept {
        suspend();
    }
    bool abort(TaskBase& task, lowlevel::CancelMessage message) noexcept override;
    [[nodiscard]] const char* reason() const noexcept override { return "read"; }

protected:
    ReadWaiter(StreamCount& stream, ReadKind kind, std::size_t wanted) noexcept;
    ReadWaiter(StreamCount& stream, ReadKind kind, const Separators& separators) noexcept;
    ReadWaiter(StreamCount& stream, std::span<std::byte> into) noexcept;
    ~ReadWaiter();

    std::string take();
    std::size_t take_into();
    /// The CancelledError, if the task was cancelled while it waited; null otherwise.
    [[nodiscard]] std::exception_ptr cancellation();

private:
    friend class Stream;

    enum class State : std::uint8_t {
        begun,
        invalid,  // its separators are
        refused,  // another task reads
        failed,   // the stream has an exception
        orphaned,
        waiting,
        woken,
    };
    enum class Match : std::uint8_t { none, found, over_limit };

    bool ready();
    void suspend() noexcept;
    void leave() noexcept;
    void finish();
    [[nodiscard]] bool satisfied();
    [[nodiscard]] Match search();
    std::string take_line();
    std::string take_until();

    Stream& stream_;
    TaskBase* task_ = nullptr;
    std::size_t wanted_ = 0;  // of `until` and `line`, once it was found: where the separator ends
    std::size_t offset_ = 0;  // where it begins, or where to go on searching; of `into`: how many
                              // bytes are in place
    union {
        const Separators* separators_;
        std::byte* into_;
    };
    ReadKind kind_;
    State state_ = State::begun;
    bool found_ = false;
};

class [[nodiscard]] ReadAwaiter final : public ReadWaiter {
public:
    ReadAwaiter(StreamCount& stream, ReadKind kind, std::size_t wanted) noexcept
        : ReadWaiter(stream, kind, wanted) {}
    ReadAwaiter(StreamCount& stream, ReadKind kind, const Separators& separators) noexcept
        : ReadWaiter(stream, kind, separators) {}
    std::string await_resume() { return take(); }
    Result<std::string> await_result() {
        if (std::exception_ptr cancelled = cancellation()) {
            return Result<std::string>(std::move(cancelled));
        }
        return Result<std::string>::of([this] { return take(); });
    }
};

class [[nodiscard]] ReadIntoAwaiter final : public ReadWaiter {
public:
    ReadIntoAwaiter(StreamCount& stream, std::span<std::byte> into) noexcept
        : ReadWaiter(stream, into) {}
    std::size_t await_resume() { return take_into(); }
    Result<std::size_t> await_result() {
        if (std::exception_ptr cancelled = cancellation()) {
            return Result<std::size_t>(std::move(cancelled));
        }
        return Result<std::size_t>::of([this] { return take_into(); });
    }
};

class [[nodiscard]] NextLineAwaiter final : public ReadWaiter {
public:
    explicit NextLineAwaiter(StreamCount& stream) noexcept;
    std::optional<std::string> await_resume();
};

class [[nodiscard]] Read {
public:
    Read(StreamCount& stream, ReadKind kind, std::size_t wanted) noexcept
        : stream_(stream), wanted_(wanted), kind_(kind) {}
    ReadAwaiter operator co_await() const noexcept { return {stream_.get(), kind_, wanted_}; }

private:
    StreamKeep stream_;
    std::size_t wanted_;
    ReadKind kind_;
};

class [[nodiscard]] ReadInto {
public:
    ReadInto(StreamCount& stream, std::span<std::byte> into) noexcept
        : stream_(stream), into_(into) {}
    ReadIntoAwaiter operator co_await() const noexcept { return {stream_.get(), into_}; }

private:
    StreamKeep stream_;
    std::span<std::byte> into_;
};

class [[nodiscard]] ReadUntil {
public:
    ReadUntil(StreamCount& stream, Separators separators)
        : stream_(stream), separators_(std::move(separators)) {}
    ReadAwaiter operator co_await() const noexcept {
        return {stream_.get(), ReadKind::until, separators_};
    }

private:
    StreamKeep stream_;
    Separators separators_;
};

class [[nodiscard]] ReadLine {
public:
    explicit ReadLine(StreamCount& stream) noexcept : stream_(stream) {}
    ReadAwaiter operator co_await() const noexcept;

private:
    StreamKeep stream_;
};

class [[nodiscard]] NextLine {
public:
    explicit NextLine(StreamCount& stream) noexcept : stream_(stream) {}
    NextLineAwaiter operator co_await() const noexcept { return NextLineAwaiter(stream_.get()); }

private:
    StreamKeep stream_;
};

}  // namespace asyncio::detail
