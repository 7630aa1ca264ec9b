// graph.cpp - call graphs.
//
// SPDX-License-Identifier: MIT
#include <asyncio/graph.hpp>

#include <asyncio/lowlevel/waiter.hpp>
#include <asyncio/taskgroups.hpp>
#include <asyncio/tasks.hpp>

#include <algorithm>
#include <cstdio>
#include <string_view>

namespace asyncio {

namespace {

using detail::FutureBase;
using detail::PromiseBase;
using detail::TaskBase;

/// The opening parenthesis that the closing one at `close` belongs to.
std::size_t matching_open(std::string_view text, std::size_t close) {
    int depth = 0;
    for (std::size_t at = close + 1; at-- > 0;) {
        if (text[at] == ')') {
            ++depth;
        } else if (text[at] == '(' && --depth == 0) {
            return at;
        }
    }
    return std::string_view::npos;
}

/// In a coroutine's body g++ calls the function by what it has made of it:
/// "void app::handler(handler(Db&)::_ZN3app7handlerER2Db.Frame*)". This gives
/// "void app::handler(Db&)"; of a lambda's operator(), the lambda.
std::string without_frame(std::string name) {
    constexpr std::string_view mark = ".Frame*)";
    for (std::size_t at = name.find(mark); at != std::string::npos; at = name.find(mark)) {
        const std::size_t close = at + mark.size() - 1;
        const std::size_t open = matching_open(name, close);
        const std::size_t mangled = name.rfind("::_Z", at);
        if (open == std::string::npos || mangled == std::string::npos || mangled < open) {
            break;
        }
        const std::string inner = name.substr(open + 1, mangled - open - 1);
        std::string parameters;
        if (!inner.ends_with('>')) {
            const std::size_t last = inner.rfind(')');
            const std::size_t first = last == std::string::npos ? last : matching_open(inner, last);
            parameters = first == std::string::npos ? "" : inner.substr(first);
        }
        std::string before = name.substr(0, open);
        constexpr std::string_view call = "::operator()";
        if (parameters.empty() && before.ends_with(call)) {
            before.resize(before.size() - call.size());
        }
        name.replace(0, close + 1, before.append(parameters));
    }
    return name;
}

/// "asyncio::Coroutine<int> app::handler(Db&)" -> "app::handler(Db&)"
std::string without_return_type(std::string name) {
    // The return type ends at the last blank before the parameters that is outside of <> and ().
    int depth = 0;
    std::size_t begin = 0;
    for (std::size_t at = 0; at < name.size(); ++at) {
        const char c = name[at];
        if (c == '<' || c == '(') {
            if (c == '(' && depth == 0) {
                break;
            }
            ++depth;
        } else if (c == '>' || c == ')') {
            --depth;
        } else if (c == ' ' && depth == 0) {
            begin = at + 1;
        }
    }
    return name.substr(begin);
}

std::string readable_name(const char* function) {
    return without_return_type(without_frame(function));
}

/// The library's own coroutines say nothing to a user.
bool is_internal(std::string_view name) {
    return name.starts_with("asyncio::detail::");
}

class Capture {
public:
    explicit Capture(CallGraphOptions options) : options_(options) {}

    FutureCallGraph of(FutureBase& future) {
        FutureCallGraph graph;
        graph.future = AnyFuture(future);
        path_.push_back(&future);
        if (future.kind() == FutureBase::Kind::task) {
            add_stack(static_cast<TaskBase&>(future), graph);
        }
        add_awaiters(future, graph);
        add_told(future, graph);
        path_.pop_back();
        return graph;
    }

private:
    void add_stack(TaskBase& task, FutureCallGraph& graph) const {
        if (task.waiter() != nullptr) {
            graph.waits_in = task.waiter()->reason();
        }
        for (PromiseBase* frame = task.leaf();
             frame != nullptr && graph.call_stack.size() < options_.limit;
             frame = frame->parent()) {
            std::string function = readable_name(frame->site().function_name());
            if (!is_internal(function)) {
                graph.call_stack.push_back(
                    {std::move(function), frame->site().file_name(), frame->site().line()});
            }
        }
    }

