// exceptions.hpp - Python's exceptions by their names, ExceptionGroup, and describe().
//
// Mirrors asyncio.exceptions and the part of Python's hierarchy that asyncio raises. ValueError is
// std::invalid_argument, KeyError and IndexError are std::out_of_range.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace asyncio {

/// The root of what is not an error: it is no std::exception, so that
/// `catch (const std::exception&)` lets it pass. `catch (...)` does not: rethrow there.
class BaseException {
public:
    BaseException() = default;
    explicit BaseException(std::string message) : message_(std::move(message)) {}
    BaseException(const BaseException&) = default;
    BaseException& operator=(const BaseException&) = default;
    virtual ~BaseException();

    /// What it was raised with, if with anything.
    [[nodiscard]] const std::optional<std::string>& message() const noexcept { return message_; }
    [[nodiscard]] const char* what() const noexcept {
        return message_.has_value() ? message_->c_str() : "";
    }

private:
    std::optional<std::string> message_;
};

/// The task was asked to end (Task::cancel). Catch it only to clean up, and rethrow it.
class CancelledError final : public BaseException {
public:
    using BaseException::BaseException;
    ~CancelledError() override;
};

/// Thrown at the co_yield of an async generator that is closed.
class GeneratorExit final : public BaseException {
public:
    using BaseException::BaseException;
    ~GeneratorExit() override;
};

/// Ctrl-C. It leaves the event loop at once; uncaught, the process ends as if by SIGINT.
class KeyboardInterrupt final : public BaseException {
public:
    using BaseException::BaseException;
    ~KeyboardInterrupt() override;
};

/// The program wants to end with a status. It leaves the event loop at once.
class SystemExit final : public BaseException {
public:
    explicit SystemExit(int code = 0) : BaseException(std::to_string(code)), code_(code) {}
    ~SystemExit() override;
    [[nodiscard]] int code() const noexcept { return code_; }

private:
    int code_;
};

class RuntimeError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
    ~RuntimeError() override;
};

/// Too many tasks were started eagerly in one another.
class RecursionError : public RuntimeError {
public:
    using RuntimeError::RuntimeError;
    ~RecursionError() override;
};

/// What was asked for is not implemented by this kind of transport, or of protocol.
class NotImplementedError : public RuntimeError {
public:
    using RuntimeError::RuntimeError;
    ~NotImplementedError() override;
};

/// The system cannot send this file over this transport without reading it.
class SendfileNotAvailableError : public RuntimeError {
public:
    using RuntimeError::RuntimeError;
    ~SendfileNotAvailableError() override;
};

/// Python's LookupError: a ContextVar that is not set.
class LookupError : public std::out_of_range {
public:
    using std::out_of_range::out_of_range;
    ~LookupError() override;
};

/// Python's TypeError, where it cannot be the compiler's.
class TypeError : public std::logic_error {
public:
    using std::logic_error::logic_error;
    ~TypeError() override;
};

/// A future was asked for what it does not have yet, or given what it has already.
class InvalidStateError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
    ~InvalidStateError() override;
};

/// Queue::get_nowait() on an empty queue.
class QueueEmpty : public std::runtime_error {
public:
    QueueEmpty() : std::runtime_error("") {}
    ~QueueEmpty() override;
};

/// Queue::put_nowait() on a full queue.
class QueueFull : public std::runtime_error {
public:
    QueueFull() : std::runtime_error("") {}
    ~QueueFull() override;
};

/// The queue has been shut down.
class QueueShutDown : public std::runtime_error {
public:
    QueueShutDown() : std::runtime_error("") {}
    ~QueueShutDown() override;
};

/// What was asked for with _nowait() would have to wait.
class WouldBlock : public std::runtime_error {
public:
    WouldBlock() : std::runtime_error("") {}
    ~WouldBlock() override;
};

/// All items of a channel have been received, and nobody can send any more.
class EndOfChannel : public std::runtime_error {
public:
    EndOfChannel() : std::runtime_error("") {}
    ~EndOfChannel() override;
};

/// Nobody is at the other side any more to receive what is sent.
class BrokenResourceError : public std::runtime_error {
public:
    BrokenResourceError() : std::runtime_error("") {}
    ~BrokenResourceError() override;
};

