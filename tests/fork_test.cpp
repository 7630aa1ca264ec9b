// fork_test.cpp - a child of fork(): it has no running loop, may make one, and leaves its parent's
// alone.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>
#include <asyncio/file_watch.hpp>

#include "support/async_test.hpp"
#include "support/scratch_directory.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

namespace asyncio {
namespace {

using namespace std::chrono_literals;
using testing::proactors;

/// The exit status of a child that runs `body`, which gives it.
int in_child(const std::function<int()>& body) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(30);  // a child that hangs is a failure
        int status = 99;
        try {
            status = body();
        } catch (...) {
            std::fprintf(stderr, "the child threw %s\n",
                         describe(std::current_exception()).c_str());
        }
        ::_exit(status);
    }
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
    return WEXITSTATUS(status);
}

Coroutine<> echo(StreamReader reader, StreamWriter writer) {
    std::string line = co_await reader.readline();
    writer.write(line);
    co_await writer.drain();
    writer.close();
}

/// A bit of everything that a loop is for.
Coroutine<int> work() {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    auto [reader, writer] =
        co_await open_connection("127.0.0.1", server.addresses().front().port());
    writer.write("hello\n");
    const std::string line = co_await reader.readline();
    writer.close();
    server.close();
    co_await sleep(1ms);
    const int number = co_await to_thread([] { return 36; });
    co_return number + static_cast<int>(line.size());
}

/// Runs on each proactor, and on the real clock: a child would not know of a virtual one's threads.
void on_each_proactor(Coroutine<> (*body)()) {
    for (const char* proactor : proactors) {
        SCOPED_TRACE(proactor);
        run(body(), {.proactor = proactor});
    }
}

Coroutine<> child_looks_for_a_loop() {
    const int status = in_child([] {
        try {
            static_cast<void>(get_running_loop());
            return 1;
        } catch (const RuntimeError& error) {
            if (std::string(error.what()) != "no running event loop") {
                return 2;
            }
        }
        try {
            static_cast<void>(get_event_loop());
            return 3;
        } catch (const RuntimeError&) {}
        try {
            static_cast<void>(current_task());
            return 4;
        } catch (const RuntimeError&) {}
        return 0;
    });
    EXPECT_EQ(status, 0);
    EXPECT_EQ(co_await work(), 42);
}

TEST(Fork, leaves_the_child_without_a_running_loop) {
    on_each_proactor(&child_looks_for_a_loop);
}

Coroutine<> child_runs_a_loop_while_the_parent_waits() {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    auto [reader, writer] =
        co_await open_connection("127.0.0.1", server.addresses().front().port());
    auto line = create_task(
        [](StreamReader& from) -> Coroutine<std::string> { co_return co_await from.readline(); },
        std::ref(reader));
    co_await sleep(1ms);  // the kernel is asked by now

    for (const char* proactor : proactors) {
        const int status = in_child([&] { return run(work(), {.proactor = proactor}); });
        EXPECT_EQ(status, 42);
    }

    writer.write("to the parent\n");
    EXPECT_EQ(co_await line, "to the parent\n");
    writer.close();
    server.close();
}

TEST(Fork, lets_the_child_run_a_loop_of_its_own) {
    on_each_proactor(&child_runs_a_loop_while_the_parent_waits);
}

Coroutine<> look_for_the_current_task() {
    const auto child = [] {
        const std::unique_ptr<EventLoop> loop = new_event_loop();
        bool found = true;
        loop->call_soon([&found, &loop] {
            found = static_cast<bool>(current_task());
            loop->stop();
        });
        loop->run_forever();
        return found ? 1 : 0;
    };
    EXPECT_EQ(in_child(child), 0);
    EXPECT_TRUE(current_task());
    co_return;
}

TEST(Fork, leaves_the_parents_task_out_of_the_childs_loop) {
    on_each_proactor(&look_for_the_current_task);
}

TEST(Fork, lets_the_child_run_a_loop_after_one_of_the_parent_has_ended) {
    EXPECT_EQ(run(work()), 42);
    EXPECT_EQ(in_child([] { return run(work()); }), 42);
}

int status_of_going_on(Runner& runner) {
    try {
        runner.run(work());
    } catch (const RuntimeError& error) {
        return std::string(error.what()).find("parent of this process") != std::string::npos ? 0
                                                                                             : 1;
    }
    return 2;
}

TEST(Fork, does_not_let_the_child_run_a_loop_of_its_parent) {
    for (const char* proactor : proactors) {
        SCOPED_TRACE(proactor);
        Runner runner({.proactor = proactor});
        EXPECT_EQ(runner.run(work()), 42);

        EXPECT_EQ(in_child([&] { return status_of_going_on(runner); }), 0);

        EXPECT_EQ(runner.run(work()), 42);
    }
}

Coroutine<bool> fork_and_wait() {
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(30);
        co_await sleep(0);  // back into the loop, which is the parent's
        ::_exit(3);
    }
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(co_await work(), 42);
    co_return true;
}