    void add_awaiters(FutureBase& future, FutureCallGraph& graph) {
        for (lowlevel::Callback& callback : future.callbacks()) {
            if (TaskBase::is_task(callback)) {
                add(static_cast<TaskBase&>(callback), graph);
            } else if (detail::GatherBase* gathering = detail::GatherBase::of(callback)) {
                // No task: whoever awaits it awaits its children.
                if (enter(*gathering)) {
                    add_awaiters(*gathering, graph);
                    path_.pop_back();
                }
            } else if (detail::ShieldBase* shield = detail::ShieldBase::of(callback)) {
                if (enter(*shield)) {
                    add_awaiters(*shield, graph);
                    path_.pop_back();
                }
            } else if (TaskBase* waiting = detail::CompletionWaiter::waiting_task(callback)) {
                add(*waiting, graph);
            } else if (TaskBase* parent = detail::group_parent(callback)) {
                add(*parent, graph);
            }
        }
    }

    void add_told(FutureBase& future, FutureCallGraph& graph) {
        for (FutureBase* const waiter : future.awaited_by()) {
            if (waiter->kind() == FutureBase::Kind::task) {
                add(static_cast<TaskBase&>(*waiter), graph);
            } else if (enter(*waiter)) {
                path_.pop_back();
                graph.awaited_by.push_back(of(*waiter));
            }
        }
    }

    void add(TaskBase& task, FutureCallGraph& graph) {
        if (enter(task)) {
            path_.pop_back();
            graph.awaited_by.push_back(of(task));
        }
    }

    /// False where it would go in a circle, or too deep.
    bool enter(FutureBase& future) {
        if (path_.size() > options_.depth ||
            std::find(path_.begin(), path_.end(), &future) != path_.end()) {
            return false;
        }
        path_.push_back(&future);
        return true;
    }

    CallGraphOptions options_;
    std::vector<FutureBase*> path_;
};

void format(const FutureCallGraph& graph, const std::string& indent, std::string& text) {
    const std::string name = graph.future.get_name();
    text += indent + "* " + (name.empty() ? "Future()" : "Task(name='" + name + "')");
    if (*graph.waits_in != '\0') {
        text += std::string(" waits in ") + graph.waits_in;
    }
    text += '\n';
    if (!graph.call_stack.empty()) {
        text += indent + "  + Call stack:\n";
        for (const FrameCallGraphEntry& frame : graph.call_stack) {
            text += indent + "  |   File '" + frame.file + "', line " + std::to_string(frame.line) +
                    ", in async " + frame.function + "\n";
        }
    }
    if (!graph.awaited_by.empty()) {
        text += indent + "  + Awaited by:\n";
        for (const FutureCallGraph& awaiter : graph.awaited_by) {
            format(awaiter, indent + "     ", text);
        }
    }
}

}  // namespace

std::optional<FutureCallGraph> capture_call_graph(const AnyFuture& future,
                                                  CallGraphOptions options) {
    FutureBase* const base = future ? future.raw() : detail::thread_state.task;
    if (base == nullptr) {
        return std::nullopt;
    }
    return Capture(options).of(*base);
}

std::string format_call_graph(const AnyFuture& future, CallGraphOptions options) {
    std::string text;
    if (const auto graph = capture_call_graph(future, options)) {
        format(*graph, "", text);
        if (!text.empty()) {
            text.pop_back();
        }
    }
    return text;
}

void print_call_graph(const AnyFuture& future, CallGraphOptions options) {
    const std::string text = format_call_graph(future, options);
    if (!text.empty()) {
        std::fprintf(stderr, "%s\n", text.c_str());
    }
}

}  // namespace asyncio
