// sockets.hpp - what a loop has open: LoopIO, for everything that reads and writes.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/events.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>

namespace asyncio::detail {

class SocketOperation;
struct SocketOperations;

/// Something that lives on a loop without a task that owns it (a connection, a server), and ends
/// with it.
class LoopResource : public lowlevel::ListHook<LoopResource> {
public:
    /// The loop is being closed: nothing of what was started will run any more. Closes descriptors,
    /// drops the references that operations under way had; may destroy the object.
    virtual void loop_closed() noexcept = 0;

protected:
    LoopResource() = default;
    ~LoopResource() {
        if (linked()) {
            unlink();
        }
    }
};

/// A loop's open things, and the buffer that they share. Made when a loop first needs it; counted,
/// because sockets may outlive their loop.
///
/// What ends it is a timer of the loop that is never due: the loop drops its function in close(),
/// after all operations have been aborted and before tasks are destroyed.
class LoopIO {
public:
    /// Throws RuntimeError if the loop is closed.
    static LoopIO& of(EventLoop& loop);

    void retain() noexcept { ++references_; }
    void release() noexcept {
        if (--references_ == 0) {
            delete this;
        }
    }

    /// Null once the loop is closed.
    [[nodiscard]] EventLoop* loop() const noexcept { return loop_; }

    void add(LoopResource& resource) noexcept { resources_.push_back(resource); }
    [[nodiscard]] lowlevel::List<SocketOperation, SocketOperations>& operations() noexcept {
        return operations_;
    }

    /// Where whoever runs may receive without having a buffer of its own; what is in it is of no
    /// use after the next callback. As large as one receive of asyncio's.
    static constexpr std::size_t scratch_size = std::size_t{256} * 1024;
    [[nodiscard]] char* scratch();

    /// Closes a descriptor, by way of the proactor as long as there is one.
    void close(int fd) noexcept;

    LoopIO(const LoopIO&) = delete;
    LoopIO& operator=(const LoopIO&) = delete;

private:
    class End;
    struct FreeScratch {
        void operator()(char* memory) const noexcept;
    };

    explicit LoopIO(EventLoop& loop) noexcept : loop_(&loop) {}
    ~LoopIO() = default;
    void end() noexcept;

    EventLoop* loop_;
    std::size_t references_ = 1;  // the loop's
    lowlevel::List<LoopResource, LoopResource> resources_;
    lowlevel::List<SocketOperation, SocketOperations> operations_;  // raw ones that wait
    std::unique_ptr<char, FreeScratch> scratch_;
};

/// The subclass of OSError that Python has for this errno.
[[nodiscard]] std::exception_ptr make_os_error(int error_number, const std::string& doing);

/// The exception as Python's str() writes it: an OSError with its number.
[[nodiscard]] std::string python_text(const std::exception_ptr& error);

}  // namespace asyncio::detail
