// SPDX-License-Identifier: MIT
#include "pair.hpp"

void handler(EventLoop&, const ExceptionContext& context) {
    std::string message(context.message);
    if (message.starts_with("Exception in callback")) {
        message = "Exception in callback";
    }
    print("handler:", message, context.exception, bool(context.future));
}

Coroutine<> fail(std::string name) {
    throw RuntimeError(name);
    co_return;
}

template <class Awaitable>
Coroutine<> waits(Awaitable future, std::string name) {
    try {
        co_await future;
    } catch (const RuntimeError&) {
        print(name, err());
    }
}

void bad() {
    throw std::invalid_argument("in callback");
}

Coroutine<> main_() {
    print(!loop().get_exception_handler());
    loop().set_exception_handler(handler);
    print(!loop().get_exception_handler());
    loop().call_soon(bad);
    loop().call_later(-1, bad);
    co_await sleep(0.02);
    ExceptionContext context;
    context.message = "our own";
    context.exception = std::make_exception_ptr(std::out_of_range("k"));
    loop().call_exception_handler(context);
    context = {};
    context.message = "without an exception";
    loop().call_exception_handler(context);

    auto task = create_task(fail("dropped"));
    co_await sleep(0);
    co_await sleep(0);
    task = {};
    print("-- dropped while done");
    create_task(fail("nobody has it"));
    co_await sleep(0.02);
    print("-- never kept");

    task = create_task(fail("result"));
    co_await sleep(0.02);
    try {
        task.result();
    } catch (const RuntimeError&) {
        print(err());
    }
    task = create_task(fail("exception"));
    co_await sleep(0.02);
    print(task.exception());
    task = create_task(fail("awaited"));
    co_await waits(task, "main");
    task = create_task(fail("cancelled too late"));
    co_await sleep(0.02);
    print(task.cancel());
    task = {};
    print("-- the last one was not retrieved");

    auto future = loop().create_future<int>();
    auto waiter = create_task(waits(future, "waiter"));
    co_await sleep(0);
    future.set_exception(RuntimeError("awaited future"));
    co_await waiter;
    future = {};
    waiter = {};
    future = loop().create_future<int>();
    future.set_exception(RuntimeError("lonely future"));
    future = {};
    future = loop().create_future<int>();
    future = {};
    print("-- futures");

    loop().set_exception_handler(nullptr);
    print(!loop().get_exception_handler());
}

int main() {
    run(main_());
}
