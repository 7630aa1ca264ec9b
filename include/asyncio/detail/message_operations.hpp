// message_operations.hpp - what sock_recvfrom(), sock_sendto() and their kin are awaited with.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/socket_operations.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace asyncio {

struct ReceivedFrom;
struct ReceivedFromInto;

namespace detail {

/// Receives one message, with what belongs to it. It waits until there is one and receives then:
/// into memory of the loop's where it is not told of another.
class MessageReceiver : public SocketOperation {
public:
    [[nodiscard]] bool await_ready();

protected:
    /// An empty `buffer`: the loop's memory, and at most `n` bytes.
    MessageReceiver(const SocketBase& socket, std::size_t n, std::span<std::byte> buffer);
    ~MessageReceiver() = default;

    /// Before each attempt: the room for what belongs to a message is to be stated anew.
    virtual void attach() noexcept {}
    /// It has been received, into buffer(), and may be overwritten by the next one. bad_alloc is
    /// told to the task.
    virtual void keep() = 0;
    [[nodiscard]] std::string_view buffer() const noexcept {
        return {static_cast<const char*>(part_.data), static_cast<std::size_t>(result)};
    }
    [[nodiscard]] const lowlevel::SocketAddress& sender() const noexcept { return sender_; }
    [[nodiscard]] lowlevel::Message& message() noexcept { return message_; }

private:
    static void advance(lowlevel::Callback& callback);
    void prepare();
    void note() noexcept;

    Run complete_;  // what wakes the task
    lowlevel::Buffer part_;
    bool own_memory_;
    lowlevel::Message message_;
    lowlevel::SocketAddress sender_;
};

class [[nodiscard]] RecvFromAwaiter final : public MessageReceiver {
public:
    RecvFromAwaiter(const SocketBase& socket, std::size_t n) : MessageReceiver(socket, n, {}) {}
    ReceivedFrom await_resume();
    Result<ReceivedFrom> await_result();

private:
    void keep() override;

    std::string received_;
};

class [[nodiscard]] RecvFromIntoAwaiter final : public MessageReceiver {
public:
    RecvFromIntoAwaiter(const SocketBase& socket, std::span<std::byte> buffer)
        : MessageReceiver(socket, buffer.size(), buffer) {}
    ReceivedFromInto await_resume();
    Result<ReceivedFromInto> await_result();

private:
    void keep() override {}
};

/// Sends one message, or as much of it as a stream takes.
class [[nodiscard]] SendToAwaiter final : public SocketOperation {
public:
    SendToAwaiter(const SocketBase& socket, std::string_view bytes,
                  const lowlevel::SocketAddress& address);
    std::size_t await_resume();
    Result<std::size_t> await_result();

private:
    lowlevel::SocketAddress to_;
    lowlevel::Buffer part_;
    lowlevel::Message message_;
};

class [[nodiscard]] SockRecvFrom {
public:
    static constexpr bool awaited_by_value = true;

    SockRecvFrom(const SocketBase& socket, std::size_t n) noexcept : socket_(socket), n_(n) {}
    RecvFromAwaiter operator co_await() const { return {socket_, n_}; }

private:
    const SocketBase& socket_;
    std::size_t n_;
};

class [[nodiscard]] SockRecvFromInto {
public:
    SockRecvFromInto(const SocketBase& socket, std::span<std::byte> buffer) noexcept
        : socket_(socket), buffer_(buffer) {}
    RecvFromIntoAwaiter operator co_await() const { return {socket_, buffer_}; }

private:
    const SocketBase& socket_;
    std::span<std::byte> buffer_;
};

class [[nodiscard]] SockSendTo {
public:
    SockSendTo(const SocketBase& socket, std::string_view bytes,
               const lowlevel::SocketAddress& address) noexcept
        : socket_(socket), bytes_(bytes), address_(address) {}
    SendToAwaiter operator co_await() const { return {socket_, bytes_, address_}; }

private:
    const SocketBase& socket_;
    std::string_view bytes_;
    lowlevel::SocketAddress address_;
};

}  // namespace detail

}  // namespace asyncio
