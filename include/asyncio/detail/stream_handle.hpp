// stream_handle.hpp - who keeps a stream: its handles, and whoever uses it at the moment.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/exceptions.hpp>

#include <cstdint>
#include <utility>

namespace asyncio::detail {

/// Who keeps a stream's memory. Its handles (a reader, a writer) are counted besides: when the last
/// one is gone the stream is closed, though it may still have to send what was written.
class StreamCount {
public:
    StreamCount(const StreamCount&) = delete;
    StreamCount& operator=(const StreamCount&) = delete;

    void retain() noexcept { ++references_; }
    void release() noexcept {
        if (--references_ == 0) {
            destroy();
        }
    }
    void add_handle() noexcept {
        ++handles_;
        retain();
    }
    void drop_handle() noexcept;

    /// All handles are those of `successor` from now on: of TLS over this connection.
    void hand_over(StreamCount& successor) noexcept {
        successor.handles_ += handles_;
        successor.references_ += handles_;
        handles_ = 0;  // they still keep the memory, until they are used next
        successor_ = &successor;
    }
    /// Null if there is none, or none any more: it exists as long as there are handles.
    [[nodiscard]] StreamCount* successor() const noexcept { return successor_; }
    void forget_successor() noexcept { successor_ = nullptr; }

protected:
    StreamCount() = default;
    virtual ~StreamCount() = default;
    virtual void destroy() noexcept = 0;
    /// There is no handle any more.
    virtual void abandoned() noexcept = 0;

private:
    std::uint32_t references_ = 0;
    std::uint32_t handles_ = 0;
    StreamCount* successor_ = nullptr;
};

/// A reader's or writer's part in its stream.
class StreamHandle {
public:
    explicit StreamHandle(StreamCount& count) noexcept : count_(&count) { count.add_handle(); }
    StreamHandle(StreamHandle&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
    StreamHandle& operator=(StreamHandle other) noexcept {
        std::swap(count_, other.count_);
        return *this;
    }
    ~StreamHandle();
    [[nodiscard]] StreamCount& get() const {
        if (count_ == nullptr) {
            raise_runtime_error("this stream was moved from");
        }
        if (count_->successor() != nullptr) {
            follow();
        }
        return *count_;
    }

private:
    void follow() const noexcept;

    mutable StreamCount* count_;
};

/// Keeps the stream of an operation that was asked for, whatever becomes of the handles.
class StreamKeep {
public:
    explicit StreamKeep(StreamCount& count) noexcept : count_(&count) { count.retain(); }
    StreamKeep(const StreamKeep& other) noexcept : StreamKeep(*other.count_) {}
    StreamKeep& operator=(const StreamKeep&) = delete;
    ~StreamKeep() { count_->release(); }
    [[nodiscard]] StreamCount& get() const noexcept { return *count_; }

private:
    StreamCount* count_;
};

}  // namespace asyncio::detail