TEST(Fork, ends_the_parents_loop_in_a_child_that_goes_on_in_it) {
    for (const char* proactor : proactors) {
        SCOPED_TRACE(proactor);
        const pid_t parent = ::getpid();
        std::string error;
        try {
            EXPECT_TRUE(run(fork_and_wait(), {.proactor = proactor}));
        } catch (const RuntimeError& raised) {
            error = raised.what();
        }
        if (::getpid() != parent) {
            ::_exit(error == "The event loop belongs to the parent of this process" ? 0 : 4);
        }
        EXPECT_EQ(error, "");
    }
}

// What the child of fork() has of its parent's loop it may give up: the parent keeps it.
struct Possessions {
    explicit Possessions(std::string unix_path) : path(std::move(unix_path)) {}

    Coroutine<> acquire() {
        server.emplace(co_await start_server(echo, "127.0.0.1", 0));
        unix_server.emplace(co_await start_unix_server(echo, path));
        streams.emplace(co_await open_connection("127.0.0.1", server->addresses().front().port()));
        process.emplace(co_await create_subprocess_exec({.stdin_ = PIPE, .stdout_ = PIPE}, "cat"));
        line = create_task(read_line());
        co_await sleep(1ms);  // the kernel is asked by now
    }
    Coroutine<std::string> read_line() { co_return co_await streams->reader.readline(); }

    Coroutine<> use() {
        streams->writer.write("by tcp\n");
        EXPECT_EQ(co_await line, "by tcp\n");
        StreamPair visit =
            co_await open_connection("127.0.0.1", server->addresses().front().port());
        visit.writer.write("again\n");
        EXPECT_EQ(co_await visit.reader.readline(), "again\n");
        StreamPair unix_visit = co_await open_unix_connection(path);
        unix_visit.writer.write("by path\n");
        EXPECT_EQ(co_await unix_visit.reader.readline(), "by path\n");
        const ProcessOutput output = co_await process->communicate("by pipe");
        EXPECT_EQ(output.stdout_, "by pipe");
        EXPECT_EQ(process->returncode(), 0);
        server->close();
        unix_server->close();
    }

    std::string path;
    std::optional<Server> server;
    std::optional<Server> unix_server;
    std::optional<StreamPair> streams;
    std::optional<Process> process;
    Task<std::string> line;
};

Coroutine<bool> fork_with(const std::string& path) {
    Possessions all(path);
    co_await all.acquire();
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(30);
        co_await sleep(1h);  // back into the loop, which is the parent's
        ::_exit(3);
    }
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    co_await wait_for(all.use(), 30);
    co_return true;
}

TEST(Fork, leaves_what_the_parent_has_open_to_it_when_the_child_ends_its_copy_of_the_loop) {
    const testing::ScratchDirectory directory;
    for (const char* proactor : proactors) {
        SCOPED_TRACE(proactor);
        const pid_t parent = ::getpid();
        std::string error;
        try {
            EXPECT_TRUE(run(fork_with(directory / "socket"), {.proactor = proactor}));
        } catch (const std::exception& raised) {
            error = raised.what();
        }
        if (::getpid() != parent) {
            ::_exit(error == "The event loop belongs to the parent of this process" ? 0 : 4);
        }
        EXPECT_EQ(error, "");
    }
}

Coroutine<int> run_until_terminated(bool own_handler) {
    bool called = false;
    if (own_handler) {
        add_signal_handler(SIGTERM, [&called] { called = true; });
        ::raise(SIGTERM);
        co_await sleep(1ms);
        EXPECT_TRUE(called);
        remove_signal_handler(SIGTERM);
    }
    co_return called ? 1 : 0;
}

int signal_that_ends_child(const std::function<void()>& body) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(30);
        body();
        ::_exit(0);
    }
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

Coroutine<> fork_beside_a_signal_handler() {
    bool called = false;
    add_signal_handler(SIGTERM, [&called] { called = true; });
    for (const bool own_handler : {false, true}) {
        const int signal = signal_that_ends_child([own_handler] {
            if (run(run_until_terminated(own_handler)) == static_cast<int>(own_handler)) {
                ::raise(SIGTERM);
            }
        });
        EXPECT_EQ(signal, SIGTERM) << own_handler;
    }
    co_await sleep(1ms);
    EXPECT_FALSE(called);
    ::raise(SIGTERM);
    co_await sleep(1ms);
    EXPECT_TRUE(called);
}

TEST(Fork, leaves_the_childs_signals_to_the_loops_of_the_child) {
    on_each_proactor(&fork_beside_a_signal_handler);
}

/// Cancels a call in a thread that is under way in `loop`, and waits for its end: false if it went
/// on.
bool cancel_a_call_under_way(EventLoop& loop) {
    std::promise<void> begun;
    std::atomic<bool> over{false};
    bool was_over = false;
    std::thread other;
    Handle handle;
    std::thread poster([&] {
        handle = loop.call_soon_threadsafe([&] {
            begun.set_value();
            std::this_thread::sleep_for(1ms);  // so that it is most likely waited for
            over = true;
            loop.stop();
        });
    });
    poster.join();
    other = std::thread([&] {
        begun.get_future().wait();
        handle.cancel();
        was_over = over;
    });
    loop.run_forever();
    other.join();
    return was_over;
}