/// It was closed on this side, before or while it was used.
class ClosedResourceError : public std::runtime_error {
public:
    ClosedResourceError() : std::runtime_error("") {}
    ~ClosedResourceError() override;
};

/// The barrier was reset or aborted while tasks waited at it.
class BrokenBarrierError : public RuntimeError {
public:
    using RuntimeError::RuntimeError;
    ~BrokenBarrierError() override;
};

/// Python's concurrent.futures.BrokenExecutor: it takes no calls any more.
class BrokenExecutor : public RuntimeError {
public:
    using RuntimeError::RuntimeError;
    ~BrokenExecutor() override;
};

/// The initialiser of a ThreadPoolExecutor threw. Python's concurrent.futures.thread's.
class BrokenThreadPool : public BrokenExecutor {
public:
    using BrokenExecutor::BrokenExecutor;
    ~BrokenThreadPool() override;
};

/// The stream ended inside what was asked for.
class IncompleteReadError : public std::runtime_error {
public:
    /// `expected` is the number of bytes asked for, if it was known.
    IncompleteReadError(std::string partial, std::optional<std::size_t> expected);
    ~IncompleteReadError() override;
    /// What did arrive before the end.
    [[nodiscard]] const std::string& partial() const noexcept { return partial_; }
    [[nodiscard]] std::optional<std::size_t> expected() const noexcept { return expected_; }

private:
    std::string partial_;
    std::optional<std::size_t> expected_;
};

/// No separator within the reader's limit. The data is still in the buffer.
class LimitOverrunError : public std::runtime_error {
public:
    LimitOverrunError(const std::string& message, std::size_t consumed)
        : std::runtime_error(message), consumed_(consumed) {}
    ~LimitOverrunError() override;
    /// How many bytes have to be read past to get on.
    [[nodiscard]] std::size_t consumed() const noexcept { return consumed_; }

private:
    std::size_t consumed_;
};

/// What the operating system reported: code() is its errno in the generic category.
class OSError : public std::system_error {
public:
    /// `what` says what was being done, and to what: "connect to 127.0.0.1:80".
    OSError(int error_number, const std::string& what)
        : std::system_error(error_number, std::generic_category(), what), what_(what) {}
    /// An error of no number: code() is that of success.
    explicit OSError(const std::string& what);
    ~OSError() override;

    /// What was being done, and what happened: "connect to 127.0.0.1:80: Connection refused".
    [[nodiscard]] const char* what() const noexcept override;
    [[nodiscard]] int error_number() const noexcept { return code().value(); }
    /// What was being done.
    [[nodiscard]] const std::string& doing() const noexcept { return what_; }

private:
    std::string what_;
};

/// Something took longer than it was given.
class TimeoutError : public OSError {
public:
    TimeoutError();
    using OSError::OSError;
    ~TimeoutError() override;
};

// The subclasses of OSError that Python has, by errno; detail::raise_os_error() picks.
class ConnectionError : public OSError {
public:
    using OSError::OSError;
    ~ConnectionError() override;
};
class BrokenPipeError : public ConnectionError {
public:
    using ConnectionError::ConnectionError;
    ~BrokenPipeError() override;
};
class ConnectionAbortedError : public ConnectionError {
public:
    using ConnectionError::ConnectionError;
    ~ConnectionAbortedError() override;
};
class ConnectionRefusedError : public ConnectionError {
public:
    using ConnectionError::ConnectionError;
    ~ConnectionRefusedError() override;
};
class ConnectionResetError : public ConnectionError {
public:
    using ConnectionError::ConnectionError;
    ~ConnectionResetError() override;
};
class BlockingIOError : public OSError {
public:
    using OSError::OSError;
    ~BlockingIOError() override;
};
class ChildProcessError : public OSError {
public:
    using OSError::OSError;
    ~ChildProcessError() override;
};
class FileExistsError : public OSError {
public:
    using OSError::OSError;
    ~FileExistsError() override;
};
class FileNotFoundError : public OSError {
public:
    using OSError::OSError;
    ~FileNotFoundError() override;
};
class InterruptedError : public OSError {
public:
    using OSError::OSError;
    ~InterruptedError() override;
};
class IsADirectoryError : public OSError {
public:
    using OSError::OSError;
    ~IsADirectoryError() override;
};
class NotADirectoryError : public OSError {
public:
    using OSError::OSError;
    ~NotADirectoryError() override;
};
class PermissionError : public OSError {
public:
    using OSError::OSError;
    ~PermissionError() override;
};
class ProcessLookupError : public OSError {
public:
    using OSError::OSError;
    ~ProcessLookupError() override;
};

