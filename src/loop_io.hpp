// loop_io.hpp - what a loop has open: LoopIO, for everything that reads and writes.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/events.hpp>
#include <asyncio/lowlevel/loop_resource.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

namespace asyncio::detail {

class SocketOperation;
class Watches;
struct SocketOperations;

/// Of operations that are called or attempted: these run no callback.
inline void run_nothing(lowlevel::Callback&) {}

/// A loop's open things, and the buffer that they share. Made when a loop first needs it; counted,
/// because sockets may outlive their loop.
class LoopIO final : public lowlevel::LoopResource {
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

    /// A connection or a server: these are told of the end first, while the loop is still known.
    void add(lowlevel::LoopResource& resource) noexcept { resources_.push_back(resource); }

    using Operations = lowlevel::List<SocketOperation, SocketOperations>;
    /// The raw operations that wait on a descriptor.
    [[nodiscard]] Operations& operations(int fd) { return operations_[fd]; }
    /// Ends these: the descriptor is about to be closed. Nothing else is looked at.
    void end_operations(int fd) noexcept;
    [[nodiscard]] bool has_operations(int fd) const noexcept;

    /// A transport or a stream has the descriptor, until it is closed or given up: nobody else is
    /// to watch it.
    void claim(int fd);
    void disclaim(int fd) noexcept;
    [[nodiscard]] bool claimed(int fd) const noexcept {
        return static_cast<unsigned>(fd) < claimed_.size() && claimed_[static_cast<unsigned>(fd)];
    }

    /// The functions of add_reader() and add_writer().
    [[nodiscard]] Watches& watches();

    /// Where whoever runs may receive without having a buffer of its own; what is in it is of no
    /// use after the next callback, and after any call of others, unless it is kept (Kept). As
    /// large as one receive of asyncio's.
    static constexpr std::size_t scratch_size = std::size_t{256} * 1024;
    struct FreeScratch {
        void operator()(char* memory) const noexcept;
    };
    [[nodiscard]] char* scratch();
    /// The same, for what is decrypted out of what is in there: four records.
    [[nodiscard]] std::span<char> plaintext();

    /// While it lives nobody else receives into what there is of these two: it is with a consumer,
    /// whose code may do anything, such as to start a task eagerly that reads from another
    /// connection; or there is TLS in it that holds TLS.
    class Kept {
    public:
        explicit Kept(LoopIO& io) noexcept
            : io_(io), scratch_(std::move(io.scratch_)), plaintext_(std::move(io.plaintext_)) {}
        Kept(const Kept&) = delete;
        Kept& operator=(const Kept&) = delete;
        ~Kept();

    private:
        LoopIO& io_;
        std::unique_ptr<char, FreeScratch> scratch_;
        std::unique_ptr<char[]> plaintext_;
    };

    /// Closes a descriptor, by way of the proactor as long as there is one.
    void close(int fd) noexcept;

    void loop_closing() noexcept override;

private:
    explicit LoopIO(EventLoop& loop) noexcept;
    ~LoopIO();

    EventLoop* loop_;
    std::size_t references_ = 1;  // the loop's
    lowlevel::LoopResourceList resources_;
    std::unordered_map<int, Operations> operations_;  // of the descriptors that had any
    std::vector<bool> claimed_;                       // by descriptor
    std::unique_ptr<Watches> watches_;
    std::unique_ptr<char, FreeScratch> scratch_;
    std::unique_ptr<char[]> plaintext_;
};

}  // namespace asyncio::detail
