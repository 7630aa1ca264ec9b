// pipes.hpp - pipes, FIFOs and terminals as connections, and this program's own standard streams:
// connect_read_pipe(), connect_write_pipe(), open_read_pipe(), open_write_pipe(), open_stdio().
//
// Mirrors connect_read_pipe() and connect_write_pipe() of Python's loop; differences:
// docs/parity.md#events. The rest Python has not.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/detail/config.hpp>
#include <asyncio/detail/protocol_factory.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/transports.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace asyncio {

/// One end of a pipe, which it owns: a descriptor, until somebody takes it. Movable.
class Pipe {
public:
    Pipe() = default;
    Pipe(int fd) noexcept : fd_(fd) {}
    /// Of what gives its descriptor up: a Socket.
    template <class F>
        requires(!std::same_as<std::remove_cvref_t<F>, Pipe> && !std::is_lvalue_reference_v<F> &&
                 requires(F& owner) {
                     { owner.detach() } -> std::convertible_to<int>;
                 })
    Pipe(F&& owner) : fd_(std::forward<F>(owner).detach()) {}
    Pipe(Pipe&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Pipe& operator=(Pipe other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Pipe() { close(); }

    [[nodiscard]] int fileno() const noexcept { return fd_; }
    [[nodiscard]] int detach() noexcept { return std::exchange(fd_, -1); }
    void close() noexcept;

private:
    int fd_ = -1;
};

/// Both ends of a new pipe: `auto [read_end, write_end] = open_pipe();`. Closed in programs that
/// are started, but for Stdio and its kin. OSError.
struct PipePair {
    Pipe read_end;
    Pipe write_end;
};
[[nodiscard]] PipePair open_pipe();

namespace detail {

[[nodiscard]] Coroutine<UntypedPair<Transport>> connect_pipe(MakeProtocol make, Pipe pipe,
                                                             bool to_read);

template <class P, class T>
Coroutine<ProtocolPair<P, T>> typed_pipe(Coroutine<UntypedPair<Transport>> making) {
    UntypedPair<Transport> made = co_await std::move(making);
    co_return ProtocolPair<P, T>{*made.transport,
                                 std::static_pointer_cast<P>(std::move(made.protocol))};
}

}  // namespace detail

/// Has what comes out of a pipe told to a protocol: `auto [transport, protocol] = co_await ...`.
/// The pipe may also be a FIFO, a terminal or another character device, or a socket. It is owned by
/// the transport from now on, and in non-blocking mode as long as that is open.
///
/// The end of the pipe is told by eof_received(), then connection_lost(); that the other side of a
/// terminal was closed is one.
///
/// Cancellation: the pipe is closed.
/// Errors:       std::invalid_argument (Python's ValueError) for a regular file or directory;
///               OSError; what the factory throws. The pipe is closed then.
template <detail::ProtocolFactory Factory>
[[nodiscard]] Coroutine<ProtocolPair<detail::ProtocolOf<Factory>, ReadTransport>> connect_read_pipe(
    Factory&& protocol_factory, Pipe pipe) {
    return detail::typed_pipe<detail::ProtocolOf<Factory>, ReadTransport>(detail::connect_pipe(
        detail::erase_factory(std::forward<Factory>(protocol_factory)), std::move(pipe), true));
}

/// The same of a pipe to be written to. connection_lost() is called also when its last reader has
/// gone: with BrokenPipeError if there was something left to write.
template <detail::ProtocolFactory Factory>
[[nodiscard]] Coroutine<ProtocolPair<detail::ProtocolOf<Factory>, WriteTransport>>
connect_write_pipe(Factory&& protocol_factory, Pipe pipe) {
    return detail::typed_pipe<detail::ProtocolOf<Factory>, WriteTransport>(detail::connect_pipe(
        detail::erase_factory(std::forward<Factory>(protocol_factory)), std::move(pipe), false));
}

/// Keyword arguments of open_read_pipe(), open_write_pipe() and open_stdio().
struct OpenPipeOptions {
    std::size_t limit = detail::default_stream_limit;  ///< of the reader
};
static_assert(detail::trivially_destructible<OpenPipeOptions>);

/// The same as streams. A reader is closed by its end, and by being destroyed.
[[nodiscard]] Coroutine<StreamReader> open_read_pipe(Pipe pipe, OpenPipeOptions options = {});
[[nodiscard]] Coroutine<StreamWriter> open_write_pipe(Pipe pipe);

/// Standard input and standard output of this program as streams.
///
///     auto [input, output] = co_await open_stdio();
///     while (auto line = co_await input.next()) { output.write(*line); }
///     co_await output.drain();
///
/// Whatever they are: pipes, terminals, /dev/null, sockets; regular files are read and written in a
/// thread. The descriptors themselves stay open when the streams are closed. Others who share them,
/// the shell among them, never see them in non-blocking mode, but for sockets and what this user
/// may not open again; these are put back when the stream is closed.
[[nodiscard]] Coroutine<StreamPair> open_stdio(OpenPipeOptions options = {});

/// The same of other descriptors, which stay the caller's.
[[nodiscard]] Coroutine<StreamReader> open_inherited_reader(int fd, OpenPipeOptions options = {});
[[nodiscard]] Coroutine<StreamWriter> open_inherited_writer(int fd);

}  // namespace asyncio
