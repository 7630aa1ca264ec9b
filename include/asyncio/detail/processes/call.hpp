// call.hpp - a function and its arguments on their way to another process, and its result back.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/concurrent_future.hpp>
#include <asyncio/detail/processes/errors.hpp>
#include <asyncio/detail/processes/function.hpp>
#include <asyncio/time.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace asyncio::detail {

// ------------------------------------------------------------ what is sent for a parameter

/// Views are sent as what they view, and are views of that again in the other process.
template <class T>
struct Sent {
    using type = T;
};
template <>
struct Sent<std::string_view> {
    using type = std::string;
};
template <>
struct Sent<const char*> {
    using type = std::string;
};
template <>
struct Sent<char*> {
    using type = std::string;
};
template <class T, std::size_t extent>
struct Sent<std::span<T, extent>> {
    using type = std::vector<std::remove_cv_t<T>>;
};
template <class T>
using SentAs = typename Sent<std::decay_t<T>>::type;

template <class T>
concept ChangesTheCallers =
    std::is_lvalue_reference_v<T> && !std::is_const_v<std::remove_reference_t<T>>;

/// Makes what is sent for a parameter out of an argument.
template <class S, class A>
S make_sent(A&& argument) {
    if constexpr (std::is_constructible_v<S, A&&>) {
        return S(std::forward<A>(argument));
    } else {
        return S(argument.begin(), argument.end());  // of a span
    }
}

/// What a parameter of type P gets in the other process.
template <class P, class S>
decltype(auto) as_parameter(S& sent) {
    if constexpr (std::is_same_v<std::decay_t<P>, const char*>) {
        return sent.c_str();
    } else if constexpr (std::is_lvalue_reference_v<P> || !std::is_same_v<std::decay_t<P>, S>) {
        return static_cast<S&>(sent);
    } else {
        return static_cast<S&&>(sent);
    }
}

// -------------------------------------------------------------------------- what is called

template <class... P>
struct Parameters {};

/// The parameters of a function, where it has one signature.
template <class Fn>
struct SignatureOf {};
template <class R, class... P>
struct SignatureOf<R (*)(P...)> {
    using parameters = Parameters<P...>;
};
template <class R, class... P>
struct SignatureOf<R (*)(P...) noexcept> {
    using parameters = Parameters<P...>;
};
template <class R, class C, class... P>
struct SignatureOf<R (C::*)(P...)> {
    using parameters = Parameters<P...>;
};
template <class R, class C, class... P>
struct SignatureOf<R (C::*)(P...) noexcept> {
    using parameters = Parameters<P...>;
};
template <class R, class C, class... P>
struct SignatureOf<R (C::*)(P...) const> {
    using parameters = Parameters<P...>;
};
template <class R, class C, class... P>
struct SignatureOf<R (C::*)(P...) const noexcept> {
    using parameters = Parameters<P...>;
};
template <class Fn>
    requires requires { &Fn::operator(); }
struct SignatureOf<Fn> : SignatureOf<decltype(&Fn::operator())> {};

template <class P>
inline constexpr std::size_t parameter_count = 0;
template <class... P>
inline constexpr std::size_t parameter_count<Parameters<P...>> = sizeof...(P);

/// Those of a generic lambda are what the arguments are; of default arguments nothing is known.
template <class Fn, class... Args>
struct ParametersFor {
    using type = Parameters<SentAs<Args>...>;
};
template <class Fn, class... Args>
    requires(parameter_count<typename SignatureOf<Fn>::parameters> == sizeof...(Args))
struct ParametersFor<Fn, Args...> {
    using type = typename SignatureOf<Fn>::parameters;
};

template <class Fn>
inline constexpr bool is_function_pointer =
    std::is_pointer_v<Fn> && std::is_function_v<std::remove_pointer_t<Fn>>;

/// A class without members: its objects are all the same, so it is enough to know the class.
template <class Fn>
inline constexpr bool is_without_captures =
    std::is_class_v<Fn> && std::is_empty_v<Fn> && std::is_trivially_copyable_v<Fn>;

