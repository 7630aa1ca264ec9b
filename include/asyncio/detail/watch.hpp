// watch.hpp - functions that are called whenever a descriptor is ready: add_reader() and its kin.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/function.hpp>
#include <asyncio/detail/handle.hpp>

#include <concepts>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>

namespace asyncio {

namespace detail {

enum class Watched : std::uint8_t { input, output };

/// Replaces the function that is there, if any.
void add_watch(int fd, Watched what, UniqueFunction<void()> function, const Context* context);
[[nodiscard]] bool remove_watch(int fd, Watched what);

/// A function and its arguments as one that can be called again and again.
template <class Fn, class... Args>
UniqueFunction<void()> bind_again(Fn&& fn, Args&&... args) {
    return [fn = std::decay_t<Fn>(std::forward<Fn>(fn)),
            args = std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...)]() mutable {
        static_cast<void>(std::apply(fn, args));
    };
}

/// A descriptor, or what has one, as a Socket or a TransportSocket.
struct HasDescriptor {
    HasDescriptor(int descriptor) noexcept : fd(descriptor) {}
    template <class T>
        requires requires(const T& object) {
            { object.fileno() } -> std::convertible_to<int>;
        }
    HasDescriptor(const T& object) : fd(object.fileno()) {}
    int fd;
};

}  // namespace detail

/// Calls `fn(args...)` on the running loop whenever the descriptor is readable, at its end or in
/// error, until remove_reader(): once each time that the system is asked, as long as it is. So the
/// function reads, or removes itself. Whoever asks again for the same descriptor replaces the
/// function. Arguments are kept by value.
///
/// Call remove_reader() before the descriptor is closed. A Socket that is closed ends it, too; of
/// another one that was closed before, and whose number is in error, the function is dropped with
/// a warning.
///
/// Errors: OSError: EBADF; PermissionError (EPERM) of a file, a directory or anything else that is
///         always ready; std::invalid_argument of a negative number; RuntimeError if a transport or
///         a stream uses the descriptor. What `fn` throws goes to the exception handler; it is
///         called again.
template <class Fn, class... Args>
    requires std::is_invocable_v<std::decay_t<Fn>&, std::decay_t<Args>&...>
void add_reader(detail::HasDescriptor fd, Fn&& fn, Args&&... args) {
    detail::add_watch(fd.fd, detail::Watched::input,
                      detail::bind_again(std::forward<Fn>(fn), std::forward<Args>(args)...),
                      nullptr);
}
/// In `options.context`; by default, as above, in a copy of the current one.
template <class Fn>
    requires std::is_invocable_v<std::decay_t<Fn>&>
void add_reader(detail::HasDescriptor fd, Fn&& fn, CallOptions options) {
    detail::add_watch(fd.fd, detail::Watched::input, detail::bind_again(std::forward<Fn>(fn)),
                      options.context);
}
/// Was there a function to remove? It is not called any more, also if it was about to be.
inline bool remove_reader(detail::HasDescriptor fd) {
    return detail::remove_watch(fd.fd, detail::Watched::input);
}

/// The same whenever the descriptor is writable, or in error. Both may be there at the same time.
template <class Fn, class... Args>
    requires std::is_invocable_v<std::decay_t<Fn>&, std::decay_t<Args>&...>
void add_writer(detail::HasDescriptor fd, Fn&& fn, Args&&... args) {
    detail::add_watch(fd.fd, detail::Watched::output,
                      detail::bind_again(std::forward<Fn>(fn), std::forward<Args>(args)...),
                      nullptr);
}
template <class Fn>
    requires std::is_invocable_v<std::decay_t<Fn>&>
void add_writer(detail::HasDescriptor fd, Fn&& fn, CallOptions options) {
    detail::add_watch(fd.fd, detail::Watched::output, detail::bind_again(std::forward<Fn>(fn)),
                      options.context);
}
inline bool remove_writer(detail::HasDescriptor fd) {
    return detail::remove_watch(fd.fd, detail::Watched::output);
}

}  // namespace asyncio
