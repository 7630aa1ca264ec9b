// SPDX-License-Identifier: MIT
#include "pair.hpp"

#include <thread>

template <class Fn>
void elsewhere(const char* name, Fn fn) {
    std::thread([&] {
        try {
            fn();
            print(name, "nothing");
        } catch (...) {
            print(name, err());
        }
    }).join();
}

void say(const char* text) {
    print(text);
}

Coroutine<int> wait_for_it(Future<int> future, std::string name) {
    try {
        const int value = co_await future;
        print(name, value);
        co_return value;
    } catch (const CancelledError&) {
        print(name, "cancelled");
        throw;
    }
}

Coroutine<> main_() {
    EventLoop& loop = get_running_loop();
    print(loop.get_debug(), loop.slow_callback_duration() == Duration(0.1) ? "0.1" : "another");
    elsewhere("call_soon", [&] { loop.call_soon(say, "never"); });
    elsewhere("call_later", [&] { loop.call_later(0, say, "never"); });
    elsewhere("call_at", [&] { loop.call_at(loop.time(), say, "never"); });
    elsewhere("call_soon_threadsafe", [&] { loop.call_soon_threadsafe(say, "called"); });
    co_await sleep(0.01);

    auto lonely = loop.create_future<int>();
    elsewhere("set_result without callbacks", [&] { lonely.set_result(1); });
    print(lonely.result());
    elsewhere("add_done_callback", [&] { lonely.add_done_callback([](AnyFuture) {}); });

    auto future = loop.create_future<int>();
    auto task = loop.create_task(wait_for_it(future, "waiter"));
    co_await sleep(0);
    elsewhere("set_result", [&] { future.set_result(2); });
    print(future.done(), task.done());
    co_await sleep(0.01);
    print("not told:", !task.done());
    task.cancel();
    co_await sleep(0.01);
    print("still not:", !task.done());
    loop.set_debug(false);
    print(loop.get_debug());

    loop.set_debug(true);
    elsewhere("call_soon", [&] { loop.call_soon(say, "never"); });
    loop.set_exception_handler([](EventLoop&, const ExceptionContext&) {});
    loop.stop();
}

int main() {
    EventLoop loop;
    loop.set_debug(true);
    loop.create_task(main_());
    elsewhere("call_soon before it runs", [&] { loop.call_soon(say, "called"); });
    loop.run_forever();
    loop.close();
}
