// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<std::string> work(std::string name, double delay, bool fail = false) {
    try {
        co_await sleep(delay);
    } catch (const CancelledError&) {
        print(name, err());
        throw;
    }
    print(name, "ends");
    if (fail) {
        throw RuntimeError(name);
    }
    co_return name;
}

Coroutine<> main_() {
    loop().set_exception_handler(
        [](EventLoop&, const ExceptionContext& context) { print("handler:", context.message); });
    {
        auto group = gather(work("a", 0.06), work("b", 0.02, true), work("c", 0.04, true));
        try {
            co_await group;
        } catch (const RuntimeError&) {
            bool done = group.done();
            print(err(), done, group.cancel());
        }
        co_await sleep(0.1);
        print("the later error was not reported");
    }

    auto shared = create_task(work("shared", 0.02));
    auto [first, second, third] = co_await gather(shared, work("own", 0), shared);
    print(first, second, third);

    auto child = create_task(work("cancelled child", 10));
    auto both = gather(child, work("sibling", 0.04));
    co_await sleep(0.02);
    child.cancel("child");
    try {
        co_await both;
    } catch (const CancelledError&) {
        print("child's", err(), both.cancelled(), current_task().cancelling());
    }
    co_await sleep(0.06);

    child = create_task(work("cancelled child", 10));
    auto results = gather(return_exceptions, child, work("sibling", 0.04));
    co_await sleep(0.02);
    child.cancel("child");
    auto [failure, sibling] = co_await results;
    print(failure.error(), *sibling);

    auto done = loop().create_future<std::string>();
    done.set_result("done");
    auto failed = loop().create_future<std::string>();
    failed.set_exception(RuntimeError("failed before"));
    results = gather(return_exceptions, done, failed);
    print(results.done());
    auto [result, error] = co_await results;
    print(*result, error.error());
}

int main() {
    run(main_());
}
