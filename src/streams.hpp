// streams.hpp - what readers and writers share: Stream, which can be read, and Connection, which
// can be written, too. What carries the bytes is for their subclasses to know.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/streams.hpp>

#include "receiver.hpp"

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace asyncio::detail {

class TLSEngine;

/// ValueError if a reader could have nothing in its buffer.
void check_limit(std::size_t limit);

/// The receiving half: a buffer, and the task that waits for it to be filled.
class Stream : public StreamCount {
public:
    /// ValueError if `limit` is 0.
    explicit Stream(std::size_t limit);

    void feed_data(std::string_view data);
    /// The same without a copy, when nothing is buffered.
    void feed_text(std::string&& text) noexcept;
    void feed_eof();
    void set_exception(std::exception_ptr error);

    [[nodiscard]] const std::exception_ptr& exception() const noexcept { return exception_; }
    [[nodiscard]] bool ended() const noexcept { return ended_; }
    /// Its loop was closed while it was open: nothing will ever come.
    [[nodiscard]] bool orphaned() const noexcept { return orphaned_; }
    [[nodiscard]] std::size_t limit() const noexcept { return limit_; }
    /// What was received and not yet read.
    [[nodiscard]] std::string_view buffered() const noexcept {
        return std::string_view(buffer_).substr(begin_);
    }

    // ---- for the task that reads
    [[nodiscard]] ReadWaiter* reader() const noexcept { return reader_; }
    void set_reader(ReadWaiter* reader) noexcept { reader_ = reader; }
    std::string take(std::size_t n);
    std::string take_all() { return take(buffered().size()); }
    void discard(std::size_t n) noexcept;
    void wake(ReadWaiter& reader) noexcept;

    /// `reader` is not satisfied: receives what is there without waiting. True if that was
    /// something: bytes, the end or an error.
    virtual bool receive(ReadWaiter& reader) {
        static_cast<void>(reader);
        return false;
    }
    /// The reader waits: it is to be fed as soon as something arrives.
    virtual void want_data() noexcept {}

protected:
    // For those who receive for a reader.

    /// Memory of the reader's own to receive into, if it is worth while; empty otherwise.
    [[nodiscard]] std::span<char> direct(const ReadWaiter& reader) const noexcept;
    /// Is what is received for the reader buffered, and nothing was before?
    [[nodiscard]] bool takes_text(const ReadWaiter& reader) const noexcept;
    /// So many bytes are there.
    static void fed_directly(ReadWaiter& reader, std::size_t n) noexcept;
    /// How many bytes to receive at once, where up to `most` can be.
    [[nodiscard]] static std::size_t receive_size(const ReadWaiter& reader,
                                                  std::size_t most) noexcept;
    /// Does a reader wait, and need more?
    [[nodiscard]] bool reader_waits() const noexcept;

    /// While it lives, what feeds the reader does not wake its task: it is going to be run.
    class Delivery {
    public:
        explicit Delivery(ReadWaiter& reader) noexcept;
        Delivery(const Delivery&) = delete;
        Delivery& operator=(const Delivery&) = delete;
        ~Delivery();

    private:
        ReadWaiter& reader_;
    };
    [[nodiscard]] static bool satisfies(ReadWaiter& reader) noexcept;
    /// Runs the task of a reader that is satisfied, at once.
    static void run_task(ReadWaiter& reader);

    /// Wakes the reader, if it waits and is satisfied.
    void notify();

    /// While whoever feeds it has been told to pause, consumed() is called for each read.
    [[nodiscard]] bool feeder_paused() const noexcept { return feeder_paused_; }
    void set_feeder_paused(bool paused) noexcept { feeder_paused_ = paused; }
    virtual void consumed() noexcept {}

private:
    std::string buffer_;
    std::size_t begin_ = 0;  // of what is still to be read
    std::size_t limit_;
    std::exception_ptr exception_;
    ReadWaiter* reader_ = nullptr;  // that waits, or was woken and has not run yet
    bool ended_ = false;
    bool feeder_paused_ = false;

protected:
    bool orphaned_ = false;
};

/// What those get who wait for something of an orphaned stream.
[[nodiscard]] const std::exception_ptr& loop_is_closed();

struct FileToSend;

/// Both halves: adds flow control, and the end. The carrier of what is sent and received: a socket,
/// a pipe, TLS over another one are its subclasses. Its consumer is either the tasks that hold a
/// StreamReader and a StreamWriter, or a Receiver.
///
/// As in CPython closing and being lost are two things: a connection that is being closed still
/// sends what is left; it is lost, in a turn of its own, when it is done with.
///
/// Counted: by handles, by StreamKeep, and by what is under way. With no handle left it is
/// abandoned, which closes it; so a receiver that is to outlive all handles keeps one itself.
class Connection : public Stream {
public:
    using Stream::Stream;

    /// Sends what is taken at once and keeps the rest. Dropped if it is closing. RuntimeError after
    /// write_eof().
    virtual void write(std::string_view bytes) = 0;
    virtual void write_all(std::span<const std::string_view> views) = 0;
    virtual void write_eof() = 0;
    [[nodiscard]] virtual bool can_write_eof() const noexcept = 0;
    /// Nothing is received any more; what is left is sent; then it is lost.
    virtual void close() noexcept = 0;
    /// Nothing is received or sent any more; it is lost in the next turn, by `error` (null: because
    /// that was wanted). Does nothing if it is about to be lost, or is, already.
    virtual void force_close(std::exception_ptr error) noexcept = 0;
    void abort() noexcept { force_close(nullptr); }
    [[nodiscard]] virtual std::size_t write_buffer_size() const noexcept = 0;

    [[nodiscard]] virtual Address peername() const = 0;
    [[nodiscard]] virtual Address sockname() const = 0;
    [[nodiscard]] virtual TransportSocket socket() const = 0;
    /// As get_extra_info() of the transport: "peername", "sockname", "socket", and what else a
    /// carrier knows.
    [[nodiscard]] virtual std::optional<std::string> extra_info(std::string_view name) const;
    /// Null without TLS.
    [[nodiscard]] virtual std::shared_ptr<TLSEngine> tls_engine() const { return nullptr; }
    /// Has a server accepted it?
    [[nodiscard]] virtual bool served() const noexcept { return false; }
    /// Null once the loop is closed.
    [[nodiscard]] virtual EventLoop* loop() const noexcept = 0;

    /// Sends a file behind what was written, if it can do so without reading it: true. Until
    /// `file->done` is done, nothing can be written. Not while it is closing.
    virtual bool send_file(const std::shared_ptr<FileToSend>& file) {
        static_cast<void>(file);
        return false;
    }
    /// Sends no more of the file than is under way.
    virtual void stop_file() noexcept {}

    [[nodiscard]] bool closing() const noexcept { return closing_; }
    [[nodiscard]] bool lost() const noexcept { return lost_; }
    [[nodiscard]] const std::exception_ptr& lost_by() const noexcept { return lost_by_; }

    virtual void set_write_buffer_limits(WriteBufferLimits limits);
    [[nodiscard]] virtual std::pair<std::size_t, std::size_t> write_buffer_limits() const {
        return {low_, high_};
    }

    // ---- for a receiver

    /// From now on `receiver` gets what arrives (null: tasks that read); it does not read yet.
    /// While no task reads, and not after the connection was lost: then nobody is told.
    void set_receiver(Receiver* receiver) noexcept;
    /// Is this one for receivers at all?
    [[nodiscard]] virtual bool pushes() const noexcept { return true; }
    [[nodiscard]] Receiver* receiver() const noexcept { return receiver_; }

    /// The receiver gets what arrives: first what is in the stream's buffer, then one receive from
    /// the system for each time that it has something, each from the loop. Nothing happens if it
    /// reads already, if the end was received, or if the connection is closing.
    void start_reading() noexcept;
    /// From now on, also if called by the receiver inside receive_buffer() or received(), nothing
    /// is received. What is there stays in the system, or in the stream's buffer, until
    /// start_reading().
    void stop_reading() noexcept { reading_ = false; }
    /// Between start_reading() and stop_reading(), the end, or closing.
    [[nodiscard]] bool reading() const noexcept { return reading_ && !closing_; }

    // ---- for tasks that wait
    [[nodiscard]] bool paused() const noexcept { return paused_; }
    lowlevel::WaitList drain_waiters;
    lowlevel::WaitList closed_waiters;

protected:
    // For carriers.

    /// The receiver reads from now on: whatever there is to be had goes to push() or push_end(),
    /// from the loop, as long as reading() is true.
    virtual void want_input() noexcept = 0;
    /// `data` for the receiver: in its receive_buffer(), or anywhere if it had none.
    void push(std::span<char> data) { receiver_->received(data); }
    /// What the stream's buffer has for the receiver, if anything: true.
    bool push_buffered();
    void push_end();

    /// Its receiver believes that writing is paused, by the connection before.
    void take_over_pause(const Connection& before) noexcept { paused_ = before.paused_; }
    /// Whether tasks that drain() wait: for carriers that know without their write buffer.
    void set_paused(bool paused);
    /// The write buffer has grown, or shrunk.
    void check_high_water();
    void check_low_water();
    /// The end: everybody who waits is told.
    void set_lost(std::exception_ptr error);
    /// The end of the loop: no task is there to be told.
    void set_lost_silently() noexcept;
    /// Something was written in vain.
    void dropped_write() noexcept;
    /// What is logged if that happens time and again.
    [[nodiscard]] virtual const char* dropped_write_text() const noexcept;

    std::exception_ptr lost_by_;  // or, until then, what it is about to be lost by
    bool closing_ = false;
    std::uint8_t in_vain_ = 0;  // writes since it was closed or lost, and the loss itself

private:
    bool paused_ = false;
    bool lost_ = false;
    bool reading_ = false;
    std::size_t low_ = std::size_t{16} * 1024;
    std::size_t high_ = std::size_t{64} * 1024;
    Receiver* receiver_ = nullptr;
};

// What a reader's and a writer's handle is one of.
[[nodiscard]] inline Stream& stream_of(StreamCount& count) noexcept {
    return static_cast<Stream&>(count);
}
[[nodiscard]] inline Connection& connection_of(StreamCount& count) noexcept {
    return static_cast<Connection&>(count);
}

}  // namespace asyncio::detail
