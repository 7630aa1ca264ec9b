// streams.cpp - the receiving half of a stream, whatever carries the bytes: StreamReader.
//
// SPDX-License-Identifier: MIT
#include <asyncio/streams.hpp>

#include "fed_stream.hpp"
#include "streams.hpp"

#include <algorithm>
#include <utility>

namespace asyncio {

namespace detail {

// Out of line: inlined, g++ 12 takes the handle in an empty std::optional for one that is used.
StreamHandle::~StreamHandle() {
    if (count_ != nullptr) {
        follow();
        count_->drop_handle();
    }
}

void StreamHandle::follow() const noexcept {
    while (StreamCount* const successor = count_->successor()) {
        std::exchange(count_, successor)->release();
    }
}

void StreamCount::drop_handle() noexcept {
    if (--handles_ == 0) {
        abandoned();
    }
    release();
}

// ------------------------------------------------------------------------------------ Stream

void check_limit(std::size_t limit) {
    if (limit == 0) {
        raise_value_error("Limit cannot be <= 0");
    }
}

Stream::Stream(std::size_t limit) : limit_(limit) {
    check_limit(limit);
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

void Stream::feed_text(std::string&& text) noexcept {
    buffer_ = std::move(text);
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

const std::exception_ptr& loop_is_closed() {
    static const std::exception_ptr error =
        std::make_exception_ptr(RuntimeError("Event loop is closed"));
    return error;
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
        std::string all = std::exchange(buffer_, std::string());
        if (feeder_paused_) {
            consumed();
        }
        return all;
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
    if (feeder_paused_) {
        consumed();
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

bool Stream::takes_text(const ReadWaiter& reader) const noexcept {
    return reader.kind_ != ReadKind::into && buffer_.empty();
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
    reader.task_->run_in_place();
}

// More than was asked for, so that what is received is less than what could have been: that tells
// the proactor that there is no more, which saves it from asking.
std::size_t Stream::receive_size(const ReadWaiter& reader, std::size_t most) noexcept {
    constexpr std::size_t least = std::size_t{64} * 1024;
    return reader.kind_ == ReadKind::all ? most : std::min(std::max(reader.wanted_, least), most);
}

}  // namespace detail

// ------------------------------------------------------------------------------ StreamReader

using detail::stream_of;

StreamReader::StreamReader(std::size_t limit) : handle_(*new detail::FedStream(limit)) {}

bool StreamReader::at_eof() const {
    return stream_of(stream()).ended() && stream_of(stream()).buffered().empty();
}
void StreamReader::feed_data(std::string_view data) {
    if (detail::FedStream* const fed = detail::FedStream::of(stream())) {
        fed->feed(data);
    } else {
        stream_of(stream()).feed_data(data);
    }
}
void StreamReader::set_transport(ReadTransport& transport) {
    detail::FedStream* const fed = detail::FedStream::of(stream());
    if (fed == nullptr) {
        detail::raise_runtime_error("Transport already set");
    }
    fed->set_transport(transport);
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

}  // namespace asyncio
