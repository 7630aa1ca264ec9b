// soak.cpp - everything at once, for long: connections with and without TLS, timers, tasks that are
// made and cancelled, other programs. What a rest finds in use stays the same.
//
//     soak [SECONDS [SEED]]
//
// SPDX-License-Identifier: MIT
#include "soak.hpp"

#include "resources.hpp"

#include <asyncio/exceptions.hpp>
#include <asyncio/log.hpp>
#include <asyncio/queues.hpp>
#include <asyncio/runners.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/subprocess.hpp>
#include <asyncio/tasks.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace asyncio;
using Clock = std::chrono::steady_clock;

/// What was done, so that it shows that something was.
struct Count {
    long conversations = 0;
    long by_tls = 0;
    long broken = 0;
    long timers = 0;
    long cancelled = 0;
    long programs = 0;
    long killed = 0;
};

struct Soak {
    std::mt19937_64 random;
    Clock::time_point until;
    int port = 0;
    int tls_port = 0;
    stress::TLSContexts tls = stress::tls_contexts();
    Count count;

    std::size_t below(std::size_t bound) { return random() % bound; }
    [[nodiscard]] bool goes_on() const { return Clock::now() < until; }
};

Coroutine<> echo(StreamReader reader, StreamWriter writer) {
    try {
        for (;;) {
            const std::string piece = co_await reader.read(16'384);
            if (piece.empty()) {
                break;
            }
            writer.write(piece);
            co_await writer.drain();
        }
    } catch (const OSError&) {  // the client has broken off
    }
    writer.close();
}

Coroutine<StreamPair> connect(const Soak& soak, bool by_tls) {
    OpenConnectionOptions options;
    if (by_tls) {
        options.ssl = soak.tls.client;
        options.server_hostname = "localhost";
    }
    return open_connection("127.0.0.1", by_tls ? soak.tls_port : soak.port, options);
}

Coroutine<> converse(Soak& soak) {
    const bool by_tls = soak.tls.client != nullptr && soak.below(4) == 0;
    auto [reader, writer] = co_await connect(soak, by_tls);
    for (std::size_t rounds = soak.below(20); rounds > 0; --rounds) {
        const std::string text(1 + soak.below(soak.below(10) == 0 ? 300'000 : 3'000), 'x');
        writer.write(text);
        const std::string answer = co_await reader.readexactly(text.size());
        if (answer != text) {
            std::fprintf(stderr, "the echo is another text\n");
            std::abort();
        }
    }
    if (soak.below(10) == 0) {
        writer.write(std::string(50'000, 'y'));
        writer.abort();
        ++soak.count.broken;
    } else {
        writer.close();
        co_await writer.wait_closed();
    }
    ++soak.count.conversations;
    soak.count.by_tls += by_tls ? 1 : 0;
}

Coroutine<> keep_conversing(Soak& soak) {
    while (soak.goes_on()) {
        co_await converse(soak);
    }
}

/// Conversations that are given up at any moment.
Coroutine<> keep_cancelling(Soak& soak) {
    while (soak.goes_on()) {
        Task<> task = create_task(converse(soak));
        co_await sleep(static_cast<double>(soak.below(3'000)) / 1e6);
        task.cancel();
        try {
            co_await task;
        } catch (const CancelledError&) {
            ++soak.count.cancelled;
        }
    }
}

Coroutine<> keep_waiting(Soak& soak) {
    while (soak.goes_on()) {
        std::vector<TimerHandle> timers;
        for (std::size_t number = soak.below(1'000); number > 0; --number) {
            timers.push_back(get_running_loop().call_later(
                std::chrono::microseconds(soak.below(20'000)), [&soak] { ++soak.count.timers; }));
        }
        co_await sleep(static_cast<double>(soak.below(15'000)) / 1e6);
        for (TimerHandle& timer : timers) {
            timer.cancel();
        }
    }
}

Coroutine<> take(Queue<int>& queue) {
    for (;;) {
        static_cast<void>(co_await queue.get());
    }
}

Coroutine<> keep_spawning(Soak& soak) {
    while (soak.goes_on()) {
        Queue<int> queue(10);
        std::vector<Task<>> takers;
        for (int number = 0; number < 20; ++number) {
            takers.push_back(create_task(take(queue)));
        }
        for (int number = 0; number < 200; ++number) {
            co_await queue.put(number);
        }
        for (Task<>& taker : takers) {
            taker.cancel();
        }
        co_await sleep(0.001);
    }
}

/// One that says what it is told, with more than pipes take.
Coroutine<> talk_to_a_program(Soak& soak) {
    Process process =
        co_await create_subprocess_exec({.stdin_ = PIPE, .stdout_ = PIPE, .stderr_ = PIPE}, "cat");
    const std::string text(1 + soak.below(200'000), 'x');
    const auto [out, err] = co_await process.communicate(text);
    if (out != text) {
        std::fprintf(stderr, "cat said something else\n");
        std::abort();
    }
}

/// One that would not end: it is killed, or the wait for it is cancelled, which kills it.
Coroutine<> kill_a_program(Soak& soak) {
    Process process = co_await create_subprocess_exec(
        {.stdin_ = PIPE, .stdout_ = PIPE, .kill_on_cancel = true}, "cat");
    if (soak.below(2) == 0) {
        Task<ProcessOutput> task = create_task(process.communicate("some text"));
        process.stdin_().write("more");
        co_await sleep(0);
        task.cancel();
        static_cast<void>(co_await as_result(task));
    } else {
        process.kill();
    }
    co_await process.wait();
    ++soak.count.killed;
}

Coroutine<> keep_starting_programs(Soak& soak) {
    while (soak.goes_on()) {
        Process process = co_await create_subprocess_exec({.stdout_ = PIPE}, "echo", "hello");
        const auto [out, err] = co_await process.communicate();
        if (out != "hello\n") {
            std::fprintf(stderr, "echo said '%s'\n", out.c_str());
            std::abort();
        }
        co_await talk_to_a_program(soak);
        co_await kill_a_program(soak);
        soak.count.programs += 3;
        co_await sleep(0.02);
    }
}

/// All of it, for some time.
Coroutine<> work(Soak& soak) {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    soak.port = server.addresses().front().port();
    StartServerOptions options;
    options.ssl = soak.tls.server;
    Server tls_server = co_await start_server(echo, "127.0.0.1", 0, options);
    soak.tls_port = tls_server.addresses().front().port();
    std::vector<Task<>> workers;
    for (int number = 0; number < 20; ++number) {
        workers.push_back(create_task(keep_conversing(soak)));
    }
    for (int number = 0; number < 5; ++number) {
        workers.push_back(create_task(keep_cancelling(soak)));
    }
    workers.push_back(create_task(keep_waiting(soak)));
    workers.push_back(create_task(keep_spawning(soak)));
    workers.push_back(create_task(keep_starting_programs(soak)));
    for (const Task<>& worker : workers) {
        co_await worker;
    }
    for (Server* each : {&server, &tls_server}) {
        each->close();
        each->abort_clients();
        co_await each->wait_closed();
    }
    co_await sleep(0.05);
}

struct Use {
    std::size_t memory;
    std::size_t descriptors;
};

Coroutine<bool> soak_in_slices(Soak& soak, double seconds) {
    constexpr int slices = 10;
    constexpr int warm_up = 3;
    constexpr std::size_t allowance = 4'096;  // KiB: of the allocator's

    std::vector<Use> uses;
    for (int slice = 0; slice < slices; ++slice) {
        soak.until = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                        std::chrono::duration<double>(seconds / slices));
        co_await work(soak);
        uses.push_back({stress::resident_memory(), stress::open_descriptors()});
        std::printf("%2d: %zu KiB, %zu descriptors\n", slice, uses.back().memory,
                    uses.back().descriptors);
        std::fflush(stdout);
    }
    const Use& before = uses[warm_up];
    bool flat = true;
    for (std::size_t i = warm_up; i < uses.size(); ++i) {
        flat = flat && uses[i].descriptors == before.descriptors &&
               uses[i].memory <= before.memory + before.memory / 20 + allowance;
    }
    co_return flat;
}

}  // namespace

int main(int count, char** arguments) {
    const double seconds = count > 1 ? std::atof(arguments[1]) : 60;
    Soak soak;
    const std::uint64_t seed =
        count > 2 ? std::strtoull(arguments[2], nullptr, 10) : std::random_device()();
    soak.random.seed(seed);
    set_logger([](Level level, std::string_view text) {
        if (level >= Level::error) {
            std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
        }
    });
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    const bool flat = run(soak_in_slices(soak, seconds));
    std::printf(
        "%ld conversations, %ld of them by TLS, %ld broken off, %ld cancelled, %ld timers, "
        "%ld programs, %ld of them killed\n",
        soak.count.conversations, soak.count.by_tls, soak.count.broken, soak.count.cancelled,
        soak.count.timers, soak.count.programs, soak.count.killed);
    if (!flat) {
        std::printf("FAILED: what is in use grows\n");
        return 1;
    }
    if (stress::has_children()) {
        std::printf("FAILED: a program was not reaped\n");
        return 1;
    }
    const bool no_tls = soak.tls.client != nullptr && soak.count.by_tls == 0;
    if (soak.count.conversations == 0 || no_tls || soak.count.killed == 0 ||
        soak.count.cancelled == 0) {
        std::printf("FAILED: something was not done at all\n");
        return 1;
    }
    return 0;
}
