// task_factory.cpp - how a loop's tasks are made, and tasks that start at once.
//
// SPDX-License-Identifier: MIT
#include <asyncio/detail/task.hpp>

#include <memory>
#include <utility>

namespace asyncio {

namespace {

/// How many tasks of this thread are in their first step, one started by the other. Each needs some
/// stack, which has room for that many as a rule; it is as many calls as Python allows, too.
constinit thread_local int eager_depth = 0;
constexpr int most_eager = 1000;

class EagerDepth {
public:
    EagerDepth() noexcept { ++eager_depth; }
    EagerDepth(const EagerDepth&) = delete;
    EagerDepth& operator=(const EagerDepth&) = delete;
    ~EagerDepth() { --eager_depth; }
};

void check_eager(const TaskOptions& options) {
    if (eager_depth >= most_eager) {
        throw RecursionError("maximum recursion depth exceeded");
    }
    if (options.context != nullptr) {
        options.context->run([] {});  // throws if it is entered already
    }
}

}  // namespace

AnyTask make_task(EventLoop& loop, AnyCoroutine& coroutine, TaskOptions options) {
    loop.check_usable();
    if (coroutine.root_ == nullptr) {
        detail::raise_awaited_again();
    }
    const bool eager = options.eager_start.value_or(false) && detail::thread_state.loop == &loop;
    if (eager) {
        check_eager(options);
    }
    coroutine.task_ = coroutine.make_(loop, coroutine.root_, options.name, options.context);
    if (loop.get_debug()) {
        coroutine.task_.raw()->note_source(coroutine.site_);
    }
    if (eager) {
        const EagerDepth deeper;
        static_cast<detail::TaskBase*>(coroutine.task_.raw())->start_eagerly();
    }
    return coroutine.task_;
}

AnyTask eager_task_factory(EventLoop& loop, AnyCoroutine& coroutine, TaskOptions options) {
    options.eager_start = options.eager_start.value_or(true);
    return make_task(loop, coroutine, options);
}

EventLoop::TaskFactory create_eager_task_factory(EventLoop::TaskFactory custom_task_constructor) {
    if (!custom_task_constructor) {
        throw TypeError("create_eager_task_factory() needs a task constructor");
    }
    return [construct = std::move(custom_task_constructor)](
               EventLoop& loop, AnyCoroutine& coroutine, TaskOptions options) {
        options.eager_start = options.eager_start.value_or(true);
        return construct(loop, coroutine, options);
    };
}

void EventLoop::set_task_factory(TaskFactory factory) {
    task_factory_ = factory ? std::make_shared<const TaskFactory>(std::move(factory)) : nullptr;
    choose_checks();
}

const EventLoop::TaskFactory& EventLoop::get_task_factory() const noexcept {
    static const TaskFactory none;
    return task_factory_ != nullptr ? *task_factory_ : none;
}

AnyTask detail::TaskBase::make_by_factory(EventLoop& loop, AnyCoroutine& coroutine,
                                          TaskOptions options) {
    const std::shared_ptr<const EventLoop::TaskFactory> factory = loop.task_factory_;
    if (factory == nullptr) {
        return make_task(loop, coroutine, options);
    }
    AnyTask task = (*factory)(loop, coroutine, options);
    if (!task || task != coroutine.task()) {
        throw TypeError("a task factory returns what make_task() gave it for the coroutine");
    }
    return task;
}

}  // namespace asyncio
