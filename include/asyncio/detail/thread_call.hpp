// thread_call.hpp - a call that a pool of threads was given, and its ConcurrentFuture.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/concurrent_future.hpp>
#include <asyncio/lowlevel/executor.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace asyncio::detail {

/// What the future is a handle of, and the job that computes it: the pool has a share of it until
/// it is done. The function is destroyed by the pool, before its result is there.
template <class R, class Fn>
class ThreadCall final : public ConcurrentStateOf<R>, public lowlevel::Job {
public:
    template <class F>
    explicit ThreadCall(F&& fn) : fn_(std::in_place, std::forward<F>(fn)) {}

    static ConcurrentFuture<R> submit(Executor& executor, std::shared_ptr<ThreadCall> call) {
        call->self_ = call;
        try {
            executor.submit(*call);
        } catch (...) {
            call->self_.reset();
            throw;
        }
        return ConcurrentFuture<R>(std::move(call));
    }

    bool cancel(const std::shared_ptr<ConcurrentState>&) override {
        Phase phase = Phase::waiting;
        if (!phase_.compare_exchange_strong(phase, Phase::cancelled) && phase == Phase::begun) {
            return false;
        }
        this->finish_cancelled();
        return true;
    }
    [[nodiscard]] bool running() const override {
        return phase_.load() == Phase::begun && !this->done();
    }

    // ---- the job: by the pool, one of them, once

    void run() noexcept override {
        const std::shared_ptr<ThreadCall> self = std::move(self_);
        if (begin()) {
            this->finish_with([this]() -> R {
                const FunctionEnds ends{fn_};
                return (*fn_)();
            });
        }
        fn_.reset();
    }
    void abandon() noexcept override {
        const std::shared_ptr<ThreadCall> self = std::move(self_);
        fn_.reset();
        cancel(self);
    }
    void refuse(const std::exception_ptr& error) noexcept override {
        const std::shared_ptr<ThreadCall> self = std::move(self_);
        fn_.reset();
        if (begin()) {
            this->finish(error);
        }
    }

private:
    enum class Phase : std::uint8_t { waiting, begun, cancelled };

    struct FunctionEnds {
        std::optional<Fn>& fn;
        ~FunctionEnds() { fn.reset(); }
    };

    bool begin() noexcept {
        Phase phase = Phase::waiting;
        return phase_.compare_exchange_strong(phase, Phase::begun);
    }

    std::optional<Fn> fn_;
    std::atomic<Phase> phase_{Phase::waiting};
    std::shared_ptr<ThreadCall> self_;
};

/// `fn(args...)` as a function that may be called again and again, and keeps both.
template <class Fn, class... Args>
auto bind_again(Fn&& fn, Args&&... args) {
    return [fn = std::decay_t<Fn>(std::forward<Fn>(fn)),
            args = std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...)]() mutable {
        static_cast<void>(std::apply(fn, args));
    };
}

}  // namespace asyncio::detail
