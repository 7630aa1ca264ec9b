// 11_debugging.cpp - chapter 11 of docs/tutorial: debugging.
//
// Its Python twin, 11_debugging.py, prints the same.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

#include <cstdio>
#include <string>
#include <vector>

using namespace asyncio;
using namespace std::chrono_literals;

// [graph]
Coroutine<> fetch() {
    co_await sleep(1h);
}

Coroutine<> crawl() {
    co_await fetch();
}

Coroutine<> report(Task<> task) {
    co_await task;
}

Coroutine<> graph() {
    auto crawler = create_task(crawl(), {.name = "crawler"});
    auto reporter = create_task(report(crawler), {.name = "reporter"});
    co_await sleep(10ms);
    auto graph = capture_call_graph(crawler);
    std::printf("in %s\n", graph->waits_in);
    for (const FrameCallGraphEntry& frame : graph->call_stack) {
        std::string name = frame.function.substr(0, frame.function.find('('));
        std::printf("in %s\n", name.c_str());  // and frame.file, frame.line
    }
    for (const FutureCallGraph& awaiting : graph->awaited_by) {
        std::printf("awaited by %s\n", awaiting.future.get_name().c_str());
    }
    reporter.cancel();
    std::vector<Task<>> tasks{reporter};
    co_await wait(tasks);
}
// [/graph]

// [pending]
Coroutine<> pending() {
    std::vector<Task<>> tasks{create_task(fetch(), {.name = "one"}),
                              create_task(fetch(), {.name = "two"})};
    for (const AnyTask& task : all_tasks()) {
        if (task != current_task()) {
            std::printf("pending: %s\n", task.get_name().c_str());
        }
    }
    for (const Task<>& task : tasks) {
        task.cancel();
    }
    co_await wait(tasks);
}
// [/pending]

// [handler]
Coroutine<> fail() {
    co_await sleep(0);
    throw RuntimeError("nobody looks");
}

void complain() {
    throw RuntimeError("complaint");
}

void on_error(EventLoop&, const ExceptionContext& context) {
    std::printf("reported: %s\n", describe(context.exception).c_str());
}

Coroutine<> handler() {
    EventLoop& loop = get_running_loop();
    loop.set_exception_handler(on_error);
    create_task(fail());       // "Task exception was never retrieved"
    loop.call_soon(complain);  // "Exception in callback"
    co_await sleep(10ms);
    loop.set_exception_handler(nullptr);
}
// [/handler]

// [debug]
Coroutine<> debug() {
    EventLoop& loop = get_running_loop();
    auto wrong = [&] {  // it is call_soon_threadsafe() that is for other threads
        try {
            loop.call_soon([] { std::puts("never"); });
        } catch (const RuntimeError& error) {
            std::puts(error.what());
        }
    };
    loop.set_debug(true);
    co_await to_thread(wrong);
    loop.set_debug(false);
}
// [/debug]

Coroutine<> amain() {
    std::puts("-- graph");
    co_await graph();
    std::puts("-- pending");
    co_await pending();
    std::puts("-- handler");
    co_await handler();
    std::puts("-- debug");
    co_await debug();
}

int main() {
    run(amain());
}
