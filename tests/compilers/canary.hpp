// canary.hpp - small programs that a compiler may get wrong: cases, each run in its own process.
//
//     CANARY(await_in_a_return) {
//         auto value = co_await number(1);
//         check(value == 1);
//     }
//
// `program` runs all cases and prints `NAME ok` or `NAME miscompiled` for each; `program NAME` runs
// one in this process, for a debugger. What is expected of which compiler: expectations.tsv.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/asyncio.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace asyncio;

inline int failures = 0;

inline void check(bool condition) {
    if (!condition) {
        ++failures;
    }
}

/// A value that notices when it is destroyed twice, or copied from or moved bit by bit to where no
/// constructor ran.
class Object {
public:
    int id;

    Object(int id = 0) : id(id) { begin(); }
    Object(const Object& other) : id(other.id) {
        begin();
        check(other.alive());
    }
    Object(Object&& other) noexcept : id(std::exchange(other.id, -1)) {
        begin();
        check(other.alive());
    }
    Object& operator=(const Object&) = default;
    ~Object() { check(objects.erase(this) == 1); }

    bool alive() const { return objects.contains(this); }
    /// Its number, or one that no case expects.
    int value() const { return alive() ? id : -1000; }

    static inline std::set<const Object*> objects;

private:
    void begin() { check(objects.insert(this).second); }
};

inline Coroutine<int> number(int value) {
    co_await sleep(0);
    co_return value;
}

inline Coroutine<Object> object(int id) {
    co_await sleep(0);
    co_return Object(id);
}

inline Coroutine<int> value_of(Object parameter) {
    co_await sleep(0);
    co_return parameter.value();
}

inline Coroutine<int> value_at(const Object& parameter) {
    co_await sleep(0);
    co_return parameter.value();
}

struct Canary {
    const char* name;
    Coroutine<> (*body)();

    Canary(const char* name, Coroutine<> (*body)()) : name(name), body(body) {
        all().push_back(this);
    }
    static std::vector<Canary*>& all() {
        static std::vector<Canary*> canaries;
        return canaries;
    }
};

#define CANARY(name)                                \
    static Coroutine<> name();                      \
    static const Canary canary_##name(#name, name); \
    static Coroutine<> name()

/// The exit status of one case.
inline int run_canary(const Canary& canary) {
    try {
        run(canary.body());
    } catch (...) {
        ++failures;
    }
    return failures == 0 && Object::objects.empty() ? 0 : 1;
}

inline int canary_main(int argc, char** argv) {
    if (argc > 1) {
        for (const Canary* canary : Canary::all()) {
            if (std::string_view(canary->name) == argv[1]) {
                return run_canary(*canary);
            }
        }
        std::fprintf(stderr, "no case %s\n", argv[1]);
        return 2;
    }
    // All at once: those that hang cost one time limit, not one each.
    std::vector<pid_t> children;
    for (const Canary* canary : Canary::all()) {
        pid_t child = fork();
        if (child == 0) {
            alarm(5);
            std::freopen("/dev/null", "w", stderr);  // the C library's last words
            _exit(run_canary(*canary));
        }
        children.push_back(child);
    }
    for (std::size_t i = 0; i < children.size(); ++i) {
        int status = 0;
        waitpid(children[i], &status, 0);
        std::printf("%s %s\n", Canary::all()[i]->name, status == 0 ? "ok" : "miscompiled");
    }
    return 0;
}

int main(int argc, char** argv) {
    return canary_main(argc, argv);
}
