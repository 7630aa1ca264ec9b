// exceptions.cpp - the family's vtables, ExceptionGroup, and exceptions as Python writes them.
//
// SPDX-License-Identifier: MIT
#include <asyncio/exceptions.hpp>

#include <asyncio/detail/config.hpp>
#include <asyncio/detail/ssl_errors.hpp>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <new>
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
NotImplementedError::~NotImplementedError() = default;
SendfileNotAvailableError::~SendfileNotAvailableError() = default;
LookupError::~LookupError() = default;
TypeError::~TypeError() = default;
InvalidStateError::~InvalidStateError() = default;
QueueEmpty::~QueueEmpty() = default;
QueueFull::~QueueFull() = default;
QueueShutDown::~QueueShutDown() = default;
BrokenExecutor::~BrokenExecutor() = default;
BrokenThreadPool::~BrokenThreadPool() = default;
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

/// How many groups inside of each other are written out.
static constexpr int deepest = 50;

static void append_leaves(std::string& text, const ExceptionGroup& group, int depth) {
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

// Groups may be nested as deep as awaits: those inside are destroyed one after another, by the
// outermost.
ExceptionGroup::~ExceptionGroup() {
    static constinit thread_local std::vector<std::exception_ptr>* to_destroy = nullptr;
    if (to_destroy != nullptr) {
        try {
            to_destroy->insert(to_destroy->end(), std::make_move_iterator(exceptions_.begin()),
                               std::make_move_iterator(exceptions_.end()));
        } catch (const std::bad_alloc&) {}  // then one in another
        return;
    }
    std::vector<std::exception_ptr> errors = std::move(exceptions_);
    to_destroy = &errors;
    while (!errors.empty()) {
        const std::exception_ptr last = std::move(errors.back());
        errors.pop_back();
    }
    to_destroy = nullptr;
}

/// The group that `error` is, which it keeps; null if it is none.
static const ExceptionGroup* group_in(const std::exception_ptr& error) noexcept {
    try {
        std::rethrow_exception(error);
    } catch (const ExceptionGroup& group) {
        return &group;
    } catch (...) {
        return nullptr;
    }
}

ExceptionGroup::Part::Part(std::exception_ptr error)
    : error_(std::move(error)), group_(error_ != nullptr ? group_in(error_) : nullptr) {
    if (group_ == nullptr) {
        throw TypeError("derive must return an instance of ExceptionGroup");
    }
}

ExceptionGroup::Split ExceptionGroup::whole() const {
    return {.match = Part(derive(exceptions_)), .rest = {}};
}

ExceptionGroup::Split ExceptionGroup::split_if_any(Matches matches, const void* predicate) const {
    Split all = whole();
    return matches(predicate, all.match.error()) ? std::move(all) : split_by(matches, predicate);
}

ExceptionGroup::Split ExceptionGroup::split_by(Matches matches, const void* predicate) const {
    // No recursion: groups may be nested as deep as awaits.
    struct Level {
        explicit Level(const ExceptionGroup& group) noexcept : group(&group) {}
        const ExceptionGroup* group;
        std::size_t next = 0;
        std::vector<std::exception_ptr> match;
        std::vector<std::exception_ptr> rest;
    };
    std::vector<Level> levels;
    levels.emplace_back(*this);
    for (;;) {
        Level& level = levels.back();
        if (level.next < level.group->exceptions_.size()) {
            const std::exception_ptr& error = level.group->exceptions_[level.next++];
            if (matches(predicate, error)) {
                level.match.push_back(error);
            } else if (const ExceptionGroup* const inner = group_in(error)) {
                levels.emplace_back(*inner);
            } else {
                level.rest.push_back(error);
            }
            continue;
        }
        const Split split = level.group->derive_both(std::move(level.match), std::move(level.rest));
        levels.pop_back();
        if (levels.empty()) {
            return split;
        }
        if (split.match) {
            levels.back().match.push_back(split.match.error());
        }
        if (split.rest) {
            levels.back().rest.push_back(split.rest.error());
        }
    }
}

ExceptionGroup::Split ExceptionGroup::derive_both(std::vector<std::exception_ptr> match,
                                                  std::vector<std::exception_ptr> rest) const {
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

static std::string describe_at(const std::exception_ptr& error, int depth);

static std::string describe_group(const ExceptionGroup& group, int depth) {
    std::string list;
    if (depth == deepest) {
        list = "...";
    } else {
        for (const std::exception_ptr& error : group.exceptions()) {
            list += (list.empty() ? "" : ", ") + describe_at(error, depth + 1);
        }
    }
    return "ExceptionGroup(" + quoted(group.message()) + ", [" + list + "])";
}

static std::string describe_ssl(const SSLError& error) {
    const char* name = "SSLError";
    switch (error.ssl_errno()) {
        case 2:
            name = "SSLWantReadError";
            break;
        case 3:
            name = "SSLWantWriteError";
            break;
        case 5:
            name = "SSLSyscallError";
            break;
        case 6:
            name = "SSLZeroReturnError";
            break;
        case 8:
            name = "SSLEOFError";
            break;
        default:
            if (dynamic_cast<const SSLCertVerificationError*>(&error) != nullptr) {
                name = "SSLCertVerificationError";
            }
    }
    return std::string(name) + "(" + std::to_string(error.ssl_errno()) + ", " +
           quoted(error.what()) + ")";
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
    if (const auto* ssl = dynamic_cast<const SSLError*>(&error)) {
        return describe_ssl(*ssl);
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

static std::string describe_at(const std::exception_ptr& error, int depth) {
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
        return describe_group(e, depth);
    } catch (const OSError& e) {
        return describe_os_family(e);
    } catch (const BrokenBarrierError& e) {
        return describe_text("BrokenBarrierError", e);
    } catch (const BrokenThreadPool& e) {
        return describe_text("BrokenThreadPool", e);
    } catch (const RecursionError& e) {
        return describe_text("RecursionError", e);
    } catch (const NotImplementedError& e) {
        return describe_text("NotImplementedError", e);
    } catch (const SendfileNotAvailableError& e) {
        return describe_text("SendfileNotAvailableError", e);
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

std::string describe(const std::exception_ptr& error) {
    return describe_at(error, 0);
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
