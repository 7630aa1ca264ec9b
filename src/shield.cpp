// shield.cpp - how a shield learns of the end of what it shields, and what becomes of an exception
// that comes too late.
//
// SPDX-License-Identifier: MIT
#include <asyncio/detail/shield.hpp>

#include "report.hpp"

#include <string>

namespace asyncio::detail {

using lowlevel::Callback;

void ShieldBase::begin() {
    be_kept();
    inner().callbacks().push_back(at_inner_);
    callbacks().push_back(at_outer_);
}

void ShieldBase::detach() noexcept {
    for (Callback* link : {&at_inner_, &at_outer_}) {
        if (link->linked()) {
            link->unlink();
        }
    }
}

ShieldBase* ShieldBase::of(const Callback& callback) noexcept {
    return callback.function() == &inner_done ? &static_cast<const Link&>(callback).shield
                                              : nullptr;
}

void ShieldBase::inner_done(Callback& callback) {
    ShieldBase& self = shield_of(callback);
    FutureBase& inner = self.inner();
    if (!self.done()) {
        if (inner.cancelled()) {
            self.cancel({});
        } else if (std::exception_ptr error = inner.failure()) {
            self.fail(std::move(error));
        } else {
            self.end_with_result();
        }
    }
    self.settle();
}

void ShieldBase::end_with_result() {
    try {
        take_result();
    } catch (...) {
        fail(std::current_exception());  // copying it threw
        return;
    }
    finish();
}

void ShieldBase::outer_done(Callback& callback) {
    ShieldBase& self = shield_of(callback);
    FutureBase& inner = self.inner();
    if (!inner.done()) {
        static_cast<Callback&>(self.at_inner_).unlink();
        // One report is enough, however many shields of the same future were cancelled.
        for (Callback& other : inner.callbacks()) {
            if (other.function() == &inner_done_late) {
                other.unlink();
                shield_of(other).settle();
                break;
            }
        }
        self.at_inner_.run_instead(&inner_done_late);
        inner.callbacks().push_back(self.at_inner_);
    }
    self.settle();
}

void ShieldBase::inner_done_late(Callback& callback) {
    ShieldBase& self = shield_of(callback);
    const AnyFuture inner = self.inner_;
    self.settle();
    if (inner.cancelled() || inner.exception() == nullptr) {
        return;
    }
    ExceptionContext context;
    context.exception = inner.exception();
    set_message(context, [&context] {
        const std::string text = describe(context.exception);
        return text.substr(0, text.find('(')) + " exception in shielded future";
    });
    context.future = inner;
    inner.get_loop().call_exception_handler(context);
}

// Nothing is left to be done once neither callback will come.
void ShieldBase::settle() noexcept {
    if (!at_inner_.linked() && !at_outer_.linked()) {
        const AnyFuture inner = std::move(inner_);
        let_go();
    }
}

}  // namespace asyncio::detail
