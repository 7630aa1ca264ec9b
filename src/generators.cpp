// generators.cpp - the beginning and the end of async generators.
//
// SPDX-License-Identifier: MIT
#include <asyncio/generators.hpp>

#include <asyncio/detail/blocks.hpp>
#include <asyncio/detail/config.hpp>
#include <asyncio/log.hpp>
#include <asyncio/tasks.hpp>

#include <new>
#include <typeinfo>
#include <vector>

namespace asyncio {

namespace detail {

// ------------------------------------------------------------------------------------ memory

void* GeneratorBase::allocate(std::size_t size) {
    void* const block = allocate_block(prefix() + size);
    ::new (block) GeneratorBase;
    return static_cast<char*>(block) + prefix();
}

// Also of a frame that was never finished, because copying an argument into it threw.
void GeneratorBase::free(void* frame, std::size_t size) noexcept {
    GeneratorBase& generator = of(std::coroutine_handle<>::from_address(frame));
    generator.state_ = State::finished;
    generator.forget_loop();
    generator.size_ = prefix() + size;
    if (generator.references_ == 0) {
        generator.let_go();
    }
}

void GeneratorBase::forget_loop() noexcept {
    if (std::exchange(loop_, nullptr) != nullptr) {
        unlink();
    }
}

void GeneratorBase::end() noexcept {
    state_ = State::running;  // for the destructors in the frame: it cannot be asked by them
    promise().destroy();
}

// --------------------------------------------------------------------------------- beginning

void GeneratorBase::check_not_running(const char* refusal) const {
    if (state_ == State::running || state_ == State::closing) {
        raise_runtime_error(refusal);
    }
}

bool GeneratorBase::begin_first(bool sends) {
    check_not_running("anext(): asynchronous generator is already running");
    if (state_ == State::finished) {
        return false;
    }
    if (sends) {
        throw TypeError("can't send non-None value to a just-started async generator");
    }
    EventLoop& loop = get_running_loop();
    if (loop.asyncgens_shut_down_ && loop.get_debug()) {
        log(Level::warning, "asynchronous generator " + repr() +
                                " was scheduled after loop.shutdown_asyncgens() call");
    }
    loop.asyncgens_.push_back(*this);
    loop_ = &loop;
    state_ = State::running;
    return true;
}

bool GeneratorBase::begin_throw(std::exception_ptr& error) {
    check_not_running("athrow(): asynchronous generator is already running");
    if (state_ == State::unstarted) {
        end();
        return false;
    }
    if (state_ == State::finished || closed_) {
        error = nullptr;
        return false;
    }
    state_ = State::running;
    return true;
}

bool GeneratorBase::begin_close(std::exception_ptr& error) {
    check_not_running("aclose(): asynchronous generator is already running");
    if (state_ == State::unstarted) {
        end();
    }
    if (state_ == State::finished || closed_) {
        error = nullptr;
        return false;
    }
    if (error == nullptr) {
        error = std::make_exception_ptr(GeneratorExit());
    }
    closed_ = true;
    state_ = State::closing;
    return true;
}

bool CloseAwaiter::await_ready() {
    if (!generator_) {
        raise_close_awaited_again();
    }
    return !generator_->begin_close(slot_.error);
}

void CloseAwaiter::await_resume() {
    const bool yielded = slot_.awaiting != nullptr && generator_->settle();
    if (yielded) {
        raise_runtime_error("async generator ignored GeneratorExit");
    }
    if (slot_.error != nullptr && *slot_.error.__cxa_exception_type() != typeid(GeneratorExit)) {
        std::rethrow_exception(slot_.error);
    }
}

// ----------------------------------------------------------------------------------- the end

namespace {

// CPython's aclose() is no coroutine function: if its task is cancelled before the first step, the
// CancelledError is thrown into the generator as well.
Coroutine<> close_generator(GeneratorRef generator) {
    std::exception_ptr cancelled = lowlevel::running_task().take_interrupt();
    co_await GeneratorCall<CloseAwaiter, std::exception_ptr>(*generator, std::move(cancelled));
}

Task<> start_closing(EventLoop& loop, GeneratorRef generator) {
    Task<> task = start_task(loop, close_generator(std::move(generator)), {});
    static_cast<TaskBase*>(task.raw())->begin_in_any_case();
    return task;
}

}  // namespace

// Nobody refers to it any more.
void GeneratorBase::let_go() noexcept {
    ASYNCIO_ASSERT(state_ != State::running && state_ != State::closing);
    if (state_ == State::finished) {
        const std::size_t size = size_;
        this->~GeneratorBase();
        free_block(this, size);
        return;
    }
    forget_loop();
    end();
}

std::string GeneratorBase::repr() {
    const std::source_location& site = promise().site();
    return std::string("<async_generator object at ") + site.file_name() + ":" +
           std::to_string(site.line()) + ">";
}

std::vector<GeneratorBase::Open> GeneratorBase::open_in(EventLoop& loop) {
    std::vector<Open> open;
    for (GeneratorBase& generator : loop.asyncgens_) {
        if (!generator.closed_) {
            open.push_back({GeneratorRef(generator), generator.repr()});
        }
    }
    return open;
}

namespace {

/// Python's Exception, of which GeneratorExit, CancelledError and their like are none.
bool is_exception(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const BaseException&) {
        return false;
    } catch (...) {
        return true;
    }
}

}  // namespace

void raise_item_awaited_again() {
    raise_runtime_error("cannot reuse already awaited __anext__()/asend()");
}

void raise_close_awaited_again() {
    raise_runtime_error("cannot reuse already awaited aclose()/athrow()");
}

void raise_empty_generator() {
    raise_runtime_error("this AsyncGenerator was moved away");
}

void check_thrown_in(const std::exception_ptr& error) {
    if (error == nullptr) {
        throw TypeError(
            "exceptions must be classes or instances deriving from BaseException, not NoneType");
    }
}

}  // namespace detail

Coroutine<> EventLoop::shutdown_asyncgens() {
    asyncgens_shut_down_ = true;
    const std::vector<detail::GeneratorBase::Open> open = detail::GeneratorBase::open_in(*this);
    if (open.empty()) {
        co_return;
    }
    std::vector<Task<>> closings;
    closings.reserve(open.size());
    for (const auto& each : open) {
        closings.push_back(detail::start_closing(*this, detail::GeneratorRef(*each.generator)));
    }
    const auto results = co_await gather(return_exceptions, std::move(closings));
    for (std::size_t index = 0; index < open.size(); ++index) {
        const std::exception_ptr& error = results[index].error();
        if (error != nullptr && detail::is_exception(error)) {
            ExceptionContext context;
            context.message =
                "an error occurred during closing of asynchronous generator " + open[index].name;
            context.exception = error;
            context.asyncgen = open[index].name;
            call_exception_handler(context);
        }
    }
}

void EventLoop::forget_asyncgens() noexcept {
    while (!asyncgens_.empty()) {
        asyncgens_.pop_front().loop_ = nullptr;
    }
}

}  // namespace asyncio
