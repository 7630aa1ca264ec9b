// signals.cpp - the signal handlers of a loop, and signals to wait for.
//
// SPDX-License-Identifier: MIT
#include <asyncio/signals.hpp>

#include <asyncio/lowlevel/loop_resource.hpp>
#include <asyncio/queues.hpp>

#include "signal_watch.hpp"

#include <cerrno>
#include <csignal>
#include <string>
#include <vector>

namespace asyncio {

namespace detail {

namespace {

/// A function to call for a signal.
class SignalHandler final : public SignalWatch {
public:
    SignalHandler(EventLoop& loop, int signal, UniqueFunction<void()> function,
                  const Context* context)
        : SignalWatch(loop, signal),
          function_(std::make_shared<UniqueFunction<void()>>(std::move(function))),
          context_(context != nullptr ? *context : copy_context()) {}
    ~SignalHandler() { uninstall(); }

private:
    // As any callback, so that what it throws is reported so; it may take the handler away.
    void deliver() override {
        auto call = [function = function_] { (*function)(); };
        HandleNode* const node = HandleNodeOf<HandleNode, decltype(call)>::make(
            loop(), false, &context_, std::move(call));
        node->release();  // there is no handle
        HandleNode::run_node(*node);
    }

    std::shared_ptr<UniqueFunction<void()>> function_;
    Context context_;
};

/// The handlers of a loop.
class SignalHandlers final : public lowlevel::LoopResource {
public:
    static SignalHandlers* find(EventLoop& loop) noexcept {
        for (LoopResource& resource : loop.resources()) {
            if (auto* const handlers = dynamic_cast<SignalHandlers*>(&resource)) {
                return handlers;
            }
        }
        return nullptr;
    }
    static SignalHandlers& of(EventLoop& loop) {
        if (SignalHandlers* const handlers = find(loop)) {
            return *handlers;
        }
        auto* const handlers = new SignalHandlers;
        loop.resources().push_back(*handlers);
        return *handlers;
    }

    // The new one is there before the old one goes: none is missed.
    void set(std::unique_ptr<SignalHandler> handler) {
        for (std::unique_ptr<SignalHandler>& each : all_) {
            if (each->signal() == handler->signal()) {
                handler->replace(*each);
                each = std::move(handler);
                return;
            }
        }
        all_.push_back(std::move(handler));
    }
    bool remove(int signal) noexcept {
        return std::erase_if(all_,
                             [signal](const auto& each) { return each->signal() == signal; }) != 0;
    }
    void loop_closing() noexcept override { delete this; }

private:
    std::vector<std::unique_ptr<SignalHandler>> all_;
};

void check_signal(int signal) {
    sigset_t probe;
    sigemptyset(&probe);
    // The C library keeps two for itself, and says so here.
    if (signal < 1 || signal > 64 || ::sigaddset(&probe, signal) != 0) {
        raise_value_error(("invalid signal number " + std::to_string(signal)).c_str());
    }
}

void install(SignalWatch& watch) {
    if (!SignalWatch::allowed()) {
        throw RuntimeError("set_wakeup_fd only works in main thread of the main interpreter");
    }
    if (const int error = watch.install()) {
        if (error == EINVAL) {
            throw RuntimeError("sig " + std::to_string(watch.signal()) + " cannot be caught");
        }
        raise_os_error(error, "sigaction");
    }
}

}  // namespace

void set_signal_handler(EventLoop& loop, int signal, UniqueFunction<void()> function,
                        const Context* context) {
    check_signal(signal);
    loop.check_usable();
    auto handler = std::make_unique<SignalHandler>(loop, signal, std::move(function), context);
    install(*handler);
    SignalHandlers::of(loop).set(std::move(handler));
}

}  // namespace detail

bool remove_signal_handler(EventLoop& loop, int signal) {
    detail::check_signal(signal);
    detail::SignalHandlers* const handlers = detail::SignalHandlers::find(loop);
    return handlers != nullptr && handlers->remove(signal);
}

bool remove_signal_handler(int signal) {
    return remove_signal_handler(get_running_loop(), signal);
}

// ---------------------------------------------------------------------------------- Signals

struct Signals::State final : lowlevel::LoopResource {
    class Watch final : public detail::SignalWatch {
    public:
        Watch(EventLoop& loop, int signal, Queue<int>& queue)
            : SignalWatch(loop, signal), queue_(queue) {}
        ~Watch() { uninstall(); }

    private:
        void deliver() override { queue_.put_nowait(signal()); }
        Queue<int>& queue_;
    };

    explicit State(EventLoop& loop) { loop.resources().push_back(*this); }
    void loop_closing() noexcept override { watches.clear(); }

    Queue<int> queue;
    std::vector<std::unique_ptr<Watch>> watches;
};

Signals::Signals(SignalSet signals) {
    EventLoop& loop = get_running_loop();
    loop.check_usable();
    state_ = std::make_shared<State>(loop);
    for (int signal = 1; signal <= 64; ++signal) {
        if (signals.contains(signal)) {
            detail::check_signal(signal);
            auto watch = std::make_unique<State::Watch>(loop, signal, state_->queue);
            detail::install(*watch);
            state_->watches.push_back(std::move(watch));
        }
    }
}

Signals::~Signals() {
    close();
}

Coroutine<std::optional<int>> Signals::next() {
    return next_of(state_);
}

Coroutine<std::optional<int>> Signals::next_of(std::shared_ptr<State> state) {
    if (state == nullptr) {
        co_return std::nullopt;
    }
    auto signal = co_await as_result(state->queue.get());
    try {
        co_return signal.get();
    } catch (const QueueShutDown&) {
        co_return std::nullopt;
    }
}

void Signals::close() {
    if (state_ != nullptr) {
        state_->watches.clear();
        state_->queue.shutdown();
    }
}

}  // namespace asyncio