/// The object of such a class.
template <class Fn>
Fn without_captures() {
    if constexpr (std::is_default_constructible_v<Fn>) {
        return Fn();
    } else {
        return std::bit_cast<Fn>(std::byte{});
    }
}

template <class P, class Fn>
struct IsCallable;
template <class... P, class Fn>
struct IsCallable<Parameters<P...>, Fn>
    : std::bool_constant<
          std::is_invocable_v<Fn, decltype(as_parameter<P>(std::declval<SentAs<P>&>()))...>> {};

/// What a call in another process is, by types: the same in both processes.
template <class Fn, class P>
struct RemoteFunction;
template <class Fn, class... P>
struct RemoteFunction<Fn, Parameters<P...>> {
    static_assert(is_function_pointer<Fn> || is_without_captures<Fn>,
                  "what is called in another process is a function or a lambda that captures "
                  "nothing: pass what it needs as arguments");
    static_assert(!(ChangesTheCallers<P> || ...),
                  "a function in another process cannot change an object of the caller: take it by "
                  "value or const&, and return it");
    static_assert((Sendable<SentAs<P>> && ...),
                  "an argument of this type cannot be sent to another process; a codec<T> can say "
                  "how (docs/processes.md)");

    using Returned =
        std::invoke_result_t<Fn, decltype(as_parameter<P>(std::declval<SentAs<P>&>()))...>;
    using Result = typename std::conditional_t<std::is_void_v<Returned>, std::type_identity<void>,
                                               Sent<std::remove_cvref_t<Returned>>>::type;
    static_assert(std::is_void_v<Result> || Sendable<NotVoid<Result>>,
                  "a result of this type cannot be sent back from another process; a codec<T> can "
                  "say how (docs/processes.md)");

    /// What the call consists of: of a function its address, then the arguments.
    template <class F, class... Args>
    static void write(WireWriter& writer, [[maybe_unused]] F&& fn, Args&&... args) {
        writer.array(sizeof...(P) + (is_function_pointer<Fn> ? 1 : 0));
        if constexpr (is_function_pointer<Fn>) {
            const Fn function = fn;
            if (function == nullptr) {
                throw TypeError("a null pointer is no function to call");
            }
            write_value<Fn>(writer, function);
        }
        (write_argument<P>(writer, std::forward<Args>(args)), ...);
    }

    /// In the worker: makes the call, and writes what it gives.
    static void call(const WireValue& call, WireWriter& writer) {
        call_with(call, writer, std::index_sequence_for<P...>());
    }

private:
    template <class Q, class A>
    static void write_argument(WireWriter& writer, A&& argument) {
        using S = SentAs<Q>;
        if constexpr (std::is_same_v<std::remove_cvref_t<A>, S>) {
            write_value<S>(writer, argument);
        } else {
            write_value<S>(writer, make_sent<S>(std::forward<A>(argument)));
        }
    }

    template <std::size_t... index>
    static void call_with(const WireValue& call, WireWriter& writer,
                          std::index_sequence<index...>) {
        constexpr std::size_t first = is_function_pointer<Fn> ? 1 : 0;
        call.expect_size(sizeof...(P) + first);
        // Braces: from left to right.
        std::tuple<SentAs<P>...> sent{read_value<SentAs<P>>(call[first + index])...};
        const auto invoke = [&](auto&& fn) -> decltype(auto) {
            return fn(as_parameter<P>(std::get<index>(sent))...);
        };
        const auto answer = [&](auto&& fn) {
            if constexpr (std::is_void_v<Returned>) {
                invoke(fn);
                writer.nil();
            } else {
                write_argument<Result>(writer, invoke(fn));
            }
        };
        if constexpr (is_function_pointer<Fn>) {
            answer(read_value<Fn>(call[0]));
        } else {
            answer(without_captures<Fn>());
        }
    }
};

template <class Fn, class... Args>
using RemoteFunctionFor =
    RemoteFunction<std::decay_t<Fn>, typename ParametersFor<std::decay_t<Fn>, Args...>::type>;

/// The function that a worker calls.
using Entry = void (*)(const WireValue& call, WireWriter& writer);

