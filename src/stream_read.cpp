// stream_read.cpp - what a task that reads is to get, and whether it is there yet.
//
// SPDX-License-Identifier: MIT
#include <asyncio/detail/stream_read.hpp>

#include "streams.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <utility>

namespace asyncio::detail {

// -------------------------------------------------------------------------------- Separators

Separators::Separators(std::vector<std::string> all) : count_(all.size()) {
    if (!all.empty()) {
        first_ = std::move(all.front());
        all.erase(all.begin());
    }
    more_ = std::move(all);
}

bool Separators::valid() const noexcept {
    return count_ > 0 && !first_.empty() &&
           std::none_of(more_.begin(), more_.end(),
                        [](const std::string& separator) { return separator.empty(); });
}

// Made at the first use, because it may be that of another static's constructor.
static const Separators& newline() {
    static const Separators separators("\n");
    return separators;
}

// -------------------------------------------------------------------------------- ReadWaiter

ReadWaiter::ReadWaiter(StreamCount& stream, ReadKind kind, std::size_t wanted) noexcept
    : stream_(stream_of(stream)), wanted_(wanted), separators_(nullptr), kind_(kind) {}

ReadWaiter::ReadWaiter(StreamCount& stream, ReadKind kind, const Separators& separators) noexcept
    : stream_(stream_of(stream)), separators_(&separators), kind_(kind) {}

ReadWaiter::ReadWaiter(StreamCount& stream, std::span<std::byte> into) noexcept
    : stream_(stream_of(stream)), wanted_(into.size()), into_(into.data()), kind_(ReadKind::into) {}

ReadWaiter::~ReadWaiter() {
    leave();
}

ReadAwaiter ReadLine::operator co_await() const noexcept {
    return {stream_.get(), ReadKind::line, newline()};
}

NextLineAwaiter::NextLineAwaiter(StreamCount& stream) noexcept
    : ReadWaiter(stream, ReadKind::line, newline()) {}

// What is in the buffer is given without a turn of the loop, as in CPython; and so is what the
// system has. The proactor sees to it that a peer that always has more does not keep the task from
// letting others run.
bool ReadWaiter::ready() {
    constexpr int most_receives = 4;

    if (kind_ == ReadKind::until && !separators_->valid()) {
        state_ = State::invalid;
        return true;
    }
    if (stream_.exception() != nullptr) {
        state_ = State::failed;
        return true;
    }
    if (wanted_ == 0 &&
        (kind_ == ReadKind::some || kind_ == ReadKind::into || kind_ == ReadKind::exactly)) {
        return true;
    }
    if (stream_.reader() != nullptr) {
        state_ = State::refused;
        return true;
    }
    for (int i = 0; !satisfied(); ++i) {
        if (stream_.orphaned()) {
            state_ = State::orphaned;
            return true;
        }
        if (i == most_receives || !stream_.receive(*this)) {
            return false;
        }
        if (stream_.exception() != nullptr) {
            state_ = State::failed;
            return true;
        }
    }
    return true;
}

void ReadWaiter::suspend() noexcept {
    task_ = &lowlevel::running_task();
    task_->park(*this);
    state_ = State::waiting;
    stream_.set_reader(this);
    stream_.want_data();
}

// What the system has begun on the stream's behalf goes on: it only finds out that there is
// something to receive.
bool ReadWaiter::abort(TaskBase& task, lowlevel::CancelMessage message) noexcept {
    stream_.set_reader(nullptr);
    task.interrupt(message);
    task.wake();
    return true;
}

void ReadWaiter::leave() noexcept {
    if (stream_.reader() == this) {
        stream_.set_reader(nullptr);
    }
}

std::exception_ptr ReadWaiter::cancellation() {
    leave();
    return task_ != nullptr && task_->interrupted() ? task_->take_interrupt() : nullptr;
}

// Throws what keeps the read from giving anything.
void ReadWaiter::finish() {
    leave();
    if (task_ != nullptr) {
        task_->throw_if_interrupted();
    }
    if (state_ == State::invalid) {
        raise_value_error(separators_->count() == 0
                              ? "Separator should contain at least one element"
                              : "Separator should be at least one-byte string");
    }
    if (state_ == State::failed) {
        std::rethrow_exception(stream_.exception());
    }
    if (state_ == State::orphaned) {
        std::rethrow_exception(loop_is_closed());
    }
    if (state_ == State::refused) {
        const char* name = "readuntil";
        if (kind_ == ReadKind::some || kind_ == ReadKind::all) {
            name = "read";
        } else if (kind_ == ReadKind::into) {
            name = "read_into";
        } else if (kind_ == ReadKind::exactly) {
            name = "readexactly";
        }
        throw RuntimeError(
            std::string(name) +
            "() called while another coroutine is already waiting for incoming data");
    }
}

bool ReadWaiter::satisfied() {
    const std::size_t size = stream_.buffered().size();
    switch (kind_) {
        case ReadKind::some:
            return size > 0 || stream_.ended();
        case ReadKind::into:
            return size > 0 || offset_ > 0 || stream_.ended();
        case ReadKind::exactly:
            return size >= wanted_ || stream_.ended();
        case ReadKind::all:
            return stream_.ended();
        default:
            return search() != Match::none || stream_.ended();
    }
}

// The match that ends first; of several the shortest separator. What was searched is not searched
// again, but for as many bytes as a separator that has begun may have.
ReadWaiter::Match ReadWaiter::search() {
    if (found_) {
        return Match::found;
    }
    const std::string_view data = stream_.buffered();
    const Separators& separators = *separators_;
    std::size_t shortest = std::numeric_limits<std::size_t>::max();
    std::size_t longest = 0;
    for (std::size_t i = 0; i < separators.count(); ++i) {
        shortest = std::min(shortest, separators[i].size());
        longest = std::max(longest, separators[i].size());
    }
    if (data.size() < offset_ + shortest) {
        return offset_ > stream_.limit() ? Match::over_limit : Match::none;
    }
    std::size_t first_start = 0;
    std::size_t first_end = std::numeric_limits<std::size_t>::max();
    for (std::size_t i = 0; i < separators.count(); ++i) {
        const std::size_t start = data.find(separators[i], offset_);
        if (start != std::string_view::npos) {
            const std::size_t end = start + separators[i].size();
            if (end < first_end || (end == first_end && start > first_start)) {
                first_start = start;
                first_end = end;
                found_ = true;
            }
        }
    }
    if (found_) {
        offset_ = first_start;
        wanted_ = first_end;
        return Match::found;
    }
    offset_ = data.size() + 1 > longest ? data.size() + 1 - longest : 0;
    return offset_ > stream_.limit() ? Match::over_limit : Match::none;
}

std::string ReadWaiter::take() {
    finish();
    switch (kind_) {
        case ReadKind::some:
            return wanted_ == 0 ? std::string() : stream_.take(wanted_);
        case ReadKind::all:
            return stream_.take_all();
        case ReadKind::exactly:
            if (stream_.buffered().size() < wanted_) {
                throw IncompleteReadError(stream_.take_all(), wanted_);
            }
            return wanted_ == 0 ? std::string() : stream_.take(wanted_);
        case ReadKind::line:
            return take_line();
        default:
            return take_until();
    }
}

std::string ReadWaiter::take_until() {
    const Match match = search();
    if (match == Match::none) {
        throw IncompleteReadError(stream_.take_all(), std::nullopt);
    }
    if (match == Match::over_limit) {
        throw LimitOverrunError("Separator is not found, and chunk exceed the limit", offset_);
    }
    if (offset_ > stream_.limit()) {
        throw LimitOverrunError("Separator is found, but chunk is longer than limit", offset_);
    }
    return stream_.take(wanted_);
}

std::string ReadWaiter::take_line() {
    const Match match = search();
    if (match == Match::none) {
        return stream_.take_all();
    }
    if (match == Match::over_limit) {
        stream_.discard(stream_.buffered().size());
        raise_value_error("Separator is not found, and chunk exceed the limit");
    }
    if (offset_ > stream_.limit()) {
        stream_.discard(wanted_);
        raise_value_error("Separator is found, but chunk is longer than limit");
    }
    return stream_.take(wanted_);
}

std::size_t ReadWaiter::take_into() {
    finish();
    if (offset_ > 0) {
        return offset_;
    }
    const std::size_t size = stream_.buffered().copy(reinterpret_cast<char*>(into_), wanted_);
    stream_.discard(size);
    return size;
}

std::optional<std::string> NextLineAwaiter::await_resume() {
    std::string line = take();
    if (line.empty()) {
        return std::nullopt;
    }
    return line;
}

}  // namespace asyncio::detail
