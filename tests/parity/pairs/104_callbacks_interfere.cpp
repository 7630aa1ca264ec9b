// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<std::string> waits(std::string name, Future<int> future) {
    try {
        int value = co_await future;
        print(name, "got", value);
    } catch (const CancelledError&) {
        print(name, err());
        throw;
    } catch (const RuntimeError&) {
        print(name, err());
    }
    co_return name;
}

Coroutine<> turns(int count) {
    for (int turn = 0; turn < count; ++turn) {
        print("- turn", turn);
        co_await sleep(0);
    }
}

void add_callback(Future<int> future, int left) {
    future.add_done_callback([left](const Future<int>& done) {
        print("adds", left);
        if (left > 0) {
            add_callback(done, left - 1);
        }
    });
}

Coroutine<> main_() {
    loop().set_exception_handler([](EventLoop&, const ExceptionContext& context) {
        print("handler:", context.exception);
    });
    Task<std::string> task;
    auto cancel = [&task](const AnyFuture&) { print("cancel", task.cancel("by the callback")); };

    print("== a callback before the task cancels it: the value is lost");
    auto future = loop().create_future<int>();
    future.add_done_callback(cancel);
    task = create_task(waits("task", future));
    co_await turns(1);
    future.set_result(1);
    co_await turns(3);
    print(task.cancelled(), future.result());

    print("== a callback behind the task comes too late");
    future = loop().create_future<int>();
    task = create_task(waits("task", future));
    co_await turns(1);
    future.add_done_callback(cancel);
    future.set_result(2);
    co_await turns(3);
    print(task.cancelled(), task.result());

    print("== and one that takes the request back");
    future = loop().create_future<int>();
    future.add_done_callback(cancel);
    future.add_done_callback([&task](const AnyFuture&) { print("uncancel", task.uncancel()); });
    task = create_task(waits("task", future));
    co_await turns(1);
    future.set_result(3);
    co_await turns(3);
    print(task.cancelled(), task.cancelling());

    print("== a callback that raises");
    future = loop().create_future<int>();
    future.add_done_callback([](const AnyFuture&) { throw RuntimeError("in the callback"); });
    task = create_task(waits("task", future));
    co_await turns(1);
    future.add_done_callback(
        [](const AnyFuture& done) { print("the next callback", done.exception()); });
    future.set_exception(RuntimeError("of the future"));
    co_await turns(3);

    print("== a callback that adds callbacks");
    future = loop().create_future<int>();
    add_callback(future, 2);
    future.add_done_callback([](const AnyFuture&) { print("other"); });
    future.cancel();
    co_await turns(5);

    print("== callbacks of futures that end each other");
    auto a = loop().create_future<int>();
    auto b = loop().create_future<int>();
    auto c = loop().create_future<std::string>();
    a.add_done_callback([&](const AnyFuture&) { print("a ends b", b.cancel("by a")); });
    b.add_done_callback([&](const AnyFuture& done) {
        c.set_result("by b");
        print("b ends c", done.cancelled(), "None");
    });
    b.add_done_callback([&](const AnyFuture&) { print("b ends a", a.cancel("by b")); });
    c.add_done_callback([&](const Future<std::string>& done) {
        print("c", done.result(), a.done(), b.done());
    });
    task = create_task(waits("waits for b", b));
    co_await turns(1);
    a.set_result(0);
    co_await turns(4);

    print("== callbacks of a task that is cancelled");
    task = create_task(waits("task", loop().create_future<int>()));
    task.add_done_callback([](const Task<std::string>& done) {
        bool asked = done.cancel();
        print("callback", done.cancelled(), asked, done.cancelling());
    });
    co_await turns(1);
    task.cancel("why");
    co_await turns(3);

    print("== cancelled together with its future");
    future = loop().create_future<int>();
    task = create_task(waits("task", future));
    co_await turns(1);
    bool of_future = future.cancel("the future");
    bool of_task = task.cancel("the task");
    print(of_future, of_task, task.cancelling());
    co_await turns(2);
    print(task.cancelled());
    future = loop().create_future<int>();
    task = create_task(waits("task", future));
    co_await turns(1);
    future.set_exception(RuntimeError("the future"));
    of_task = task.cancel("the task");
    print(of_task, task.cancelling());
    co_await turns(2);
    print(task.cancelled(), future.exception());
}

int main() {
    run(main_());
}
