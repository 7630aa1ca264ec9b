// exceptions.cpp - exceptions on their way to another process.
//
// SPDX-License-Identifier: MIT
#include <asyncio/detail/processes/errors.hpp>

#include "death.hpp"

#include <atomic>
#include <filesystem>
#include <functional>
#include <ios>
#include <new>
#include <optional>
#include <regex>
#include <stdexcept>
#include <variant>

#include <cxxabi.h>
#include <unistd.h>

namespace asyncio {

BrokenProcessPool::~BrokenProcessPool() = default;
RemoteError::~RemoteError() = default;

// ------------------------------------------------------------------------- their codecs

/// Of a message that what() is made of: `first` and, behind it, that of the code.
template <>
struct codec<std::system_error> {
    using Encoded = std::tuple<std::error_code, std::string>;
    static Encoded encode(const std::system_error& error) {
        std::string what = error.what();
        const std::string ending = ": " + error.code().message();
        if (what.ends_with(ending)) {
            what.resize(what.size() - ending.size());
        }
        return {error.code(), what};
    }
    static std::system_error decode(const Encoded& encoded) {
        return {std::get<0>(encoded), std::get<1>(encoded)};
    }
};

template <>
struct codec<std::filesystem::filesystem_error> {
    using Path = std::filesystem::path;
    using Encoded = std::tuple<std::error_code, std::string, Path, Path>;
    static Encoded encode(const std::filesystem::filesystem_error& error) {
        // "filesystem error: WHAT: MESSAGE [PATH] [PATH]"
        std::string what = error.what();
        constexpr std::string_view beginning = "filesystem error: ";
        if (what.starts_with(beginning)) {
            what.erase(0, beginning.size());
        }
        what.resize(std::min(what.size(), what.rfind(": " + error.code().message())));
        return {error.code(), what, error.path1(), error.path2()};
    }
    static std::filesystem::filesystem_error decode(const Encoded& encoded) {
        const auto& [code, what, first, second] = encoded;
        if (first.empty() && second.empty()) {
            return {what, code};
        }
        return second.empty() ? std::filesystem::filesystem_error(what, first, code)
                              : std::filesystem::filesystem_error(what, first, second, code);
    }
};

template <>
struct codec<std::regex_error> {
    static int encode(const std::regex_error& error) { return error.code(); }
    static std::regex_error decode(int code) {
        return std::regex_error(static_cast<std::regex_constants::error_type>(code));
    }
};

template <class E>
    requires std::is_base_of_v<OSError, E>
struct codec<E> {
    using Encoded = std::tuple<int, std::string>;
    static Encoded encode(const E& error) { return {error.error_number(), error.doing()}; }
    static E decode(const Encoded& encoded) {
        const auto& [number, doing] = encoded;
        if constexpr (std::constructible_from<E, std::string>) {
            if (number == 0) {
                return E(doing);
            }
        } else if constexpr (std::default_initializable<E>) {
            if (doing.empty()) {
                return E();
            }
        }
        return E(number, doing);
    }
};

template <>
struct codec<AddressInfoError> {
    using Encoded = std::tuple<int, std::string, std::string>;
    static Encoded encode(const AddressInfoError& error) {
        return {error.eai(), error.text(), error.doing()};
    }
    static AddressInfoError decode(const Encoded& encoded) {
        return {std::get<0>(encoded), std::get<1>(encoded), std::get<2>(encoded)};
    }
};

template <>
struct codec<IncompleteReadError> {
    using Encoded = std::tuple<std::string, std::optional<std::size_t>>;
    static Encoded encode(const IncompleteReadError& error) {
        return {error.partial(), error.expected()};
    }
    static IncompleteReadError decode(const Encoded& encoded) {
        return {std::get<0>(encoded), std::get<1>(encoded)};
    }
};

template <>
struct codec<LimitOverrunError> {
    using Encoded = std::tuple<std::string, std::size_t>;
    static Encoded encode(const LimitOverrunError& error) {
        return {error.what(), error.consumed()};
    }
    static LimitOverrunError decode(const Encoded& encoded) {
        return {std::get<0>(encoded), std::get<1>(encoded)};
    }
};

template <>
struct codec<SystemExit> {
    static int encode(const SystemExit& error) { return error.code(); }
    static SystemExit decode(int code) { return SystemExit(code); }
};

template <class E>
    requires std::is_base_of_v<BaseException, E>
struct codec<E> {
    static std::optional<std::string> encode(const E& error) { return error.message(); }
    static E decode(const std::optional<std::string>& message) {
        return message.has_value() ? E(*message) : E();
    }
};

template <>
struct codec<RemoteError> {
    using Encoded = std::tuple<std::string, std::string, std::string>;
    static Encoded encode(const RemoteError& error) {
        return {error.type(), error.message(), error.trace()};
    }
    static RemoteError decode(const Encoded& encoded) {
        return {std::get<0>(encoded), std::get<1>(encoded), std::get<2>(encoded)};
    }
};

namespace detail {

// ------------------------------------------------------------------------- which are known

namespace {

// A list, and not a table: known_exceptions are made before main(), in any order.
constinit std::atomic<const KnownException*> first_known{nullptr};

template <class... E>
struct AllKnown : known_exception<E>... {};

/// ExceptionGroup is of any exceptions, so it is written and read by what is below.
struct WireOfGroup {
    static void write(WireWriter& writer, const std::exception_ptr& error) {
        try {
            std::rethrow_exception(error);
        } catch (const ExceptionGroup& group) {
            writer.array(group.exceptions().size() + 1);
            writer.text(group.message());
            for (const std::exception_ptr& each : group.exceptions()) {
                write_exception(writer, each, {});
            }
        }
    }
    static std::exception_ptr read(const WireValue& value) {
        std::vector<std::exception_ptr> errors;
        for (std::size_t i = 1; i < value.size(); ++i) {
            errors.push_back(read_exception(value[i]));
        }
        return std::make_exception_ptr(ExceptionGroup(std::string(value[0].text()), errors));
    }
};

const KnownException* all_known() {
    // Used only once something was thrown, or came: by then it may be made.
    static const AllKnown<
        std::exception, std::bad_alloc, std::bad_cast, std::bad_typeid, std::bad_exception,
        std::bad_array_new_length, std::bad_function_call, std::bad_optional_access,
        std::bad_variant_access, std::bad_weak_ptr, std::logic_error, std::invalid_argument,
        std::domain_error, std::length_error, std::out_of_range, std::runtime_error,
        std::range_error, std::overflow_error, std::underflow_error, std::system_error,
        std::ios_base::failure, std::filesystem::filesystem_error, std::regex_error>
        of_the_standard_library;
    static const AllKnown<
        CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit, RuntimeError, RecursionError,
        NotImplementedError, SendfileNotAvailableError, LookupError, TypeError, InvalidStateError,
        QueueEmpty, QueueFull, QueueShutDown, WouldBlock, EndOfChannel, BrokenResourceError,
        ClosedResourceError, BrokenBarrierError, IncompleteReadError, LimitOverrunError,
        BrokenExecutor, BrokenThreadPool, BrokenProcessPool, RemoteError>
        of_the_library;
    static const AllKnown<OSError, TimeoutError, ConnectionError, BrokenPipeError,
                          ConnectionAbortedError, ConnectionRefusedError, ConnectionResetError,
                          BlockingIOError, ChildProcessError, FileExistsError, FileNotFoundError,
                          InterruptedError, IsADirectoryError, NotADirectoryError, PermissionError,
                          ProcessLookupError, AddressInfoError>
        of_the_system;
    static const KnownException group(typeid(ExceptionGroup), &WireOfGroup::write,
                                      &WireOfGroup::read);
    static const AllKnown<bool, int, unsigned, long, unsigned long, double, std::string> no_classes;

    return first_known.load();
}

const KnownException* find_known(const std::type_info& type) {
    const KnownException* known = all_known();
    while (known != nullptr && known->type() != type) {
        known = known->next();
    }
    return known;
}

// None also where several types have this name: those of two source files' own.
const KnownException* find_known(std::string_view name) {
    const KnownException* found = nullptr;
    for (const KnownException* each = all_known(); each != nullptr; each = each->next()) {
        if (each->type().name() != name || (found != nullptr && found->type() == each->type())) {
            continue;
        }
        if (found != nullptr) {
            return nullptr;
        }
        found = each;
    }
    return found;
}

/// False if it is not known, or its codec throws.
bool write_known(WireWriter& writer, const std::exception_ptr& error, const std::type_info& type) {
    const KnownException* const known = find_known(type);
    try {
        if (known != nullptr) {
            known->write(writer, error);
        }
        return known != nullptr;
    } catch (...) {
        return false;
    }
}

/// Null in the same cases.
std::exception_ptr read_known(const WireValue& value, std::string_view name) {
    const KnownException* const known = find_known(name);
    try {
        return known != nullptr ? known->read(value) : nullptr;
    } catch (...) {
        return nullptr;
    }
}

const std::type_info* type_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (...) {
        return abi::__cxa_current_exception_type();
    }
}

/// What what() says, if it has one; and what caused it.
std::string message_of(const std::exception_ptr& error, std::string& causes) {
    const auto add_cause = [&causes](const auto& exception) {
        try {
            std::rethrow_if_nested(exception);
        } catch (...) {
            std::string deeper;
            causes += "caused by " + describe(std::current_exception()) + '\n';
            message_of(std::current_exception(), deeper);
            causes += deeper;
        }
    };
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& exception) {
        add_cause(exception);
        return exception.what();
    } catch (const BaseException& exception) {
        add_cause(exception);
        return exception.what();
    } catch (const char* text) {
        return text;
    } catch (...) {
        return {};
    }
}

}  // namespace

