// embedding_glib_test.cpp - an EventLoop as the guest of GLib's main loop. Built where GLib is.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"

#include <asyncio/embedding.hpp>
#include <asyncio/queues.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/threads.hpp>

#include <chrono>
#include <memory>
#include <string>

#include <glib-unix.h>
#include <glib.h>

namespace asyncio {

using namespace std::chrono_literals;

namespace {

gboolean run_guest(gint, GIOCondition, gpointer data) {
    static_cast<GuestLoop*>(data)->run_ready();
    return G_SOURCE_CONTINUE;
}

Coroutine<std::string> work(Queue<int>& from_glib, GMainLoop* glib) {
    auto shout = [](StreamReader reader, StreamWriter writer) -> Coroutine<> {
        const std::string line = co_await reader.readline();
        writer.write("> " + line);
    };
    Server server = co_await start_server(shout, "127.0.0.1", 0);
    auto [reader, writer] =
        co_await open_connection("127.0.0.1", server.addresses().front().port());
    co_await sleep(2ms);
    writer.write("hello\n");
    std::string all = co_await reader.readline();
    const int number = co_await to_thread([] { return 42; });
    all += std::to_string(number) + " ";
    const int sent = co_await from_glib.get();
    all += std::to_string(sent);
    writer.close();
    server.close();
    ::g_main_loop_quit(glib);
    co_return all;
}

struct Ticks {
    GuestLoop& guest;
    Queue<int>& queue;
    int count = 0;
};

// A timer of GLib's, which puts something into a queue of asyncio's.
gboolean tick(gpointer data) {
    auto& ticks = *static_cast<Ticks*>(data);
    if (++ticks.count == 3) {
        ticks.guest.call([&] { ticks.queue.put_nowait(ticks.count); });
        return G_SOURCE_REMOVE;
    }
    return G_SOURCE_CONTINUE;
}

}  // namespace

TEST(GuestOfGLib, does_all_that_it_does_by_itself_and_lets_glib_do_the_same) {
    for (const char* proactor : testing::proactors) {
        SCOPED_TRACE(proactor);
        GMainLoop* const glib = ::g_main_loop_new(nullptr, FALSE);
        const std::unique_ptr<EventLoop> loop = new_event_loop(proactor);
        GuestLoop guest(*loop);
        const guint source = ::g_unix_fd_add(guest.fileno(), G_IO_IN, &run_guest, &guest);
        Queue<int> queue;
        Ticks ticks{guest, queue};
        ::g_timeout_add(1, &tick, &ticks);
        const auto task = loop->create_task(work(queue, glib));

        ::g_main_loop_run(glib);
        guest.run_ready();

        EXPECT_TRUE(task.done());
        EXPECT_EQ(task.result(), "> hello\n42 3");
        EXPECT_EQ(ticks.count, 3);
        ::g_source_remove(source);
        ::g_main_loop_unref(glib);
    }
}

}  // namespace asyncio
