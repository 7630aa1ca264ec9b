// streams.cpp - reading and writing by tasks, whatever carries the bytes.
//
// SPDX-License-Identifier: MIT
#include <asyncio/streams.hpp>

#include <asyncio/detail/config.hpp>
#include <asyncio/log.hpp>

#include "streams.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace asyncio {

namespace detail {

static Stream& stream_of(StreamCount& count) noexcept {
    return static_cast<Stream&>(count);
}
static Connection& connection_of(StreamCount& count) noexcept {
    return static_cast<Connection&>(count);
}

// Out of line: inlined, g++ 12 takes the handle in an empty std::optional for one that is used.
StreamHandle::~StreamHandle() {
    if (count_ != nullptr) {
        count_->drop_handle();
    }
}

void StreamCount::drop_handle() noexcept {
    if (--handles_ == 0) {
        abandoned();
    }
    release();
}

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

// ------------------------------------------------------------------------------------ Stream

Stream::Stream(std::size_t limit) : limit_(limit) {
    if (limit == 0) {
        raise_value_error("Limit cannot be <= 0");
    }
}

// Room is made at the front when half of the buffer has been read, so that each byte is moved once
// at most.
void Stream::feed_data(std::string_view data) {
    if (ended_) {
        raise_runtime_error("feed_data after feed_eof");
    }
    if (data.empty()) {
        return;
    }
    if (buffer_.empty()) {
        buffer_ = std::string(data);
    } else {
        if (begin_ > buffer_.size() / 2) {
            buffer_.erase(0, std::exchange(begin_, 0));
        }
        buffer_.append(data);
    }
    notify();
}

void Stream::feed_eof() {
    ended_ = true;
    notify();
}

void Stream::set_exception(std::exception_ptr error) {
    exception_ = std::move(error);
    if (reader_ != nullptr && reader_->state_ == ReadWaiter::State::waiting) {
        wake(*reader_);
        reader_->state_ = ReadWaiter::State::failed;
    }
}

void Stream::notify() {
    if (reader_waits()) {
        return;
    }
    if (reader_ != nullptr && reader_->state_ == ReadWaiter::State::waiting) {
        wake(*reader_);
    }
}

bool Stream::reader_waits() const noexcept {
    return reader_ != nullptr && reader_->state_ == ReadWaiter::State::waiting &&
           !reader_->satisfied();
}

void Stream::wake(ReadWaiter& reader) noexcept {
    reader.state_ = ReadWaiter::State::woken;
    reader.task_->wake();
}

// A buffer that was read to its end is given up: connections that wait have none.
std::string Stream::take(std::size_t n) {
    const std::string_view data = buffered();
    if (n >= data.size() && begin_ == 0) {
        return std::exchange(buffer_, std::string());
    }
    std::string taken(data.substr(0, n));
    discard(n);
    return taken;
}

void Stream::discard(std::size_t n) noexcept {
    begin_ += n;
    if (begin_ >= buffer_.size()) {
        std::string().swap(buffer_);
        begin_ = 0;
    }
}

// A small one is better served from the buffer, which takes all that is there in one system call.
std::span<char> Stream::direct(const ReadWaiter& reader) const noexcept {
    constexpr std::size_t least = 1024;
    if (reader.kind_ != ReadKind::into || reader.wanted_ < least || !buffered().empty()) {
        return {};
    }
    return {reinterpret_cast<char*>(reader.into_), reader.wanted_};
}

void Stream::fed_directly(ReadWaiter& reader, std::size_t n) noexcept {
    reader.offset_ = n;
}

Stream::Delivery::Delivery(ReadWaiter& reader) noexcept : reader_(reader) {
    reader_.state_ = ReadWaiter::State::begun;
}

Stream::Delivery::~Delivery() {
    reader_.state_ = ReadWaiter::State::waiting;
}

bool Stream::satisfies(ReadWaiter& reader) noexcept {
    return reader.satisfied();
}

void Stream::run_task(ReadWaiter& reader) {
    reader.state_ = ReadWaiter::State::woken;
    static_cast<lowlevel::Callback&>(*reader.task_).run();
}

// More than was asked for, so that what is received is less than what could have been: that tells
// the proactor that there is no more, which saves it from asking.
std::size_t Stream::receive_size(const ReadWaiter& reader, std::size_t most) noexcept {
    constexpr std::size_t least = std::size_t{64} * 1024;
    return reader.kind_ == ReadKind::all ? most : std::min(std::max(reader.wanted_, least), most);
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

// -------------------------------------------------------------------------------- Connection

void Connection::set_write_buffer_limits(WriteBufferLimits limits) {
    std::size_t high = std::size_t{64} * 1024;
    if (limits.high.has_value()) {
        high = *limits.high;
    } else if (limits.low.has_value()) {
        high = 4 * *limits.low;
    }
    const std::size_t low = limits.low.value_or(high / 4);
    if (high < low) {
        throw std::invalid_argument("high (" + std::to_string(high) + ") must be >= low (" +
                                    std::to_string(low) + ") must be >= 0");
    }
    high_ = high;
    low_ = low;
    check_high_water();
}

void Connection::check_high_water() noexcept {
    if (write_buffer_size() > high_) {
        paused_ = true;
    }
}

void Connection::check_low_water() noexcept {
    if (paused_ && write_buffer_size() <= low_) {
        paused_ = false;
        drain_waiters.wake_all();
    }
}

void Connection::set_lost(std::exception_ptr error) {
    lost_ = true;
    lost_by_ = error;
    if (error != nullptr) {
        set_exception(std::move(error));
    } else {
        feed_eof();
    }
    closed_waiters.wake_all();
    while (lowlevel::Waiter* const waiter = drain_waiters.wake_first()) {
        static_cast<DrainAwaiter&>(*waiter).state_ = DrainAwaiter::State::lost;
    }
}

void Connection::dropped_write() noexcept {
    constexpr std::uint8_t log_from = 5;
    if (in_vain_ >= log_from) {
        log(Level::warning, "socket.send() raised exception.");
    } else {
        ++in_vain_;
    }
}

// ---------------------------------------------------------------------------- tasks that wait

// CPython's order: the reader's exception first; a connection that is being closed gets a turn to
// become lost.
bool DrainAwaiter::await_ready() noexcept {
    const Connection& connection = connection_of(connection_);
    return connection.exception() != nullptr ||
           (!connection.closing() && (connection.lost() || !connection.paused()));
}

void DrainAwaiter::suspend() noexcept {
    Connection& connection = connection_of(connection_);
    TaskBase& task = lowlevel::running_task();
    if (connection.paused() && !connection.lost() && connection.write_buffer_size() > 0) {
        state_ = State::parked;
        connection.drain_waiters.park(task, *this);
    } else {
        state_ = State::yielded;
        task.wake();
    }
}

void DrainAwaiter::await_resume() {
    const Connection& connection = connection_of(connection_);
    switch (state_) {
        case State::begun:
            if (connection.exception() != nullptr) {
                std::rethrow_exception(connection.exception());
            }
            break;
        case State::yielded:
            lowlevel::running_task().throw_if_interrupted();
            break;
        default:
            lowlevel::running_task().throw_if_interrupted();
            if (state_ == State::lost && connection.lost_by() != nullptr) {
                std::rethrow_exception(connection.lost_by());
            }
            return;
    }
    if (connection.lost()) {
        throw ConnectionResetError("Connection lost");
    }
}

bool WaitClosedAwaiter::await_ready() const noexcept {
    return connection_of(connection_).lost();
}

void WaitClosedAwaiter::suspend() noexcept {
    suspended_ = true;
    connection_of(connection_).closed_waiters.park(lowlevel::running_task(), *this);
}

void WaitClosedAwaiter::await_resume() const {
    if (suspended_) {
        lowlevel::running_task().throw_if_interrupted();
    }
    if (const std::exception_ptr& error = connection_of(connection_).lost_by()) {
        std::rethrow_exception(error);
    }
}

namespace {

/// Fed by hand.
class FedStream final : public Stream {
public:
    using Stream::Stream;

private:
    void destroy() noexcept override { delete this; }
    void abandoned() noexcept override {}
};

}  // namespace

}  // namespace detail

// ------------------------------------------------------------------------------ StreamReader

using detail::connection_of;
using detail::stream_of;

StreamReader::StreamReader(std::size_t limit) : handle_(*new detail::FedStream(limit)) {}

bool StreamReader::at_eof() const {
    return stream_of(stream()).ended() && stream_of(stream()).buffered().empty();
}
void StreamReader::feed_data(std::string_view data) {
    stream_of(stream()).feed_data(data);
}
void StreamReader::feed_eof() {
    stream_of(stream()).feed_eof();
}
void StreamReader::set_exception(std::exception_ptr error) {
    stream_of(stream()).set_exception(std::move(error));
}
std::exception_ptr StreamReader::exception() const {
    return stream_of(stream()).exception();
}

// ------------------------------------------------------------------------------ StreamWriter

void StreamWriter::write(std::string_view bytes) {
    connection_of(connection()).write(bytes);
}
void StreamWriter::write_all(std::span<const std::string_view> views) {
    connection_of(connection()).write_all(views);
}
void StreamWriter::write_eof() {
    connection_of(connection()).write_eof();
}
bool StreamWriter::can_write_eof() const {
    return connection_of(connection()).can_write_eof();
}
void StreamWriter::close() {
    connection_of(connection()).close();
}
bool StreamWriter::is_closing() const {
    return connection_of(connection()).closing();
}
void StreamWriter::abort() {
    connection_of(connection()).abort();
}
Address StreamWriter::peername() const {
    return connection_of(connection()).peername();
}
Address StreamWriter::sockname() const {
    return connection_of(connection()).sockname();
}
TransportSocket StreamWriter::socket() const {
    return connection_of(connection()).socket();
}

void StreamWriter::set_write_buffer_limits(WriteBufferLimits limits) {
    connection_of(connection()).set_write_buffer_limits(limits);
}
std::pair<std::size_t, std::size_t> StreamWriter::get_write_buffer_limits() const {
    return connection_of(connection()).write_buffer_limits();
}
std::size_t StreamWriter::get_write_buffer_size() const {
    return connection_of(connection()).write_buffer_size();
}

std::optional<std::string> StreamWriter::get_extra_info(std::string_view name) const {
    if (name == "peername" || name == "sockname") {
        const Address address = name == "peername" ? peername() : sockname();
        return address ? std::optional(address.to_string()) : std::nullopt;
    }
    if (name == "socket" && socket().fileno() >= 0) {
        return std::to_string(socket().fileno());
    }
    return std::nullopt;
}

}  // namespace asyncio
