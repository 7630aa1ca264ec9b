// graph.cpp - call graphs.
//
// SPDX-License-Identifier: MIT
#include <asyncio/graph.hpp>

#include <asyncio/lowlevel/waiter.hpp>
#include <asyncio/taskgroups.hpp>
#include <asyncio/tasks.hpp>

#include "source_names.hpp"

#include <algorithm>
#include <cstdio>

namespace asyncio {

namespace {

using detail::FutureBase;
using detail::PromiseBase;
using detail::TaskBase;

class Capture {
public:
    explicit Capture(CallGraphOptions options) : options_(options) {}

    FutureCallGraph of(FutureBase& future) {
        FutureCallGraph graph;
        graph.future = AnyFuture(future);
        const detail::SourceNotes* const notes = future.source_notes();
        if (notes != nullptr && !notes->made_at.empty()) {
            graph.created_at = entry(notes->made_at.back());
        }
        path_.push_back(&future);
        if (future.kind() == FutureBase::Kind::task) {
            add_stack(static_cast<TaskBase&>(future), graph);
            add_cancellation(static_cast<TaskBase&>(future), graph);
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
            std::string function = detail::readable_name(frame->site().function_name());
            if (!detail::is_internal(function)) {
                graph.call_stack.push_back(
                    {std::move(function), frame->site().file_name(), frame->site().line()});
            }
        }
    }

    static FrameCallGraphEntry entry(const std::source_location& site) {
        return {detail::readable_name(site.function_name()), site.file_name(), site.line()};
    }

    static void add_cancellation(TaskBase& task, FutureCallGraph& graph) {
        if (task.done()) {
            return;
        }
        graph.cancelling = task.cancelling();
        const detail::SourceNotes* const notes = task.source_notes();
        if (graph.cancelling > 0 && notes != nullptr && detail::is_known(notes->cancelled_at)) {
            graph.swallowed_at = entry(notes->cancelled_at);
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

std::string in_words(const FrameCallGraphEntry& frame) {
    return std::string("File '") + frame.file + "', line " + std::to_string(frame.line) +
           ", in async " + frame.function;
}

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
            text += indent + "  |   " + in_words(frame) + "\n";
        }
    }
    if (graph.cancelling > 0) {
        text += indent + "  + Cancelling: " + std::to_string(graph.cancelling);
        if (graph.swallowed_at.has_value()) {
            text += ", swallowed at " + in_words(*graph.swallowed_at);
        }
        text += "\n";
    }
    if (graph.created_at.has_value()) {
        text += indent + "  + Created at: " + in_words(*graph.created_at) + "\n";
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