/// Python's socket.gaierror: a host name or service could not be resolved. It has no errno but
/// getaddrinfo's EAI_* number.
class AddressInfoError : public OSError {
public:
    AddressInfoError(int eai, const std::string& text, const std::string& what);
    ~AddressInfoError() override;
    [[nodiscard]] int eai() const noexcept { return eai_; }
    [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
    int eai_;
    std::string text_;
};

/// Several errors at once, which may be groups themselves: what a TaskGroup throws.
///
///     try {
///         co_await task_group(body);
///     } catch (const ExceptionGroup& group) {            // Python: except* OSError
///         auto [errors, rest] = group.split<OSError>();
///         if (errors) { log(errors->what()); }
///         if (rest) { std::rethrow_exception(rest.error()); }
///     }
///
/// (Python's BaseExceptionGroup is this as well: it takes whatever can be thrown.)
class ExceptionGroup : public std::exception {
public:
    /// Throws std::invalid_argument if there are no exceptions, or one of them is null.
    ExceptionGroup(std::string message, std::vector<std::exception_ptr> exceptions);
    ~ExceptionGroup() override;

    [[nodiscard]] const std::string& message() const noexcept { return message_; }
    [[nodiscard]] const std::vector<std::exception_ptr>& exceptions() const noexcept {
        return exceptions_;
    }
    /// The message, the number of exceptions and each of them: one line for each leaf.
    [[nodiscard]] const char* what() const noexcept override { return what_.c_str(); }

    /// A group with the same message, of other exceptions: what split() makes its parts with. A
    /// derived class that has more to keep overrides it: give an exception_ptr to a group, or
    /// split() throws TypeError.
    [[nodiscard]] virtual std::exception_ptr derive(
        std::vector<std::exception_ptr> exceptions) const;

    /// A part of a group with its nesting, or nothing.
    class Part;
    /// A part of the group, and the rest. Either is empty when nothing is in it.
    struct Split;

    /// Splits by whether a leaf is one of `E...`. A group that is one, because it is of a class
    /// derived from ExceptionGroup, goes as a whole. (Each part is made by derive(), nothing is
    /// changed.)
    template <class... E>
    [[nodiscard]] Split split() const;
    /// The leaves that are one of `E...`, with the nesting that led to them.
    template <class... E>
    [[nodiscard]] Part subgroup() const;
    /// Is any leaf, or any group inside, one of `E...`?
    template <class... E>
    [[nodiscard]] bool contains() const;

    /// The same by what `predicate(const std::exception_ptr&)` says. It is asked of this group
    /// and those inside, too: one for which it is true goes as a whole.
    template <class Predicate>
    [[nodiscard]] Split split_if(Predicate&& predicate) const;
    template <class Predicate>
    [[nodiscard]] Part subgroup_if(Predicate&& predicate) const;

private:
    using Matches = bool (*)(const void* predicate, const std::exception_ptr& error);

    template <class... E>
    static bool is_one_of(const void*, const std::exception_ptr& error);
    [[nodiscard]] Split split_by(Matches matches, const void* predicate) const;
    [[nodiscard]] Split split_if_any(Matches matches, const void* predicate) const;
    [[nodiscard]] Split whole() const;
    [[nodiscard]] Split derive_both(std::vector<std::exception_ptr> match,
                                    std::vector<std::exception_ptr> rest) const;

    std::string message_;
    std::vector<std::exception_ptr> exceptions_;
    std::string what_;
};

class ExceptionGroup::Part {
public:
    Part() = default;