KnownException::KnownException(const std::type_info& of, Write to_write, Read to_read) noexcept
    : type_(of), write_(to_write), read_(to_read), next_(first_known.load()) {
    while (!first_known.compare_exchange_weak(next_, this)) {}
}

// An array: the mangled name of its type; a nil, or an array of what is known of it; and for the
// rest the name for people, the message and the trace.
void write_exception(WireWriter& writer, const std::exception_ptr& error, std::string_view trace) {
    const std::type_info* const type = type_of(error);
    const char* const name = type != nullptr ? type->name() : "foreign exception";
    constexpr std::size_t size = 5;
    writer.array(size);
    writer.text(name);
    std::string causes;
    const std::string message = message_of(error, causes);
    WireWriter known;
    if (type != nullptr && write_known(known, error, *type)) {
        writer.array(1);
        writer.write(known.written().data(), known.written().size());
    } else {
        writer.nil();
    }
    writer.text(demangled(name));
    writer.text(message);
    writer.text("in process " + std::to_string(::getpid()) + ":\n" + std::string(trace) + causes);
}

std::exception_ptr read_exception(const WireValue& value) {
    constexpr std::size_t size = 5;
    value.expect_size(size);
    if (!value[1].is_nil()) {
        value[1].expect_size(1);
        if (std::exception_ptr error = read_known(value[1][0], value[0].text())) {
            return error;
        }
    }
    return std::make_exception_ptr(RemoteError(
        std::string(value[2].text()), std::string(value[3].text()), std::string(value[4].text())));
}

}  // namespace detail

}  // namespace asyncio
