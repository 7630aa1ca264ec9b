// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<> fail(std::string name) {
    co_await sleep(0);
    throw RuntimeError(name);
}

Coroutine<> child(std::string name) {
    try {
        co_await sleep(0);
        print(name, "ends");
    } catch (const CancelledError&) {
        print(name, err());
        throw;
    }
}

void attempt(const char* what, TaskGroup& group) {
    try {
        group.create_task(child("never"));
        print(what, "accepted");
    } catch (const RuntimeError& error) {
        for (const char* reason : {"has not been entered", "is shutting down", "is finished"}) {
            if (std::string(error.what()).find(reason) != std::string::npos) {
                print(what, reason);
            }
        }
    }
}

Coroutine<> grandparent(TaskGroup& group) {
    co_await sleep(0.02);
    group.create_task(child("made while the group waits"));
}

Coroutine<> lingers(TaskGroup& group) {
    auto slept = co_await as_result(sleep(10));
    print("lingers", slept.error());
    attempt("child of an aborting group:", group);
    co_await sleep(0.02);
    attempt("later child of an aborting group:", group);
    slept.get();
}

Coroutine<> main_() {
    TaskGroup group;
    attempt("new:", group);
    co_await with(group, [&] { group.create_task(grandparent(group)); });
    attempt("finished:", group);

    TaskGroup failing;
    try {
        co_await with(failing, [&]() -> Coroutine<> {
            failing.create_task(fail("bad"));
            failing.create_task(lingers(failing));
            try {
                co_await sleep(10);
            } catch (const CancelledError&) {
                print("body", err(), current_task().cancelling());
                attempt("body of an aborting group:", failing);
                throw;
            }
        });
    } catch (const ExceptionGroup&) {
        print(err(), current_task().cancelling());
    }
    attempt("failed:", failing);

    try {
        co_await task_group([](TaskGroup& inner) -> Coroutine<> {
            inner.create_task(fail("swallowed in the body"));
            try {
                co_await sleep(10);
            } catch (const CancelledError&) {
                print("the body goes on");
            }
            attempt("still aborting:", inner);
        });
    } catch (const ExceptionGroup&) {
        print(err(), current_task().cancelling());
    }
}

int main() {
    run(main_());
}
