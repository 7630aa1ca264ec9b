// exceptions.cpp - the family's vtables, ExceptionGroup, and exceptions as Python writes them.
//
// SPDX-License-Identifier: MIT
#include <asyncio/exceptions.hpp>

#include <asyncio/detail/config.hpp>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <typeinfo>

namespace asyncio {

// Out of line, so that each class has one vtable and one type_info in the program: catch clauses
// of a shared library and of its user must agree on them.
BaseException::~BaseException() = default;
CancelledError::~CancelledError() = default;
GeneratorExit::~GeneratorExit() = default;
KeyboardInterrupt::~KeyboardInterrupt() = default;
SystemExit::~SystemExit() = default;
RuntimeError::~RuntimeError() = default;
RecursionError::~RecursionError() = default;
LookupError::~LookupError() = default;
TypeError::~TypeError() = default;
InvalidStateError::~InvalidStateError() = default;
QueueEmpty::~QueueEmpty() = default;
QueueFull::~QueueFull() = default;
QueueShutDown::~QueueShutDown() = default;
WouldBlock::~WouldBlock() = default;
EndOfChannel::~EndOfChannel() = default;
BrokenResourceError::~BrokenResourceError() = default;
ClosedResourceError::~ClosedResourceError() = default;
BrokenBarrierError::~BrokenBarrierError() = default;
IncompleteReadError::~IncompleteReadError() = default;
LimitOverrunError::~LimitOverrunError() = default;
OSError::~OSError() = default;
TimeoutError::~TimeoutError() = default;
ConnectionError::~ConnectionError() = default;
BrokenPipeError::~BrokenPipeError() = default;
ConnectionAbortedError::~ConnectionAbortedError() = default;
ConnectionRefusedError::~ConnectionRefusedError() = default;
ConnectionResetError::~ConnectionResetError() = default;
BlockingIOError::~BlockingIOError() = default;
ChildProcessError::~ChildProcessError() = default;
FileExistsError::~FileExistsError() = default;
FileNotFoundError::~FileNotFoundError() = default;
InterruptedError::~InterruptedError() = default;
IsADirectoryError::~IsADirectoryError() = default;
NotADirectoryError::~NotADirectoryError() = default;
PermissionError::~PermissionError() = default;
ProcessLookupError::~ProcessLookupError() = default;
AddressInfoError::~AddressInfoError() = default;
ExceptionGroup::~ExceptionGroup() = default;

static std::string incomplete_read_text(std::size_t got, std::optional<std::size_t> expected) {
    return std::to_string(got) + " bytes read on a total of " +
           (expected.has_value() ? std::to_string(*expected) : "undefined") + " expected bytes";
}

IncompleteReadError::IncompleteReadError(std::string partial, std::optional<std::size_t> expected)
    : std::runtime_error(incomplete_read_text(partial.size(), expected)),
      partial_(std::move(partial)),
      expected_(expected) {}

OSError::OSError(const std::string& what)
    : std::system_error(0, std::generic_category(), what), what_(what) {}

const char* OSError::what() const noexcept {
    return error_number() == 0 ? what_.c_str() : std::system_error::what();
}

TimeoutError::TimeoutError() : OSError(ETIMEDOUT, "") {}

AddressInfoError::AddressInfoError(int eai, const std::string& text, const std::string& what)
    : OSError(what + ": " + text), eai_(eai), text_(text) {}

// -------------------------------------------------------------------------------- ExceptionGroup

static void append_leaves(std::string& text, const ExceptionGroup& group, int depth) {
    constexpr int deepest = 50;
    if (depth > deepest) {
        text += " ...";
        return;
    }
    for (const std::exception_ptr& error : group.exceptions()) {
        text += '\n';
        text.append(static_cast<std::size_t>(depth) * 2, ' ');
        try {
            std::rethrow_exception(error);
        } catch (const ExceptionGroup& inner) {
            text += inner.message();
            append_leaves(text, inner, depth + 1);
        } catch (...) {
            text += describe(error);
        }
    }
}

ExceptionGroup::ExceptionGroup(std::string message, std::vector<std::exception_ptr> exceptions)
    : message_(std::move(message)), exceptions_(std::move(exceptions)) {
    if (exceptions_.empty()) {
        detail::raise_value_error("second argument (exceptions) must be a non-empty sequence");
    }
    for (std::size_t index = 0; index < exceptions_.size(); ++index) {
        if (exceptions_[index] == nullptr) {
            detail::raise_value_error(("Item " + std::to_string(index) +
                                       " of second argument (exceptions) is not an exception")
                                          .c_str());
        }
    }
    what_ = message_ + " (" + std::to_string(exceptions_.size()) + " sub-exception" +
            (exceptions_.size() == 1 ? ")" : "s)");
    append_leaves(what_, *this, 1);
}

std::exception_ptr ExceptionGroup::derive(std::vector<std::exception_ptr> exceptions) const {
    return std::make_exception_ptr(ExceptionGroup(message_, std::move(exceptions)));
}

ExceptionGroup::Part::Part(std::exception_ptr error) : error_(std::move(error)) {
    try {
        if (error_ != nullptr) {
            std::rethrow_exception(error_);
        }
    } catch (const ExceptionGroup& group) {
        group_ = &group;
        return;
    } catch (...) {}
    throw TypeError("derive must return an instance of ExceptionGroup");
}

ExceptionGroup::Split ExceptionGroup::whole() const {
    return {.match = Part(derive(exceptions_)), .rest = {}};
}

ExceptionGroup::Split ExceptionGroup::split_if_any(Matches matches, const void* predicate) const {
    Split all = whole();
    return matches(predicate, all.match.error()) ? std::move(all) : split_by(matches, predicate);
}

ExceptionGroup::Split ExceptionGroup::split_by(Matches matches, const void* predicate) const {
    std::vector<std::exception_ptr> match;
    std::vector<std::exception_ptr> rest;
    for (const std::exception_ptr& error : exceptions_) {
        if (matches(predicate, error)) {
            match.push_back(error);
            continue;
        }
        try {
            std::rethrow_exception(error);
        } catch (const ExceptionGroup& inner) {
            const Split split = inner.split_by(matches, predicate);
            if (split.match) {
                match.push_back(split.match.error());
            }
            if (split.rest) {
                rest.push_back(split.rest.error());
            }
        } catch (...) {
            rest.push_back(error);
        }
    }
    Split result;
    if (!match.empty()) {
        result.match = Part(derive(std::move(match)));
    }
    if (!rest.empty()) {
        result.rest = Part(derive(std::move(rest)));
    }
    return result;
}

// -------------------------------------------------------------------------------------- describe

/// A string as Python's repr() writes it.
static std::string quoted(const std::string& text) {
    const bool has_single = text.find('\'') != std::string::npos;
    const bool has_double = text.find('"') != std::string::npos;
    const char quote = has_single && !has_double ? '"' : '\'';
    std::string result(1, quote);
    for (const char c : text) {
        if (c == quote || c == '\\') {
            result += '\\';
            result += c;
        } else if (c == '\n') {
            result += "\\n";
        } else if (c == '\r') {
            result += "\\r";
        } else if (c == '\t') {
            result += "\\t";
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            char escape[8];
            std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned char>(c));
            result += escape;
        } else {
            result += c;
        }
    }
    return result += quote;
}

