// embedded_poll.cpp - asyncio as the guest of a loop that was there before: here one around poll().
//
// The program has a loop of its own, with events of its own, of which each is a byte in a pipe. Its
// event loop of asyncio is one more descriptor to that. docs/embedding.md has the same for others.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>
#include <asyncio/embedding.hpp>

#include <cstdio>
#include <memory>
#include <string>

#include <poll.h>
#include <unistd.h>

using namespace asyncio;

// In asyncio: a server, and a client that sends it each key that was pressed.
Coroutine<> echo(StreamReader reader, StreamWriter writer) {
    while (auto line = co_await reader.next()) {
        writer.write("you pressed " + *line);
    }
}

Coroutine<> send_keys(Queue<char>& keys) {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    auto [reader, writer] =
        co_await open_connection("127.0.0.1", server.addresses().front().port());
    for (;;) {
        const char key = co_await keys.get();
        if (key == 'q') {
            break;
        }
        writer.write(std::string(1, key) + "\n");
        const std::string answer = co_await reader.readline();
        std::printf("%s", answer.c_str());
    }
    writer.close();
    server.close();
}

int main() {
    int events[2];
    if (::pipe(events) != 0 || ::write(events[1], "abcq", 4) != 4) {  // somebody presses keys
        std::perror("pipe");
        return 1;
    }

    const std::unique_ptr<EventLoop> loop = new_event_loop();
    GuestLoop guest(*loop);
    Queue<char> keys;
    const auto task = loop->create_task(send_keys(keys));

    while (!task.done()) {
        pollfd entries[] = {{events[0], POLLIN, 0}, {guest.fileno(), POLLIN, 0}};
        if (::poll(entries, 2, -1) < 0) {
            continue;  // a signal
        }
        char key = 0;
        if ((entries[0].revents & POLLIN) != 0 && ::read(events[0], &key, 1) == 1) {
            // Of what is made ready in here, the descriptor will tell.
            guest.call([&] { keys.put_nowait(key); });
        }
        if ((entries[1].revents & POLLIN) != 0) {
            guest.run_ready();
        }
    }
    task.result();
    std::printf("bye\n");
    ::close(events[0]);
    ::close(events[1]);
}
