// file_function.hpp - what is done to files and is no Operation: functions, called in a thread.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>

#include "file_calls.hpp"
#include "file_io.hpp"

#include <optional>
#include <type_traits>
#include <utility>

namespace asyncio::detail {

/// A function called in a thread, for what is no Operation.
template <class Fn>
class FileFunctionCall final : public FileCall {
public:
    using Value = std::invoke_result_t<Fn&>;

    FileFunctionCall(FileIO& io, Fn fn, bool changes_something)
        : FileCall(io, lowlevel::Opcode::status), fn_(std::move(fn)), changes_(changes_something) {}

    Value take() { return std::move(*value_); }

private:
    void perform() noexcept override {
        try {
            value_.emplace(fn_());
        } catch (...) {
            error_ = std::current_exception();
        }
    }
    [[nodiscard]] bool goes_through() const noexcept override { return changes_; }
    [[nodiscard]] bool needs_thread() const noexcept override { return true; }

    Fn fn_;
    std::optional<Value> value_;
    bool changes_;
};

/// What `fn` returns, or throws. One that changes something is awaited when the loop closes.
template <class Fn>
Coroutine<std::invoke_result_t<Fn&>> in_thread(Fn fn, bool changes_something) {
    const FileCallRef call(
        new FileFunctionCall<Fn>(FileIO::of(get_running_loop()), std::move(fn), changes_something));
    co_await end_of(*call);
    call->check("call", "");
    co_return call->take();
}

}  // namespace asyncio::detail
