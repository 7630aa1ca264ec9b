// descriptor_connection.hpp - a connection over a descriptor: DescriptorConnection, of which
// sockets and pipes are made.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/blocks.hpp>
#include <asyncio/lowlevel/loop_resource.hpp>

#include "loop_io.hpp"
#include "streams.hpp"

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace asyncio::detail {

// Bases of a connection, so that each callback leads back to it without a pointer of its own.
struct LossCallback : lowlevel::Callback {
    using Callback::Callback;
};
struct InputOperation : lowlevel::Operation {
    using Operation::Operation;
    using Operation::set_function;
};

/// What a kind of descriptor is asked for.
struct TransferOpcodes {
    lowlevel::Opcode receive;
    lowlevel::Opcode send;
};

/// A descriptor that is received from, sent to, or both. It is kept by its handles, and by what is
/// under way: an operation, or the turn in which it becomes lost.
///
/// Nothing is received unless a task reads or a receiver wants it. A connection that waits has no
/// buffer: the proactor tells when there is something, which is then received into memory that the
/// whole loop shares. What the system does not take is kept in memory that is freed when it has
/// been sent.
///
/// Input is in descriptor_input.cpp, output in descriptor_output.cpp, the end in
/// descriptor_connection.cpp.
class DescriptorConnection : public Connection,
                             public lowlevel::LoopResource,
                             protected LossCallback,
                             protected InputOperation {
public:
    bool receive(ReadWaiter& reader) override;
    void want_data() noexcept override;

    void write(std::string_view bytes) override;
    void write_eof() override;
    void stop_file() noexcept override;
    void close() noexcept override;
    void force_close(std::exception_ptr error) noexcept override;
    [[nodiscard]] std::size_t write_buffer_size() const noexcept override;
    [[nodiscard]] EventLoop* loop() const noexcept override { return descriptor_.io()->loop(); }

    void loop_closing() noexcept override;

    static void* operator new(std::size_t size) { return allocate_block(size); }
    static void operator delete(void* memory, std::size_t size) noexcept {
        free_block(memory, size);
    }

protected:
    /// `descriptor`: of whatever kind; what matters is that a Socket owns it.
    DescriptorConnection(LoopIO& io, Socket descriptor, std::size_t limit, TransferOpcodes opcodes);
    ~DescriptorConnection() override;

    /// write() was given everything, and then write_eof(): the peer is to be told. OSError.
    virtual void end_output() = 0;
    /// It is about to be closed without an error, and the end was not received.
    virtual void before_close() noexcept {}
    /// Closes it, and is the last that does anything with it.
    virtual void close_descriptor() noexcept { descriptor_.close(); }
    /// The server, if it is one's, is told that the connection is no more.
    virtual void leave_server() noexcept {}
    /// Is that errno of a receive just the end of what the peer sends?
    [[nodiscard]] virtual bool is_end(int error) const noexcept {
        static_cast<void>(error);
        return false;
    }
    /// The end has come, and whoever receives knows it.
    virtual void input_ended() noexcept {}
    /// The poll_in has come back and no task waits: the receiver reads, or nobody does any more.
    virtual void input_ready(std::int64_t result);
    /// For messages: "receive from " this. May throw std::bad_alloc.
    [[nodiscard]] virtual std::string peer_text() const = 0;

    void destroy() noexcept override { delete this; }
    void abandoned() noexcept override;
    void want_input() noexcept override;

    [[nodiscard]] const Socket& descriptor() const noexcept { return descriptor_; }
    /// Starts an operation, with none under way; see input_ready().
    void start_input(lowlevel::Opcode opcode) noexcept;
    [[nodiscard]] bool input_under_way() const noexcept { return input_under_way_; }
    /// What a receive has given is for the stream's buffer.
    void received(std::int64_t result, const char* data);
    /// RuntimeError: the end was written, or a file is being sent.
    [[noreturn]] void refuse_write(const char* function) const;
    [[nodiscard]] bool writable() const noexcept { return unwritable_ == 0; }
    bool queue_file(const std::shared_ptr<FileToSend>& file);
    /// True if nothing is to be written: it is closing, which is noted.
    bool refuses_writes() noexcept;
    /// Does nothing wait to be sent, so that it may be sent at once?
    [[nodiscard]] bool output_empty() const noexcept { return outgoing_ == nullptr; }
    /// How many bytes the system took; negative if the connection has failed.
    std::int64_t send_now(lowlevel::Operation& operation) noexcept;
    /// Queues what the system did not take: `views` but for `offset` bytes at their beginning.
    void keep(std::span<const std::string_view> views, std::size_t offset);
    /// Loses the connection by an OSError: `doing` the peer failed.
    void fail(int error, const char* doing) noexcept;

private:
    struct Outgoing;

    void end_input() noexcept;
    /// Bytes that were received for tasks, or the end.
    [[nodiscard]] bool has_buffered() const noexcept { return !buffered().empty() || ended(); }
    bool receive_now(ReadWaiter& reader);
    bool receive_message(ReadWaiter& reader);
    bool receive_for(ReadWaiter& reader);
    void input_done(std::int64_t result);
    void receive_pushed();
    template <class Push>
    void push_guarded(Push push);
    static void on_input(lowlevel::Callback& callback);
    static void on_delivery(lowlevel::Callback& callback);
    static void on_buffered(lowlevel::Callback& callback);

    Outgoing& outgoing();
    void start_output() noexcept;
    void sent(std::int64_t result);
    void go_on_sending();
    void start_operation() noexcept;
    void start_file();
    void file_sent(std::int64_t result);
    void finish_file(std::exception_ptr error);
    void drop_file() noexcept;
    static void on_output(lowlevel::Callback& callback);

    void lose_soon(std::exception_ptr error) noexcept;
    void lose(std::exception_ptr error);
    static void on_loss(lowlevel::Callback& callback);

    Socket descriptor_;
    std::unique_ptr<Outgoing> outgoing_;      // what the system has not taken yet
    std::unique_ptr<char[]> receive_buffer_;  // of an operation that receives; see receive_for()
    std::uint32_t last_received_ = 0;         // bytes
    TransferOpcodes opcodes_;
    bool input_under_way_ : 1 = false;
    bool found_nothing_ : 1 = false;  // the last attempt, which was made
    bool losing_ : 1 = false;         // it is about to be lost, or is
    bool loss_scheduled_ : 1 = false;
    static constexpr std::uint8_t eof_written = 1;
    static constexpr std::uint8_t sending_file = 2;
    std::uint8_t unwritable_ = 0;  // why nothing may be written: these
};

}  // namespace asyncio::detail
