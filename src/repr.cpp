// repr.cpp - futures, tasks and handles in words.
//
// SPDX-License-Identifier: MIT
#include "repr.hpp"

#include <asyncio/lowlevel/waiter.hpp>

#include "source_names.hpp"

#include <algorithm>
#include <string_view>
#include <typeinfo>

namespace asyncio::detail {

static std::string created(const std::vector<std::source_location>& made_at) {
    return made_at.empty() ? "" : " created at " + short_place(made_at.back());
}

/// The outermost coroutine that is the user's, and where it waits or runs.
static std::string coroutine_of(const std::vector<std::source_location>& stack) {
    for (const std::source_location& site : stack) {
        const std::string function = readable_name(site.function_name());
        if (!is_internal(function)) {
            return " coro=<" + function + " running at " + site.file_name() + ":" +
                   std::to_string(site.line()) + ">";
        }
    }
    return "";
}

static std::string what_it_awaits(const TaskBase& task) {
    const lowlevel::Waiter* const waiter = task.waiter();
    if (waiter == nullptr) {
        return "";
    }
    const FutureBase* const awaited = waiter->awaited();
    return " wait_for=" +
           (awaited != nullptr && awaited->kind() == FutureBase::Kind::task
                ? "<Task name='" + static_cast<const TaskBase*>(awaited)->name() + "'>"
                : waiter->reason());
}

std::string repr(FutureBase& future) {
    const TaskBase* const task =
        future.kind() == FutureBase::Kind::task ? static_cast<TaskBase*>(&future) : nullptr;
    std::string text = task != nullptr                                ? "<Task "
                       : future.kind() == FutureBase::Kind::gathering ? "<_GatheringFuture "
                                                                      : "<Future ";
    text += future.cancelled()                          ? "cancelled"
            : future.done()                             ? "finished"
            : task != nullptr && task->cancelling() > 0 ? "cancelling"
                                                        : "pending";
    if (task != nullptr) {
        text += " name='" + task->name() + "'";
        text += coroutine_of(stack_of(*task));
        text += what_it_awaits(*task);
    }
    if (future.done() && !future.cancelled() && future.outcome().error != nullptr) {
        text += " exception=" + describe(future.outcome().error);
    }
    if (const SourceNotes* const notes = future.source_notes()) {
        text += created(notes->made_at);
    }
    return text + ">";
}

/// The first template argument behind `prefix` in `name`; empty if it does not begin so.
static std::string_view argument_behind(std::string_view name, std::string_view prefix) {
    if (!name.starts_with(prefix)) {
        return {};
    }
    name.remove_prefix(prefix.size());
    int depth = 0;
    for (std::size_t at = 0; at < name.size(); ++at) {
        const char c = name[at];
        if (depth == 0 && (c == ',' || c == '>')) {
            return name.substr(0, at);
        }
        depth += c == '<' || c == '(' || c == '{' ? 1 : 0;
        depth -= c == '>' || c == ')' || c == '}' ? 1 : 0;
    }
    return {};
}

/// What the user has given to the loop, out of what the library has made of it.
static std::string function_of(const HandleNode& node) {
    const std::string type = type_name(typeid(node));
    std::string_view name = type;
    for (const std::string_view base : {"HandleNode, ", "TimerNode, ", "DoneNode, "}) {
        const std::string prefix =
            "asyncio::detail::HandleNodeOf<asyncio::detail::" + std::string(base);
        if (const std::string_view inner = argument_behind(name, prefix); !inner.empty()) {
            name = inner;
            break;
        }
    }
    constexpr std::string_view with_arguments = "asyncio::detail::bind<";
    if (const std::string_view bound = argument_behind(name, with_arguments); !bound.empty()) {
        name = bound;
    }
    return std::string(name);
}

std::string repr(const HandleNode& node, const std::vector<std::source_location>& made_at) {
    // What is known is the await before, not the line of the call.
    const std::string place =
        made_at.empty() ? "" : " created after " + short_place(made_at.back());
    return "<Handle " + function_of(node) + place + ">";
}

std::vector<std::source_location> stack_of(const TaskBase& task) {
    std::vector<std::source_location> stack;
    for (const PromiseBase* frame = task.leaf(); frame != nullptr; frame = frame->parent()) {
        stack.push_back(frame->site());
    }
    std::reverse(stack.begin(), stack.end());
    return stack;
}

}  // namespace asyncio::detail
