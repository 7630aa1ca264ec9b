// socket_operations.hpp - what sock_recv() and its kin are awaited with.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/lowlevel/operation.hpp>
#include <asyncio/lowlevel/waiter.hpp>
#include <asyncio/result.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <span>
#include <string>
#include <string_view>

namespace asyncio {

struct Accepted;

namespace detail {

class LoopIO;
class SocketBase;

struct SocketOperations {};  // tag

/// An operation of a Socket. The loop knows those that wait, by their descriptor, so that closing
/// the socket ends them: also those that are still to be started, or that have completed and would
/// go on.
class SocketOperation : public lowlevel::OperationWaiter,
                        public lowlevel::ListHook<SocketOperations> {
public:
    SocketOperation(const SocketBase& socket, lowlevel::Opcode opcode);

    [[nodiscard]] bool await_ready();
    template <class P>
        requires std::derived_from<P, PromiseBase>
    void await_suspend(std::coroutine_handle<P> coroutine) noexcept {
        enlist();
        OperationWaiter::await_suspend(coroutine);
    }

    /// The descriptor is about to be closed, or given up: it is not used any more. The operation
    /// still completes.
    void end() noexcept;

protected:
    ~SocketOperation();

    /// Before it is suspended.
    void prepare_to_wait();
    /// Is there nothing more to do, but to tell the task? Then the result says so. Asked when a
    /// part has been done, in a callback.
    [[nodiscard]] bool must_end() noexcept;
    void start_again() noexcept;

    /// Why there is no result: the cancellation, or the error; null if there is one. `doing` ends
    /// in a preposition, behind which the address comes that `name` asks for.
    [[nodiscard]] std::exception_ptr failure(const char* doing, lowlevel::Opcode name);
    [[nodiscard]] std::exception_ptr failure(const std::string& doing);

    [[nodiscard]] LoopIO& io() const noexcept { return io_; }

private:
    void enlist() noexcept;
    [[nodiscard]] std::exception_ptr cancellation() noexcept;

    LoopIO& io_;                                                           // counted
    lowlevel::List<SocketOperation, SocketOperations>* others_ = nullptr;  // of its descriptor
    TaskBase* task_ = nullptr;                                             // if it had to wait
    bool socket_closed_ = false;
};

/// Receives into memory of the loop's: a task that waits has none of its own, however much it asks
/// for. So it waits until there is something, and the bytes are received then.

class [[nodiscard]] RecvAwaiter final : public SocketOperation {
public:
    RecvAwaiter(const SocketBase& socket, std::size_t n);
    [[nodiscard]] bool await_ready();
    std::string await_resume();
    Result<std::string> await_result();

private:
    static void advance(lowlevel::Callback& callback);
    void receive() noexcept;
    void keep();

    Run complete_;  // what wakes the task
    std::string received_;
};

class [[nodiscard]] RecvIntoAwaiter final : public SocketOperation {
public:
    RecvIntoAwaiter(const SocketBase& socket, std::span<std::byte> buffer);
    std::size_t await_resume();
    Result<std::size_t> await_result();
};

class [[nodiscard]] SendAllAwaiter final : public SocketOperation {
public:
    SendAllAwaiter(const SocketBase& socket, std::string_view bytes);
    [[nodiscard]] bool await_ready();
    void await_resume();
    Result<void> await_result();

private:
    static void advance(lowlevel::Callback& callback);
    /// Takes note of what was sent; true if that was the last of it, or an error.
    bool account() noexcept;

    Run complete_;  // what wakes the task
};

class [[nodiscard]] ConnectAwaiter final : public SocketOperation {
public:
    ConnectAwaiter(const SocketBase& socket, const lowlevel::SocketAddress& peer);
    [[nodiscard]] bool await_ready() {
        prepare_to_wait();
        return false;
    }
    void await_resume();
    Result<void> await_result();

private:
    [[nodiscard]] std::exception_ptr connect_failure();

    lowlevel::SocketAddress peer_;
};

class [[nodiscard]] AcceptAwaiter final : public SocketOperation {
public:
    explicit AcceptAwaiter(const SocketBase& listener);
    ~AcceptAwaiter();
    Accepted await_resume();
    Result<Accepted> await_result();

private:
    Accepted take() noexcept;

    lowlevel::SocketAddress peer_;
    bool taken_ = false;
};

class [[nodiscard]] SockRecv {
public:
    static constexpr bool awaited_by_value = true;

    SockRecv(const SocketBase& socket, std::size_t n) noexcept : socket_(socket), n_(n) {}
    RecvAwaiter operator co_await() const { return {socket_, n_}; }

private:
    const SocketBase& socket_;
    std::size_t n_;
};

class [[nodiscard]] SockRecvInto {
public:
    SockRecvInto(const SocketBase& socket, std::span<std::byte> buffer) noexcept
        : socket_(socket), buffer_(buffer) {}
    RecvIntoAwaiter operator co_await() const { return {socket_, buffer_}; }

private:
    const SocketBase& socket_;
    std::span<std::byte> buffer_;
};

class [[nodiscard]] SockSendAll {
public:
    SockSendAll(const SocketBase& socket, std::string_view bytes) noexcept
        : socket_(socket), bytes_(bytes) {}
    SendAllAwaiter operator co_await() const { return {socket_, bytes_}; }

private:
    const SocketBase& socket_;
    std::string_view bytes_;
};

class [[nodiscard]] SockConnect {
public:
    SockConnect(const SocketBase& socket, const lowlevel::SocketAddress& peer) noexcept
        : socket_(socket), peer_(peer) {}
    ConnectAwaiter operator co_await() const { return {socket_, peer_}; }

private:
    const SocketBase& socket_;
    lowlevel::SocketAddress peer_;
};

class [[nodiscard]] SockAccept {
public:
    static constexpr bool awaited_by_value = true;

    explicit SockAccept(const SocketBase& socket) noexcept : socket_(socket) {}
    AcceptAwaiter operator co_await() const { return AcceptAwaiter(socket_); }

private:
    const SocketBase& socket_;
};

}  // namespace detail

}  // namespace asyncio