static std::string describe_base(const char* name, const BaseException& error) {
    const auto& message = error.message();
    return std::string(name) + "(" + (message.has_value() ? quoted(*message) : "") + ")";
}

static std::string describe_text(const char* name, const std::exception& error) {
    return std::string(name) + "(" + quoted(error.what()) + ")";
}

static std::string describe_os(const char* name, const OSError& error) {
    if (error.code().value() == 0) {
        return std::string(name) + "(" + quoted(error.doing()) + ")";
    }
    std::string text =
        std::to_string(error.error_number()) + ", " + quoted(std::strerror(error.error_number()));
    return std::string(name) + "(" + text + ")";
}

static std::string describe_group(const ExceptionGroup& group) {
    std::string list;
    for (const std::exception_ptr& error : group.exceptions()) {
        list += (list.empty() ? "" : ", ") + describe(error);
    }
    return "ExceptionGroup(" + quoted(group.message()) + ", [" + list + "])";
}

static std::string describe_os_family(const OSError& error) {
    const auto is = [&error]<class E>(const E*) {
        return dynamic_cast<const E*>(&error) != nullptr;
    };
    if (is(static_cast<const TimeoutError*>(nullptr))) {
        return error.doing().empty() ? "TimeoutError()" : describe_os("TimeoutError", error);
    }
    if (const auto* resolve = dynamic_cast<const AddressInfoError*>(&error)) {
        return "gaierror(" + std::to_string(resolve->eai()) + ", " + quoted(resolve->text()) + ")";
    }
#define ASYNCIO_OS_NAME(Name)                    \
    if (is(static_cast<const Name*>(nullptr))) { \
        return describe_os(#Name, error);        \
    }
    ASYNCIO_OS_NAME(BrokenPipeError)
    ASYNCIO_OS_NAME(ConnectionAbortedError)
    ASYNCIO_OS_NAME(ConnectionRefusedError)
    ASYNCIO_OS_NAME(ConnectionResetError)
    ASYNCIO_OS_NAME(ConnectionError)
    ASYNCIO_OS_NAME(BlockingIOError)
    ASYNCIO_OS_NAME(ChildProcessError)
    ASYNCIO_OS_NAME(FileExistsError)
    ASYNCIO_OS_NAME(FileNotFoundError)
    ASYNCIO_OS_NAME(InterruptedError)
    ASYNCIO_OS_NAME(IsADirectoryError)
    ASYNCIO_OS_NAME(NotADirectoryError)
    ASYNCIO_OS_NAME(PermissionError)
    ASYNCIO_OS_NAME(ProcessLookupError)
#undef ASYNCIO_OS_NAME
    return describe_os("OSError", error);
}

std::string describe(const std::exception_ptr& error) {
    if (error == nullptr) {
        return "None";
    }
    try {
        std::rethrow_exception(error);
    } catch (const CancelledError& e) {
        return describe_base("CancelledError", e);
    } catch (const GeneratorExit& e) {
        return describe_base("GeneratorExit", e);
    } catch (const KeyboardInterrupt& e) {
        return describe_base("KeyboardInterrupt", e);
    } catch (const SystemExit& e) {
        return "SystemExit(" + std::to_string(e.code()) + ")";
    } catch (const BaseException& e) {
        return describe_base("BaseException", e);
    } catch (const ExceptionGroup& e) {
        return describe_group(e);
    } catch (const OSError& e) {
        return describe_os_family(e);
    } catch (const BrokenBarrierError& e) {
        return describe_text("BrokenBarrierError", e);
    } catch (const RecursionError& e) {
        return describe_text("RecursionError", e);
    } catch (const RuntimeError& e) {
        return describe_text("RuntimeError", e);
    } catch (const InvalidStateError& e) {
        return describe_text("InvalidStateError", e);
    } catch (const QueueEmpty&) {
        return "QueueEmpty()";
    } catch (const QueueFull&) {
        return "QueueFull()";
    } catch (const QueueShutDown&) {
        return "QueueShutDown()";
    } catch (const WouldBlock&) {
        return "WouldBlock()";
    } catch (const EndOfChannel&) {
        return "EndOfChannel()";
    } catch (const BrokenResourceError&) {
        return "BrokenResourceError()";
    } catch (const ClosedResourceError&) {
        return "ClosedResourceError()";
    } catch (const IncompleteReadError& e) {
        return describe_text("IncompleteReadError", e);
    } catch (const LimitOverrunError& e) {
        return describe_text("LimitOverrunError", e);
    } catch (const LookupError& e) {
        return describe_text("LookupError", e);
    } catch (const TypeError& e) {
        return describe_text("TypeError", e);
    } catch (const std::invalid_argument& e) {
        return describe_text("ValueError", e);
    } catch (const std::out_of_range& e) {
        return describe_text("KeyError", e);
    } catch (const std::bad_alloc&) {
        return "MemoryError()";
    } catch (const std::exception& e) {
        return describe_text("Exception", e);
    } catch (...) {
        const std::type_info* type = error.__cxa_exception_type();
        return std::string("<exception of type ") + (type != nullptr ? type->name() : "?") + ">";
    }
}

// ---------------------------------------------------------------------------------------- detail

namespace detail {

void raise_os_error(int error_number, const std::string& what) {
    switch (error_number) {
        case EPIPE:
        case ESHUTDOWN:
            throw BrokenPipeError(error_number, what);
        case ECONNABORTED:
            throw ConnectionAbortedError(error_number, what);
        case ECONNREFUSED:
            throw ConnectionRefusedError(error_number, what);
        case ECONNRESET:
            throw ConnectionResetError(error_number, what);
        case EAGAIN:
        case EALREADY:
        case EINPROGRESS:
            throw BlockingIOError(error_number, what);
        case ECHILD:
            throw ChildProcessError(error_number, what);
        case EEXIST:
            throw FileExistsError(error_number, what);
        case ENOENT:
            throw FileNotFoundError(error_number, what);
        case EINTR:
            throw InterruptedError(error_number, what);
        case EISDIR:
            throw IsADirectoryError(error_number, what);
        case ENOTDIR:
            throw NotADirectoryError(error_number, what);
        case EACCES:
        case EPERM:
            throw PermissionError(error_number, what);
        case ESRCH:
            throw ProcessLookupError(error_number, what);
        case ETIMEDOUT:
            throw TimeoutError(error_number, what);
        default:
            throw OSError(error_number, what);
    }
}

std::exception_ptr make_os_error(int error_number, const std::string& what) {
    try {
        raise_os_error(error_number, what);
    } catch (...) {
        return std::current_exception();
    }
}

// The type is asked of the pointer (libstdc++'s interface for it), because rethrowing to find out
// costs a microsecond and this is asked of every task that ends with an exception.
bool is_cancelled_error(const std::exception_ptr& error) noexcept {
    return error != nullptr && *error.__cxa_exception_type() == typeid(CancelledError);
}

bool leaves_the_loop(const std::exception_ptr& error) noexcept {
    if (error == nullptr) {
        return false;
    }
    const std::type_info& type = *error.__cxa_exception_type();
    return type == typeid(KeyboardInterrupt) || type == typeid(SystemExit);
}

void raise_runtime_error(const char* text) {
    throw RuntimeError(text);
}
void raise_invalid_state(const char* text) {
    throw InvalidStateError(text);
}
void raise_value_error(const char* text) {
    throw std::invalid_argument(text);
}

void assertion_failed(const char* condition, const char* file, int line) noexcept {
    std::fprintf(stderr, "asyncio: broken invariant: %s (%s:%d)\n", condition, file, line);
    std::abort();
}

}  // namespace detail

}  // namespace asyncio
