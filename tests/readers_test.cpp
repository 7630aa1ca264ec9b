// readers_test.cpp - add_reader(), add_writer() and their kin: functions that are called when a
// descriptor is ready.
//
// SPDX-License-Identifier: MIT
#include <asyncio/contextvars.hpp>
#include <asyncio/log.hpp>
#include <asyncio/sockets.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/tasks.hpp>

#include "support/network.hpp"
#include "support/scratch_directory.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace asyncio;
using asyncio::testing::open_descriptors;
using asyncio::testing::ScratchDirectory;
using asyncio::testing::settle;

namespace {

/// Both ends of a pipe, or of a socket, that the library knows nothing of.
struct Ends {
    int ours = -1;
    int theirs = -1;

    static Ends pipe() {
        int fds[2] = {-1, -1};
        EXPECT_EQ(::pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
        return {fds[0], fds[1]};
    }
    static Ends socket() {
        int fds[2] = {-1, -1};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        return {fds[0], fds[1]};
    }
    Ends(int a, int b) : ours(a), theirs(b) {}
    Ends(const Ends&) = delete;
    Ends& operator=(const Ends&) = delete;
    ~Ends() {
        close_ours();
        close_theirs();
    }
    void close_ours() {
        if (ours >= 0) {
            ::close(std::exchange(ours, -1));
        }
    }
    void close_theirs() {
        if (theirs >= 0) {
            ::close(std::exchange(theirs, -1));
        }
    }
    void put(std::string_view bytes) const {
        EXPECT_EQ(::write(theirs, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    }
    [[nodiscard]] std::string take(std::size_t most = 64) const {
        std::string bytes(most, '\0');
        const ssize_t n = ::read(ours, bytes.data(), bytes.size());
        bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
        return bytes;
    }
};

/// Lets the loop ask the system a few times.
Coroutine<> some_polls() {
    for (int i = 0; i < 5; ++i) {
        co_await sleep(0.001);
    }
}

template <class Fn>
std::string error_of(Fn fn) {
    try {
        fn();
    } catch (...) {
        return describe(std::current_exception());
    }
    return "";
}

}  // namespace

NETWORK_TEST(AddReader, calls_the_function_when_there_is_something_to_read) {
    const Ends pipe = Ends::pipe();
    std::string all;
    add_reader(pipe.ours, [&] { all += pipe.take(); });
    co_await some_polls();
    EXPECT_EQ(all, "");
    pipe.put("one");
    co_await some_polls();
    EXPECT_EQ(all, "one");
    pipe.put("two");
    co_await some_polls();
    EXPECT_EQ(all, "onetwo");
    EXPECT_TRUE(remove_reader(pipe.ours));
    pipe.put("three");
    co_await some_polls();
    EXPECT_EQ(all, "onetwo");
}

NETWORK_TEST(AddReader, calls_it_again_as_long_as_something_is_left) {
    const Ends pipe = Ends::pipe();
    std::vector<std::string> all;
    pipe.put("abc");
    add_reader(pipe.ours, [&] { all.push_back(pipe.take(1)); });
    co_await some_polls();
    EXPECT_EQ(all, (std::vector<std::string>{"a", "b", "c"}));
    remove_reader(pipe.ours);
}

NETWORK_TEST(AddReader, passes_the_arguments_each_time) {
    const Ends pipe = Ends::pipe();
    std::vector<std::string> all;
    const auto note = [&all, &pipe](const std::string& text, int number) {
        all.push_back(text + std::to_string(number) + pipe.take(1));
    };
    add_reader(pipe.ours, note, std::string("x"), 7);
    pipe.put("ab");
    co_await some_polls();
    EXPECT_EQ(all, (std::vector<std::string>{"x7a", "x7b"}));
    remove_reader(pipe.ours);
}

NETWORK_TEST(AddReader, calls_in_the_context_of_whoever_asked) {
    static ContextVar<int> variable("variable");
    const Ends pipe = Ends::pipe();
    std::vector<int> seen;
    variable.set(1);
    add_reader(pipe.ours, [&] {
        seen.push_back(variable.get());
        variable.set(variable.get() * 10);
        static_cast<void>(pipe.take(1));
    });
    variable.set(2);
    pipe.put("ab");
    co_await some_polls();
    EXPECT_EQ(seen, (std::vector<int>{1, 10}));
    EXPECT_EQ(variable.get(), 2);

    Context given = copy_context();
    given.run([] { variable.set(7); });
    add_reader(pipe.ours,
               [&] {
                   seen.push_back(variable.get());
                   static_cast<void>(pipe.take(1));
               },
               {.context = &given});
    pipe.put("c");
    co_await some_polls();
    EXPECT_EQ(seen.back(), 7);
    remove_reader(pipe.ours);
}

NETWORK_TEST(AddReader, replaces_the_function_that_is_there) {
    const Ends pipe = Ends::pipe();
    std::string called;
    add_reader(pipe.ours, [&] { called += "first"; });
    pipe.put("x");
    add_reader(pipe.ours, [&] { called += "second" + pipe.take(); });
    co_await some_polls();
    EXPECT_EQ(called, "secondx");
    EXPECT_TRUE(remove_reader(pipe.ours));
    EXPECT_FALSE(remove_reader(pipe.ours));
}

NETWORK_TEST(AddReader, replaces_the_function_from_within_itself) {
    const Ends pipe = Ends::pipe();
    std::string called;
    const auto owned = std::make_shared<int>(5);
    add_reader(pipe.ours, [&, owned] {
        add_reader(pipe.ours, [&] { called += "then " + pipe.take(); });
        called += std::to_string(*owned) + " ";  // it still is there
    });
    pipe.put("x");
    co_await some_polls();
    EXPECT_EQ(called, "5 then x");
    EXPECT_EQ(owned.use_count(), 1);
    remove_reader(pipe.ours);
}

// F4
NETWORK_TEST(AddReader, may_remove_itself_and_add_a_writer_while_it_is_called) {
    const Ends socket = Ends::socket();
    std::string called;
    add_reader(socket.ours, [&] {
        called += "reads ";
        EXPECT_TRUE(remove_reader(socket.ours));
        add_writer(socket.ours, [&] {
            called += "writes ";
            EXPECT_TRUE(remove_writer(socket.ours));
        });
    });
    socket.put("x");
    co_await some_polls();
    EXPECT_EQ(called, "reads writes ");
    EXPECT_FALSE(remove_reader(socket.ours));
    EXPECT_FALSE(remove_writer(socket.ours));
}

NETWORK_TEST(AddReader, is_not_called_any_more_when_another_has_removed_it) {
    const Ends a = Ends::pipe();
    const Ends b = Ends::pipe();
    int calls = 0;
    add_reader(a.ours, [&] {
        ++calls;
        remove_reader(a.ours);
        remove_reader(b.ours);
    });
    add_reader(b.ours, [&] {
        ++calls;
        remove_reader(a.ours);
        remove_reader(b.ours);
    });
    a.put("x");
    b.put("x");  // both are ready at once
    co_await some_polls();
    EXPECT_EQ(calls, 1);
}

// F3
NETWORK_TEST(AddReader, and_a_writer_share_a_descriptor) {
    const Ends socket = Ends::socket();
    std::string read;
    int writes = 0;
    add_reader(socket.ours, [&] { read += socket.take(); });
    add_writer(socket.ours, [&] {
        if (++writes == 3) {
            remove_writer(socket.ours);
        }
    });
    socket.put("abc");
    co_await some_polls();
    EXPECT_EQ(read, "abc");
    EXPECT_EQ(writes, 3);
    socket.put("def");
    co_await some_polls();
    EXPECT_EQ(read, "abcdef");
    remove_reader(socket.ours);
}

NETWORK_TEST(AddWriter, waits_until_there_is_room) {
    const Ends socket = Ends::socket();
    const std::string block(1 << 16, 'x');
    while (::write(socket.ours, block.data(), block.size()) > 0) {}
    int calls = 0;
    add_writer(socket.ours, [&] {
        ++calls;
        remove_writer(socket.ours);
    });
    co_await some_polls();
    EXPECT_EQ(calls, 0);
    std::string taken(1 << 22, '\0');
    EXPECT_GT(::read(socket.theirs, taken.data(), taken.size()), 0);
    co_await some_polls();
    EXPECT_EQ(calls, 1);
}

// F8
NETWORK_TEST(AddReader, is_called_at_the_end_after_everything_was_read) {
    Ends pipe = Ends::pipe();
    std::string all;
    bool ended = false;
    pipe.put("last words");
    pipe.close_theirs();
    add_reader(pipe.ours, [&] {
        const std::string part = pipe.take(4);
        all += part;
        if (part.empty()) {
            ended = true;
            remove_reader(pipe.ours);
        }
    });
    co_await some_polls();
    EXPECT_EQ(all, "last words");
    EXPECT_TRUE(ended);
}

// F6
NETWORK_TEST(AddWriter, is_called_when_nobody_reads_any_more) {
    Ends pipe = Ends::pipe();
    const std::string block(1 << 12, 'x');
    while (::write(pipe.theirs, block.data(), block.size()) > 0) {}
    int calls = 0;
    add_writer(pipe.theirs, [&] {
        ++calls;
        remove_writer(pipe.theirs);
    });
    pipe.close_ours();
    co_await some_polls();
    EXPECT_EQ(calls, 1);
}

// F5
NETWORK_TEST(AddReader, refuses_what_is_always_ready) {
    const ScratchDirectory directory;
    const std::string path = directory / "file";
    for (const std::string& name : {path, std::string("/dev/null"), directory / ""}) {
        const int fd = ::open(
            name.c_str(), name == path ? O_RDWR | O_CREAT | O_CLOEXEC : O_RDONLY | O_CLOEXEC, 0600);
        EXPECT_GE(fd, 0);
        EXPECT_THROW(add_reader(fd, [] {}), PermissionError) << name;
        EXPECT_THROW(add_writer(fd, [] {}), PermissionError) << name;
        EXPECT_FALSE(remove_reader(fd));
        ::close(fd);
    }
    co_return;
}

NETWORK_TEST(AddReader, refuses_what_is_no_descriptor) {
    EXPECT_EQ(error_of([] { add_reader(-1, [] {}); }), "ValueError('Invalid file descriptor: -1')");
    EXPECT_EQ(error_of([] { remove_writer(-7); }), "ValueError('Invalid file descriptor: -7')");
    const Ends pipe = Ends::pipe();
    const int closed = ::dup(pipe.ours);
    ::close(closed);
    EXPECT_THROW(add_reader(closed, [] {}), OSError);
    EXPECT_FALSE(remove_reader(closed));
    co_return;
}

// F10
NETWORK_TEST(AddReader, refuses_the_descriptor_of_a_stream) {
    const asyncio::testing::PeerListener listener;
    auto streams = co_await open_connection("127.0.0.1", listener.port());
    const int fd = streams.writer.socket().fileno();
    const std::string text =
        "RuntimeError('File descriptor " + std::to_string(fd) + " is used by a transport')";
    EXPECT_EQ(error_of([&] { add_reader(fd, [] {}); }), text);
    EXPECT_EQ(error_of([&] { add_writer(streams.writer.socket(), [] {}); }), text);
    EXPECT_EQ(error_of([&] { remove_reader(fd); }), text);
    EXPECT_EQ(error_of([&] { remove_writer(fd); }), text);
    streams.writer.close();
    co_await streams.writer.wait_closed();
    const Ends pipe = Ends::pipe();  // may get that number
    add_reader(pipe.ours, [] {});
    EXPECT_TRUE(remove_reader(pipe.ours));
}

// F1: what was ready when its number was closed does not reach who has the number next.
NETWORK_TEST(AddReader, does_not_mistake_a_descriptor_for_an_earlier_one) {
    Ends first = Ends::pipe();
    Ends second = Ends::pipe();
    std::optional<Ends> third;
    std::string called;
    add_reader(first.ours, [&] {
        called += "first ";
        static_cast<void>(first.take());
        remove_reader(first.ours);
        if (second.ours >= 0) {
            const int number = second.ours;
            remove_reader(second.ours);
            second.close_ours();
            third.emplace(Ends::pipe().ours, -1);
            third.reset();
            int fds[2] = {-1, -1};
            EXPECT_EQ(::pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
            third.emplace(fds[0], fds[1]);
            EXPECT_TRUE(fds[0] == number || fds[1] == number);
            add_reader(third->ours, [&] {
                called += "third" + third->take();
                remove_reader(third->ours);
            });
        }
    });
    add_reader(second.ours, [&] { called += "second "; });
    first.put("x");
    second.put("x");
    co_await some_polls();
    const bool second_came_first = called.starts_with("second ");
    if (!second_came_first) {
        EXPECT_EQ(called, "first ");
        third->put("y");
        co_await some_polls();
        EXPECT_EQ(called, "first thirdy");
    } else {
        remove_reader(second.ours);
    }
}

// F2, F11: closed without a word; its number is another's now.
NETWORK_TEST(AddReader, works_on_a_number_that_was_closed_and_opened_again) {
    for (int round = 0; round < 3; ++round) {
        Ends pipe = Ends::pipe();
        std::string all;
        const int number = pipe.ours;
        add_reader(pipe.ours, [&] { all += pipe.take(); });
        co_await some_polls();
        const int kept = ::dup(pipe.ours);  // so that the system still reports on the old one
        pipe.close_ours();
        Ends again = Ends::pipe();
        EXPECT_EQ(again.ours, number);
        add_reader(again.ours, [&] { all += "again " + again.take(); });
        again.put("x");
        pipe.put("y");
        co_await some_polls();
        EXPECT_EQ(all, "again x");
        remove_reader(again.ours);
        ::close(kept);
    }
}

NETWORK_TEST(AddReader, works_after_it_was_removed_and_the_descriptor_closed) {
    for (int round = 0; round < 3; ++round) {
        Ends pipe = Ends::pipe();
        std::string all;
        add_reader(pipe.ours, [&] { all += pipe.take(); });
        co_await some_polls();
        pipe.put("x");
        co_await some_polls();
        EXPECT_EQ(all, "x");
        remove_reader(pipe.ours);
    }
}

// F11
NETWORK_TEST(AddReader, drops_the_function_of_a_descriptor_that_is_not_there_any_more) {
    std::vector<std::string> logged;
    set_logger([&](Level, std::string_view line) { logged.emplace_back(line); });
    Ends pipe = Ends::pipe();
    const int number = pipe.ours;
    const auto owned = std::make_shared<int>();
    add_reader(pipe.ours, [owned] {});
    pipe.close_ours();  // before the system was ever asked
    co_await some_polls();
    set_logger(nullptr);
    EXPECT_EQ(logged, (std::vector<std::string>{"descriptor " + std::to_string(number) +
                                                " cannot be watched any more; was it closed before "
                                                "remove_reader()?"}));
    EXPECT_EQ(owned.use_count(), 1);
    EXPECT_FALSE(remove_reader(number));
}

NETWORK_TEST(AddReader, ends_with_the_socket) {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    Socket ours(fds[0]);
    const Ends theirs(-1, fds[1]);
    const auto owned = std::make_shared<int>();
    add_reader(ours, [owned] {});
    co_await some_polls();
    ours.close();
    co_await some_polls();
    EXPECT_EQ(owned.use_count(), 1);
}

NETWORK_TEST(AddReader, leaves_alone_what_else_waits_on_a_socket) {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    const Socket ours(fds[0]);
    const Ends theirs(-1, fds[1]);
    auto receiving = create_task(sock_recv(ours, 10));
    co_await settle();
    int calls = 0;
    add_writer(ours, [&] {
        ++calls;
        remove_writer(ours);
    });
    co_await some_polls();
    EXPECT_EQ(calls, 1);
    theirs.put("still here");
    EXPECT_EQ(co_await receiving, "still here");
}

NETWORK_TEST(AddReader, reports_what_the_function_throws_and_calls_it_again) {
    const Ends pipe = Ends::pipe();
    std::vector<std::string> reported;
    get_running_loop().set_exception_handler([&](EventLoop&, const ExceptionContext& context) {
        reported.push_back(context.message + ": " + describe(context.exception));
    });
    add_reader(pipe.ours, [&] {
        static_cast<void>(pipe.take(1));
        throw RuntimeError("oops");
    });
    pipe.put("ab");
    co_await some_polls();
    EXPECT_EQ(reported, (std::vector<std::string>{"Exception in callback: RuntimeError('oops')",
                                                  "Exception in callback: RuntimeError('oops')"}));
    remove_reader(pipe.ours);
}

// F13
NETWORK_TEST(AddReader, does_not_starve_others_by_being_ready_all_the_time) {
    const Ends pipe = Ends::pipe();
    const Ends other = Ends::pipe();
    pipe.put("x");
    other.put("x");
    int calls = 0;
    int others = 0;
    bool timer = false;
    add_reader(pipe.ours, [&] { ++calls; });  // reads nothing
    add_reader(other.ours, [&] { ++others; });
    get_running_loop().call_later(0, [&] { timer = true; });
    while (calls < 20 || others < 20) {
        co_await sleep(0);
    }
    EXPECT_TRUE(timer);
    EXPECT_LT(std::abs(calls - others), 4);
    remove_reader(pipe.ours);
    remove_reader(other.ours);
}

TEST(AddReader, is_dropped_when_the_loop_is_closed) {
    const Ends pipe = Ends::pipe();
    const auto owned = std::make_shared<int>();
    for (const char* proactor : asyncio::testing::proactors) {
        auto loop = new_event_loop(proactor);
        loop->run_until_complete([](int fd, std::shared_ptr<int> kept) -> Coroutine<> {
            add_reader(fd, [kept] {});
            co_await some_polls();
            remove_reader(fd);
            add_reader(fd, [kept] {});
            co_return;
        }(pipe.ours, owned));
        EXPECT_GT(owned.use_count(), 1);
        loop->close();
        EXPECT_EQ(owned.use_count(), 1);
    }
}

TEST(AddReader, goes_on_when_an_exit_has_left_the_loop) {
    const Ends pipe = Ends::pipe();
    EventLoop loop;
    int calls = 0;
    loop.call_soon([&] {
        add_reader(pipe.ours, [&] {
            ++calls;
            if (calls == 1) {
                throw SystemExit(3);
            }
            remove_reader(pipe.ours);
            loop.stop();
        });
    });
    pipe.put("x");
    EXPECT_THROW(loop.run_forever(), SystemExit);
    loop.run_forever();
    EXPECT_EQ(calls, 2);
}