/// Where the entry of a RemoteFunction is; found out once.
template <class Function>
const CodeAddress& entry_of() {
    static const CodeAddress address =
        locate(reinterpret_cast<AnyFunction>(static_cast<Entry>(&Function::call)));
    return address;
}

// ---------------------------------------------------------------------------- on the wire

/// What a call begins with; its module's name follows, and what RemoteFunction has written.
struct CallHeader {
    std::uint64_t size = 0;  ///< of what follows
    std::uint64_t number = 0;
    std::uint64_t entry = 0;
    std::uint64_t module_size = 0;
    std::uint64_t descriptors = 0;  ///< how many come with it
};

/// What goes to a worker.
struct Message {
    std::string bytes;
    std::vector<FileDescriptor> descriptors;
};

/// A call, and place for a CallHeader before it.
template <class Function, class Fn, class... Args>
Message write_call(Fn&& fn, Args&&... args) {
    const CodeAddress& entry = entry_of<Function>();
    WireWriter writer;
    CallHeader header;
    header.entry = entry.offset;
    header.module_size = entry.module.size();
    writer.write(reinterpret_cast<const char*>(&header), sizeof header);
    writer.write(entry.module.data(), entry.module.size());
    Function::write(writer, std::forward<Fn>(fn), std::forward<Args>(args)...);
    return {std::move(writer.written()), std::move(writer.descriptors())};
}

class CallList;
class ProcessPool;
class PoolWorker;

/// A call in a process, whatever its result. The pool has it until it is done.
class RemoteCall {
public:
    RemoteCall() = default;
    RemoteCall(const RemoteCall&) = delete;
    RemoteCall& operator=(const RemoteCall&) = delete;

    /// Without the pool's lock, once: what it ends with.
    virtual void succeed(std::string_view reply) noexcept = 0;
    virtual void fail(std::exception_ptr error) noexcept = 0;
    virtual void cancel_now() noexcept = 0;

    Message request;                       ///< what write_call() gave; empty once it is not needed
    const std::type_info* type = nullptr;  ///< of what is called
    std::string name;
    std::optional<Duration> limit;
    bool kill_on_cancel = false;

protected:
    virtual ~RemoteCall() = default;

private:
    friend class CallList;
    friend class ProcessPool;
    friend class PoolWorker;
    enum class State : std::uint8_t { waiting, sent, done };
    State state_ = State::waiting;
    PoolWorker* worker_ = nullptr;  // that it was sent to
    std::uint64_t number_ = 0;      // there
    std::uint64_t id_ = 0;          // in the pool
    std::exception_ptr error_;      // that it is about to end with
    // The CallList that it is in.
    std::shared_ptr<RemoteCall> self_;
    RemoteCall* previous_ = nullptr;
    RemoteCall* next_ = nullptr;
};

/// Asks the pool to give a call up: true if it will never be made, or was ended by force.
bool cancel_call(const std::weak_ptr<ProcessPool>& pool, RemoteCall& call);
[[nodiscard]] bool is_running(const std::weak_ptr<ProcessPool>& pool, const RemoteCall& call);

template <class R>
class RemoteCallOf final : public ConcurrentStateOf<R>, public RemoteCall {
public:
    explicit RemoteCallOf(std::weak_ptr<ProcessPool> pool) noexcept : pool_(std::move(pool)) {}

    bool cancel(const std::shared_ptr<ConcurrentState>&) override {
        if (!this->done() && cancel_call(pool_, *this)) {
            this->finish_cancelled();
        }
        return this->cancelled();
    }
    [[nodiscard]] bool running() const override { return is_running(pool_, *this); }

    void succeed(std::string_view reply) noexcept override {
        this->finish_with([reply] {
            const WireDocument document(reply);
            if constexpr (std::is_void_v<R>) {
                static_cast<void>(document);
            } else {
                return read_value<R>(document.value());
            }
        });
    }
    void fail(std::exception_ptr error) noexcept override { this->finish(std::move(error)); }
    void cancel_now() noexcept override { this->finish_cancelled(); }

private:
    std::weak_ptr<ProcessPool> pool_;
};

}  // namespace asyncio::detail