    [[nodiscard]] bool has_value() const noexcept { return group_ != nullptr; }
    explicit operator bool() const noexcept { return has_value(); }
    /// The group, of whatever class it is; std::bad_optional_access if there is none. It lives as
    /// long as this, or error().
    [[nodiscard]] const ExceptionGroup& value() const {
        if (group_ == nullptr) {
            throw std::bad_optional_access();
        }
        return *group_;
    }
    const ExceptionGroup& operator*() const noexcept { return *group_; }
    const ExceptionGroup* operator->() const noexcept { return group_; }
    /// To be rethrown; null if there is none.
    [[nodiscard]] const std::exception_ptr& error() const noexcept { return error_; }

private:
    friend ExceptionGroup;
    /// TypeError if it is not a group.
    explicit Part(std::exception_ptr error);

    std::exception_ptr error_;
    const ExceptionGroup* group_ = nullptr;  // in error_
};

struct ExceptionGroup::Split {
    Part match;
    Part rest;
};

template <class... E>
bool ExceptionGroup::is_one_of(const void*, const std::exception_ptr& error) {
    static_assert(sizeof...(E) > 0, "which exceptions?");
    const auto is = [&error]<class One>(const One*) {
        try {
            std::rethrow_exception(error);
        } catch (const One&) {
            return true;
        } catch (...) {
            return false;
        }
    };
    const auto is_group = is(static_cast<const ExceptionGroup*>(nullptr));
    // Of a group that is asked for as a std::exception it is the leaves that matter.
    return ((is(static_cast<const E*>(nullptr)) &&
             (std::is_base_of_v<ExceptionGroup, E> || !is_group)) ||
            ...);
}

template <class... E>
ExceptionGroup::Split ExceptionGroup::split() const {
    const auto is = [this]<class One>(const One*) {
        if constexpr (std::is_base_of_v<ExceptionGroup, One>) {
            return dynamic_cast<const One*>(this) != nullptr;
        } else {
            return false;
        }
    };
    return (is(static_cast<const E*>(nullptr)) || ...) ? whole()
                                                       : split_by(&is_one_of<E...>, nullptr);
}

template <class... E>
ExceptionGroup::Part ExceptionGroup::subgroup() const {
    return split<E...>().match;
}

template <class... E>
bool ExceptionGroup::contains() const {
    return subgroup<E...>().has_value();
}

template <class Predicate>
ExceptionGroup::Split ExceptionGroup::split_if(Predicate&& predicate) const {
    using P = std::remove_reference_t<Predicate>;
    if constexpr (std::is_function_v<P>) {
        P* const function = &predicate;
        return split_if(function);
    } else {
        const auto matches = [](const void* object, const std::exception_ptr& error) -> bool {
            return (*static_cast<P*>(const_cast<void*>(object)))(error);
        };
        return split_if_any(matches, std::addressof(predicate));
    }
}

template <class Predicate>
ExceptionGroup::Part ExceptionGroup::subgroup_if(Predicate&& predicate) const {
    return split_if(predicate).match;
}

/// An exception as Python's repr() writes it: `RuntimeError('bad')`; "None" for null.
/// std::invalid_argument is called ValueError, std::out_of_range KeyError, any other std::exception
/// that is none of the library's own Exception. Of groups inside of each other 50 are written out.
[[nodiscard]] std::string describe(const std::exception_ptr& error);

namespace detail {

/// Throws the subclass of OSError that Python has for this errno.
[[noreturn]] void raise_os_error(int error_number, const std::string& what);
/// The same, not thrown.
[[nodiscard]] std::exception_ptr make_os_error(int error_number, const std::string& what);

/// Is it exactly a CancelledError? (Does not throw it to find out.)
[[nodiscard]] bool is_cancelled_error(const std::exception_ptr& error) noexcept;

/// Is it a KeyboardInterrupt or a SystemExit, which must leave the loop?
[[nodiscard]] bool leaves_the_loop(const std::exception_ptr& error) noexcept;

[[noreturn]] void raise_runtime_error(const char* text);
[[noreturn]] void raise_invalid_state(const char* text);
[[noreturn]] void raise_value_error(const char* text);

}  // namespace detail

}  // namespace asyncio
