// runners.cpp - the beginning and the end of a program's loop, and Ctrl-C.
//
// SPDX-License-Identifier: MIT
#include <asyncio/runners.hpp>

#include <asyncio/log.hpp>

#include "signal_watch.hpp"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>

namespace asyncio {

namespace detail {

/// Turns the first SIGINT into a cancellation of the main task; the second does what it did before.
class Interrupt final : public SignalWatch {
public:
    Interrupt(EventLoop& loop, const AnyTask& main) : SignalWatch(loop, SIGINT), main_(main) {
        struct sigaction current{};
        if (allowed() && ::sigaction(SIGINT, nullptr, &current) == 0 &&
            (current.sa_flags & SA_SIGINFO) == 0 && current.sa_handler == SIG_DFL) {
            static_cast<void>(install());
        }
    }
    ~Interrupt() { uninstall(); }

    [[nodiscard]] bool came() const noexcept { return came_.load(); }

    /// How many requests to cancel the main task there are besides this one. (It may have ended, by
    /// another, in the turn in which the signal came: then this one was never counted.)
    [[nodiscard]] int other_requests() const {
        return counted_ ? main_.uncancel() : main_.cancelling();
    }

private:
    bool arrived() noexcept override { return !came_.exchange(true) && SignalWatch::arrived(); }
    void deliver() override { counted_ = main_.cancel(); }

    AnyTask main_;
    std::atomic<bool> came_{false};
    bool counted_ = false;
};

}  // namespace detail

namespace {

std::terminate_handler previous_terminate = nullptr;

/// An uncaught KeyboardInterrupt ends the process as SIGINT would, so that a shell sees it, and an
/// uncaught SystemExit with its status.
[[noreturn]] void terminate_as_asked() {
    if (const std::exception_ptr error = std::current_exception()) {
        try {
            std::rethrow_exception(error);
        } catch (const KeyboardInterrupt&) {
            std::fflush(nullptr);
            std::fputs("KeyboardInterrupt\n", stderr);
            std::signal(SIGINT, SIG_DFL);
            std::raise(SIGINT);
        } catch (const SystemExit& exit) {
            std::exit(exit.code());
        } catch (...) {}
    }
    if (previous_terminate != nullptr) {
        previous_terminate();
    }
    std::abort();
}

void install_terminate_handler() {
    static const bool installed = [] {
        previous_terminate = std::set_terminate(&terminate_as_asked);
        return true;
    }();
    static_cast<void>(installed);
}

void cancel_all_tasks(EventLoop& loop) {
    const std::vector<AnyTask> tasks = all_tasks(loop);
    if (tasks.empty()) {
        return;
    }
    for (const AnyTask& task : tasks) {
        task.cancel();
    }
    loop.run_until_complete(detail::wait_for_some({tasks.begin(), tasks.end()}, {}));
    for (const AnyTask& task : tasks) {
        if (!task.done() || task.cancelled()) {
            continue;
        }
        if (const std::exception_ptr error = task.exception()) {
            ExceptionContext context;
            context.message = "unhandled exception during asyncio.run() shutdown";
            context.exception = error;
            context.task = task;
            loop.call_exception_handler(context);
        }
    }
}

}  // namespace

namespace detail {

void check_no_running_loop() {
    if (thread_state.loop != nullptr) {
        throw RuntimeError("asyncio.run() cannot be called from a running event loop");
    }
}

}  // namespace detail

Runner::Runner(RunOptions options) : options_(options), proactor_(options.proactor) {
    install_terminate_handler();
}

Runner::~Runner() {
    try {
        close();
    } catch (...) {
        detail::log(Level::error, "closing a Runner threw: " + describe(std::current_exception()));
    }
}

EventLoop& Runner::get_loop() {
    if (closed_) {
        throw RuntimeError("Runner is closed");
    }
    if (loop_ == nullptr) {
        std::unique_ptr<EventLoop> loop =
            options_.loop_factory != nullptr ? options_.loop_factory() : new_event_loop(proactor_);
        if (options_.debug.has_value()) {
            loop->set_debug(*options_.debug);
        }
        context_ = detail::make_owned<Context>(copy_context());
        loop_.reset(loop.release());  // last: where there is a loop there is a context
        if (options_.loop_factory == nullptr) {
            set_event_loop(loop_.get());
        }
    }
    return *loop_;
}

EventLoop& Runner::begin() {
    if (detail::thread_state.loop != nullptr) {
        throw RuntimeError("Runner.run() cannot be called from a running event loop");
    }
    return get_loop();
}

void Runner::finish(const AnyTask& main) {
    detail::Interrupt interrupt(*loop_, main);
    detail::run_until_done(*loop_, main, false);
    if (interrupt.came() && main.cancelled() && interrupt.other_requests() == 0) {
        throw KeyboardInterrupt();
    }
}

void Runner::close() {
    if (closed_ || loop_ == nullptr) {
        return;
    }
    if (loop_->is_running()) {
        throw RuntimeError("Cannot close a running event loop");
    }
    closed_ = true;
    struct Close {
        detail::Owned<EventLoop>& loop;
        bool was_set;
        ~Close() {
            if (was_set) {
                set_event_loop(nullptr);
            }
            loop->close();
            loop.reset();
        }
    } close_at_end{loop_, options_.loop_factory == nullptr};
    cancel_all_tasks(*loop_);
    loop_->run_until_complete(loop_->shutdown_asyncgens());
    loop_->run_until_complete(loop_->shutdown_default_executor(Duration(300)));
}

}  // namespace asyncio
