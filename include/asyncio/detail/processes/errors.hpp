// errors.hpp - how calls in other processes fail: BrokenProcessPool, RemoteError; and how
// exceptions come back as themselves.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/processes/codec.hpp>
#include <asyncio/exceptions.hpp>

#include <concepts>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace asyncio {

/// A process of the pool ended before its time: what it ended with, and which call it was at.
/// Python's concurrent.futures.process.BrokenProcessPool.
class BrokenProcessPool : public BrokenExecutor {
public:
    using BrokenExecutor::BrokenExecutor;
    ~BrokenProcessPool() override;
};

/// An exception of a worker whose type is not known here (known_exception says which are).
class RemoteError : public RuntimeError {
public:
    RemoteError(std::string type, std::string message, std::string trace)
        : RuntimeError(type + ": " + message),
          type_(std::move(type)),
          message_(std::move(message)),
          trace_(std::move(trace)) {}
    ~RemoteError() override;

    /// The name of its class.
    [[nodiscard]] const std::string& type() const noexcept { return type_; }
    /// What its what() said.
    [[nodiscard]] const std::string& message() const noexcept { return message_; }
    /// Which process, where it was thrown, and what it was caused by: lines.
    [[nodiscard]] const std::string& trace() const noexcept { return trace_; }

private:
    std::string type_;
    std::string message_;
    std::string trace_;
};

namespace detail {

/// An exception class that comes back as itself. It is in a list from its construction on.
class KnownException {
public:
    using Write = void (*)(WireWriter& writer, const std::exception_ptr& error);
    using Read = std::exception_ptr (*)(const WireValue& value);

    KnownException(const std::type_info& of, Write to_write, Read to_read) noexcept;
    KnownException(const KnownException&) = delete;
    KnownException& operator=(const KnownException&) = delete;

    [[nodiscard]] const std::type_info& type() const noexcept { return type_; }
    void write(WireWriter& writer, const std::exception_ptr& error) const { write_(writer, error); }
    [[nodiscard]] std::exception_ptr read(const WireValue& value) const { return read_(value); }
    [[nodiscard]] const KnownException* next() const noexcept { return next_; }

private:
    const std::type_info& type_;
    Write write_;
    Read read_;
    const KnownException* next_;
};

/// Writes and reads an E, which it is exactly.
template <class E>
struct WireOfException {
    static void write(WireWriter& writer, const std::exception_ptr& error) {
        try {
            std::rethrow_exception(error);
        } catch (const E& exception) {
            if constexpr (Sendable<E>) {
                write_value<E>(writer, exception);
            } else if constexpr (std::constructible_from<E, std::string>) {
                writer.text(exception.what());
            } else {
                writer.nil();
            }
        }
    }
    static std::exception_ptr read(const WireValue& value) {
        if constexpr (Sendable<E>) {
            return std::make_exception_ptr(read_value<E>(value));
        } else if constexpr (std::constructible_from<E, std::string>) {
            return std::make_exception_ptr(E(std::string(value.text())));
        } else {
            return std::make_exception_ptr(E());
        }
    }
};

}  // namespace detail

/// Makes exceptions of type E (and of none derived from it) come back from workers as themselves:
/// by their codec, or what a constructor from a string makes of their what(), or a default one.
/// Those of the library and of the standard library are known anyway.
///
///     inline const asyncio::known_exception<NoSuchUser> no_such_user_is_known;
template <class E>
    requires(Sendable<E> || std::constructible_from<E, std::string> ||
             std::default_initializable<E>)
class known_exception : public detail::KnownException {
public:
    known_exception() noexcept
        : KnownException(typeid(E), &detail::WireOfException<E>::write,
                         &detail::WireOfException<E>::read) {}
};

namespace detail {

/// An exception of any type, to be read by read_exception().
void write_exception(WireWriter& writer, const std::exception_ptr& error, std::string_view trace);
[[nodiscard]] std::exception_ptr read_exception(const WireValue& value);

}  // namespace detail

}  // namespace asyncio
