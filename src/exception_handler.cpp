// exception_handler.cpp - where exceptions go that nobody can be given.
//
// SPDX-License-Identifier: MIT
#include <asyncio/detail/task_base.hpp>
#include <asyncio/futures.hpp>
#include <asyncio/log.hpp>

#include "report.hpp"
#include "repr.hpp"
#include "source_names.hpp"

#include <new>
#include <optional>

namespace asyncio {

// The keys in the order of the alphabet, as CPython has them; the exception is last.
std::string EventLoop::format(const ExceptionContext& context) {
    std::string text =
        context.message.empty() ? "Unhandled exception in event loop" : context.message;
    if (!context.asyncgen.empty()) {
        text += "\nasyncgen: " + context.asyncgen;
    }
    if (context.future) {
        text += "\nfuture: " + detail::repr(*context.future.raw());
    }
    if (context.handle) {
        text += "\nhandle: " + detail::repr(*context.handle.node_, context.source_traceback);
    }
    if (context.protocol != nullptr) {
        text += "\nprotocol: " + detail::repr(*context.protocol);
    }
    if (!context.source_traceback.empty()) {
        text += "\nsource_traceback: Object created at (most recent call last):" +
                detail::traceback(context.source_traceback);
    }
    if (context.task) {
        text += "\ntask: " + detail::repr(*context.task.raw());
        if (!context.task.done() && context.task.raw()->kind() == detail::FutureBase::Kind::task) {
            const auto& task = static_cast<const detail::TaskBase&>(*context.task.raw());
            text += "\nstack of the task (most recent call last):" +
                    detail::traceback(detail::stack_of(task));
        }
    }
    if (context.transport != nullptr) {
        text += "\ntransport: " + detail::repr(*context.transport);
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

/// What the handler runs in: the context of what it is told about, if that has one.
detail::ContextSlot* EventLoop::context_of(const ExceptionContext& context) noexcept {
    for (const AnyFuture* const future : {&context.task, &context.future}) {
        if (*future && future->raw()->kind() == detail::FutureBase::Kind::task) {
            return &static_cast<detail::TaskBase*>(future->raw())->context();
        }
    }
    return context.handle ? &context.handle.node_->context() : nullptr;
}

void EventLoop::call_exception_handler(const ExceptionContext& context) {
    const std::shared_ptr<const ExceptionHandler> handler = exception_handler_;
    if (handler == nullptr) {
        default_exception_handler(context);
        return;
    }
    try {
        std::optional<detail::ContextScope> scope;
        if (detail::ContextSlot* const slot = context_of(context)) {
            scope.emplace(*slot, detail::ContextScope::Again());
        }
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
    detail::set_message(context, [this, &context, &node] {
        context.source_traceback = source_of(node);
        return "Exception in callback";
    });
    context.exception = std::move(error);
    node.retain();
    context.handle = Handle(&node);
    call_exception_handler(context);
}

}  // namespace asyncio
