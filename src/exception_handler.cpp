// exception_handler.cpp - where exceptions go that nobody can be given.
//
// SPDX-License-Identifier: MIT
#include <asyncio/futures.hpp>
#include <asyncio/log.hpp>

#include "report.hpp"

#include <new>

namespace asyncio {

static std::string format(const ExceptionContext& context) {
    std::string text =
        context.message.empty() ? "Unhandled exception in event loop" : context.message;
    for (const auto& [key, future] :
         {std::pair{"future", &context.future}, std::pair{"task", &context.task}}) {
        if (*future) {
            const std::string name = future->get_name();
            text += std::string("\n") + key + ": " +
                    (name.empty() ? "<Future>" : "<Task name='" + name + "'>");
        }
    }
    if (context.exception != nullptr) {
        text += "\nexception: " + describe(context.exception);
    }
    return text;
}

void EventLoop::default_exception_handler(const ExceptionContext& context) {
    try {
        detail::log(Level::error, format(context));
    } catch (const std::bad_alloc&) {
        detail::log(Level::error,
                    "Unhandled exception in event loop, and no memory to describe it");
    }
}

void EventLoop::set_exception_handler(ExceptionHandler handler) {
    exception_handler_ =
        handler ? std::make_shared<const ExceptionHandler>(std::move(handler)) : nullptr;
}

const EventLoop::ExceptionHandler& EventLoop::get_exception_handler() const noexcept {
    static const ExceptionHandler none;
    return exception_handler_ != nullptr ? *exception_handler_ : none;
}

void EventLoop::call_exception_handler(const ExceptionContext& context) {
    const std::shared_ptr<const ExceptionHandler> handler = exception_handler_;
    if (handler == nullptr) {
        default_exception_handler(context);
        return;
    }
    try {
        (*handler)(*this, context);
    } catch (...) {
        const std::exception_ptr error = std::current_exception();
        if (detail::leaves_the_loop(error)) {
            throw;
        }
        ExceptionContext failed;
        detail::set_message(failed, [] { return "Unhandled error in exception handler"; });
        failed.exception = error;
        default_exception_handler(failed);
        default_exception_handler(context);  // nothing is lost
    }
}

void EventLoop::report(EventLoop* loop, const ExceptionContext& context) noexcept {
    try {
        if (exists(loop)) {
            loop->call_exception_handler(context);
        } else {
            detail::log(Level::error, format(context));
        }
    } catch (...) {
        // A handler that wants to leave the loop cannot from a destructor.
        detail::log_error("an exception handler threw while a future was destroyed: ",
                          std::current_exception());
    }
}

void EventLoop::report_callback_error(detail::HandleNode& node, std::exception_ptr error) {
    ExceptionContext context;
    detail::set_message(context, [] { return "Exception in callback"; });
    context.exception = std::move(error);
    node.retain();
    context.handle = Handle(&node);
    call_exception_handler(context);
}

}  // namespace asyncio