TEST(Fork, lets_the_child_cancel_calls_whatever_threads_of_its_parent_wait_for) {
    std::promise<void> begun;
    std::promise<void> go_on;
    EventLoop* running = nullptr;
    std::promise<void> runs;
    std::thread loop_thread([&] {
        EventLoop loop;
        running = &loop;
        loop.call_soon([&] { runs.set_value(); });
        loop.run_forever();
    });
    runs.get_future().wait();
    Handle handle = running->call_soon_threadsafe([&] {
        begun.set_value();
        go_on.get_future().wait();
        running->stop();
    });
    begun.get_future().wait();
    std::thread waits([&] { handle.cancel(); });
    std::this_thread::sleep_for(20ms);  // whether it waits cannot be seen; mostly it does then

    const int status = in_child([] {
        EventLoop loop;
        for (int call = 0; call < 5; ++call) {
            if (!cancel_a_call_under_way(loop)) {
                return 1;
            }
        }
        return 0;
    });

    EXPECT_EQ(status, 0);
    go_on.set_value();
    waits.join();
    loop_thread.join();
}

TEST(Fork, in_the_midst_of_reports_of_other_threads_lets_the_child_report) {
    set_logger([](Level, std::string_view) {});
    std::atomic<bool> enough{false};
    std::thread other([&] {
        while (!enough) {
            detail::log(Level::debug, "something");
        }
    });
    for (int i = 0; i < 50; ++i) {
        EXPECT_EQ(in_child([] {
                      detail::log(Level::debug, "something");
                      return 7;
                  }),
                  7);
    }
    enough = true;
    other.join();
    set_logger({});
}

TEST(Fork, in_the_midst_of_other_threads_that_start_programs_lets_the_child_start_some) {
    const auto start = []() -> Coroutine<int> {
        Process process = co_await create_subprocess_exec("/bin/true");
        const int status = co_await process.wait();
        co_return status;
    };
    std::atomic<bool> enough{false};
    std::thread other([&] {
        while (!enough) {
            EXPECT_EQ(run(start()), 0);
        }
    });
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(in_child([&] { return run(start()); }), 0);
    }
    enough = true;
    other.join();
}

TEST(Fork, does_not_disturb_a_parent_with_many_threads) {
    std::atomic<bool> enough{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            while (!enough) {  // in and out of all that the process has only once
                const ContextVar<int> variable("variable");
                variable.set(1);
                run([]() -> Coroutine<> { co_await sleep(0); });
            }
        });
    }

    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(in_child([] { return run(work()); }), 42);
    }

    enough = true;
    for (std::thread& thread : threads) {
        thread.join();
    }
}

/// What a program has open that somebody else starts, by the plain means of the C library.
std::string open_in_another_program() {
    std::string listed;
    FILE* const pipe = ::popen("exec ls -1 /proc/self/fd", "r");
    char line[64];
    while (std::fgets(line, sizeof line, pipe) != nullptr) {
        listed += line;
    }
    ::pclose(pipe);
    return listed;
}

Coroutine<> have_everything_open(std::string path, std::string before) {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    Server unix_server = co_await start_unix_server(echo, path);
    StreamPair streams = co_await open_connection("127.0.0.1", server.addresses().front().port());
    auto datagrams = co_await create_datagram_endpoint(
        [] { return std::make_unique<DatagramProtocol>(); }, {.family = AddressFamily::ipv4});
    PipePair pipes = open_pipe();
    StreamReader reader = co_await open_read_pipe(std::move(pipes.read_end));
    files::File file = co_await files::open("/dev/null", "w");
    files::Watch watch = co_await files::watch("/");
    add_signal_handler(SIGUSR1, [] {});
    Process process = co_await create_subprocess_exec(
        {.stdin_ = PIPE, .stdout_ = PIPE, .stderr_ = PIPE}, "/bin/cat");
    const std::vector<AddressInfo> infos = co_await getaddrinfo("localhost", 80);
    co_await to_thread([] {});

    EXPECT_EQ(open_in_another_program(), before);

    remove_signal_handler(SIGUSR1);
    process.stdin_().close();
    co_await process.wait();
    co_await file.close();
    datagrams.transport.close();
    streams.writer.close();
    unix_server.close();
    server.close();
    co_await sleep(0);
}

TEST(OtherPrograms, inherit_nothing_of_all_that_the_library_has_open) {
    const testing::ScratchDirectory directory;
    const std::string before = open_in_another_program();
    for (const char* proactor : proactors) {
        SCOPED_TRACE(proactor);
        run(have_everything_open(directory / "socket", before), {.proactor = proactor});
    }
}

}  // namespace
}  // namespace asyncio
