// gather.hpp - gather(): several awaitables concurrently, their results together.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/owned.hpp>
#include <asyncio/detail/task.hpp>

#include <cstddef>
#include <memory>  // has std::reference_wrapper, too: <functional> costs as much as all the others
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace asyncio {

/// As the first argument of gather(): exceptions are results like any other.
struct ReturnExceptions {
    explicit ReturnExceptions() = default;
};
inline constexpr ReturnExceptions return_exceptions{};

namespace detail {

class GatherBase;

/// Its place in a child's list of callbacks.
class GatherNode : public lowlevel::Callback {
public:
    GatherNode() noexcept : Callback(&child_done) {}

    static void child_done(Callback& callback);

private:
    friend class GatherBase;
    GatherBase* gathering_ = nullptr;
    FutureBase* child_ = nullptr;
};

/// The future that gather() gives. It is kept until all children are done, so that their exceptions
/// are looked at by somebody.
class GatherBase : public DependentFuture {
public:
    bool cancel(CancelMessage message) override;
    void detach() noexcept override;

    /// Does cancel() go through its children? Whoever is asked then, and waits for it, closes a
    /// circle.
    [[nodiscard]] bool is_being_cancelled() const noexcept { return being_cancelled_; }

    /// The gathering that `callback`, in the list of a child, belongs to; null if it is another's.
    static GatherBase* of(const lowlevel::Callback& callback) noexcept;

protected:
    GatherBase(EventLoop& loop, std::vector<AnyFuture> children, bool return_exceptions);
    ~GatherBase() override;

    /// Watches the children. The reference it begins with is that of the first handle. If this
    /// throws it is gone.
    void begin();
    /// All children are done: gives the outcome its value.
    virtual void collect() = 0;

    [[nodiscard]] FutureBase& child(std::size_t index) const noexcept {
        return *children_[index].raw();
    }
    [[nodiscard]] std::size_t size() const noexcept { return children_.size(); }

private:
    friend class GatherNode;
    class Cancellation;

    [[nodiscard]] bool can_cancel() const noexcept;
    void watch();
    void on_child_done(FutureBase& child);
    void take_outcome(FutureBase& child, bool last);

    std::vector<AnyFuture> children_;
    Owned<GatherNode[]> nodes_;  // one for each different child
    std::size_t nodes_size_ = 0;
    std::size_t unfinished_ = 0;
    GatherBase* cancelled_before_ = nullptr;  // of those that are being cancelled
    std::size_t next_to_cancel_ = 0;
    bool return_exceptions_;
    bool cancel_requested_ = false;
    bool being_cancelled_ = false;
};

/// A child's result: moved out if nobody else can ask for it, otherwise copied.
template <class T>
NotVoid<T> collect_value(FutureBase& child, bool sole) {
    if constexpr (std::is_void_v<T>) {
        return {};  // of an AnyFuture, too, whatever it has
    } else {
        auto& outcome = static_cast<Outcome<T>&>(child.outcome());
        return sole ? outcome.take() : outcome.get();
    }
}

template <class T>
Result<T> collect_result(FutureBase& child, bool sole) {
    if (child.cancelled()) {
        return Result<T>(std::make_exception_ptr(
            CancelledError(std::string(child.cancel_message().value_or("")))));
    }
    if (std::exception_ptr error = child.failure()) {
        return Result<T>(std::move(error));
    }
    if constexpr (std::is_void_v<T>) {
        return Result<T>(std::in_place);
    } else {
        return Result<T>(std::in_place, collect_value<T>(child, sole));
    }
}

template <bool return_exceptions, class T>
using Gathered = std::conditional_t<return_exceptions, Result<T>, NotVoid<T>>;

template <bool return_exceptions, class T>
Gathered<return_exceptions, T> collect_one(FutureBase& child, bool sole) {
    if constexpr (return_exceptions) {
        return collect_result<T>(child, sole);
    } else {
        child.mark_retrieved();
        return collect_value<T>(child, sole);
    }
}

template <class R>
class GatherOf : public GatherBase {
public:
    [[nodiscard]] OutcomeBase& outcome() noexcept override { return outcome_; }

protected:
    using GatherBase::GatherBase;
    ~GatherOf() override = default;
    Outcome<R> outcome_;
};

template <bool exceptions, class... T>
class GatherTuple final : public GatherOf<std::tuple<Gathered<exceptions, T>...>> {
    using Base = GatherOf<std::tuple<Gathered<exceptions, T>...>>;

public:
    static GatherTuple* make(EventLoop& loop, std::vector<AnyFuture> children) {
        auto* gathering = new GatherTuple(loop, std::move(children), exceptions);
        gathering->begin();
        return gathering;
    }

private:
    using Base::Base;
    void dispose() noexcept override { delete this; }
    void collect() override { collect_all(std::index_sequence_for<T...>{}); }

    template <std::size_t... index>
    void collect_all(std::index_sequence<index...>) {
        this->outcome_.emplace(std::tuple<Gathered<exceptions, T>...>{collect_one<exceptions, T>(
            this->child(index), this->child(index).references() == 1)...});
    }
};

/// In a vector, which cannot have references.
template <bool exceptions, class T>
using GatheredElement =
    std::conditional_t<std::is_reference_v<Gathered<exceptions, T>>,
                       std::reference_wrapper<std::remove_reference_t<T>>, Gathered<exceptions, T>>;

template <bool exceptions, class T>
class GatherVector final : public GatherOf<std::vector<GatheredElement<exceptions, T>>> {
    using Base = GatherOf<std::vector<GatheredElement<exceptions, T>>>;

public:
    static GatherVector* make(EventLoop& loop, std::vector<AnyFuture> children) {
        auto* gathering = new GatherVector(loop, std::move(children), exceptions);
        gathering->begin();
        return gathering;
    }

private:
    using Base::Base;
    void dispose() noexcept override { delete this; }
    void collect() override {
        std::vector<GatheredElement<exceptions, T>> results;
        results.reserve(this->size());
        for (std::size_t index = 0; index < this->size(); ++index) {
            FutureBase& child = this->child(index);
            results.push_back(collect_one<exceptions, T>(child, child.references() == 1));
        }
        this->outcome_.emplace(std::move(results));
    }
};

/// The type of the result of what is passed to gather().
template <class A>
struct GatherArgument {
    using type = typename std::remove_cvref_t<decltype(ensure_future_on(
        std::declval<EventLoop&>(), std::declval<A>()))>::value_type;
};
template <class A>
using GatherResult = typename GatherArgument<A>::type;

/// The loop of the arguments that are futures, otherwise the running one.
template <class... A>
EventLoop& loop_of(const A&... awaitables) {
    EventLoop* loop = nullptr;
    [[maybe_unused]] const auto look = [&loop](const auto& awaitable) {
        if constexpr (std::is_base_of_v<AnyFuture, std::remove_cvref_t<decltype(awaitable)>>) {
            if (loop == nullptr && awaitable) {
                loop = &awaitable.get_loop();
            }
        }
    };
    (look(awaitables), ...);
    return loop != nullptr ? *loop : get_running_loop();
}

template <bool exceptions, class... A>
auto gather_tuple(A&&... awaitables) {
    using Gathering = GatherTuple<exceptions, GatherResult<A>...>;
    EventLoop& loop = loop_of(awaitables...);
    std::vector<AnyFuture> children;
    children.reserve(sizeof...(A));
    (children.push_back(ensure_future_on(loop, std::forward<A>(awaitables))), ...);
    return Future<std::tuple<Gathered<exceptions, GatherResult<A>>...>>::take_over(
        Gathering::make(loop, std::move(children)));
}

template <bool exceptions, class A>
auto gather_vector(std::vector<A> awaitables) {
    using Gathering = GatherVector<exceptions, GatherResult<A>>;
    EventLoop& loop = awaitables.empty() ? get_running_loop() : loop_of(awaitables.front());
    std::vector<AnyFuture> children;
    children.reserve(awaitables.size());
    for (A& awaitable : awaitables) {
        children.push_back(ensure_future_on(loop, std::move(awaitable)));
    }
    return Future<std::vector<GatheredElement<exceptions, GatherResult<A>>>>::take_over(
        Gathering::make(loop, std::move(children)));
}

template <class A>
concept Gatherable = std::is_base_of_v<AnyFuture, std::remove_cvref_t<A>> || TaskSource<A>;

}  // namespace detail

/// Runs the awaitables concurrently (coroutines become tasks at once, in order) and gives their
/// results in the order of the arguments: a tuple, with std::monostate for void; references stay
/// references.
///
///     auto [a, b] = co_await gather(first(), second());
///
/// The first exception is thrown at once; the others go on running, and what they throw later is
/// dropped. With `return_exceptions` as first argument all are awaited, and each result is a
/// Result<T>. An argument given twice is run once.
///
/// Cancellation: cancelling the gather cancels all children; it is cancelled when they have ended.
template <detail::Gatherable... A>
[[nodiscard]] auto gather(A&&... awaitables) {
    return detail::gather_tuple<false>(std::forward<A>(awaitables)...);
}
template <detail::Gatherable... A>
[[nodiscard]] auto gather(ReturnExceptions, A&&... awaitables) {
    return detail::gather_tuple<true>(std::forward<A>(awaitables)...);
}

/// The same of awaitables of one kind: a vector of their results (of std::monostate for void and
/// for AnyFuture and AnyTask, of std::reference_wrapper<T> for a T&).
template <detail::Gatherable A>
[[nodiscard]] auto gather(std::vector<A> awaitables) {
    return detail::gather_vector<false>(std::move(awaitables));
}
template <detail::Gatherable A>
[[nodiscard]] auto gather(ReturnExceptions, std::vector<A> awaitables) {
    return detail::gather_vector<true>(std::move(awaitables));
}

}  // namespace asyncio
