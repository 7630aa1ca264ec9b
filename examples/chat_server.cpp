// chat_server.cpp - everybody who connects hears what everybody says.
//
//     ./run examples/chat_server.cpp 8888       # and in other terminals: nc 127.0.0.1 8888
//
// Its Python twin: chat_server.py.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <utility>
#include <vector>

using namespace asyncio;

struct Guest {
    std::string name;
    Queue<std::string> lines{100};  // that are to be sent
};

using Room = std::vector<Guest*>;

void say(Room& room, const std::string& line) {
    for (Guest* guest : room) {
        // A guest who does not listen keeps nobody waiting: what does not fit is lost on him.
        if (!guest->lines.full()) {
            guest->lines.put_nowait(line);
        }
    }
}

Coroutine<> send_lines(Guest& guest, StreamWriter& writer) {
    try {
        while (true) {
            std::string line = co_await guest.lines.get();
            writer.write(line);
            co_await writer.drain();
        }
    } catch (const QueueShutDown&) {
        // the guest has left
    }
}

Coroutine<> receive_lines(Guest& guest, StreamReader& reader, Room& room) {
    while (true) {
        std::string line = co_await reader.readline();
        if (line.empty()) {
            break;
        }
        say(room, guest.name + ": " + line);
    }
    guest.lines.shutdown();
}

/// One connection; a task of its own, with two more for its directions.
Coroutine<> welcome(Room& room, StreamReader reader, StreamWriter writer) {
    Guest guest;
    writer.write("Who are you?\n");
    guest.name = co_await reader.readline();
    while (guest.name.ends_with('\n') || guest.name.ends_with('\r')) {
        guest.name.pop_back();
    }
    if (guest.name.empty()) {
        co_return;
    }
    room.push_back(&guest);
    say(room, guest.name + " has come\n");

    auto stay = co_await as_result(task_group([&](TaskGroup& group) {
        group.create_task(send_lines(guest, writer));
        group.create_task(receive_lines(guest, reader, room));
    }));

    std::erase(room, &guest);
    say(room, guest.name + " has left\n");
    writer.close();
    if (stay.cancelled()) {
        stay.get();  // the server ends; a broken connection is but one more way to leave
    }
}

Coroutine<> amain(Room& room, int port) {
    auto handler = [&room](StreamReader reader, StreamWriter writer) {
        return welcome(room, std::move(reader), std::move(writer));
    };
    Server server = co_await start_server(handler, "127.0.0.1", port);
    std::printf("serving on 127.0.0.1:%d\n", server.addresses().front().port());
    std::fflush(stdout);

    Event never;
    auto interrupted = co_await as_result(never.wait());
    server.close();
    // Not close_clients(): somebody may never take what is left for him.
    server.abort_clients();
    interrupted.get();
}

int main(int argc, char** argv) {
    Room room;  // here, because the guests' tasks end after amain()
    try {
        run(amain(room, argc > 1 ? std::atoi(argv[1]) : 8888));
    } catch (const KeyboardInterrupt&) {
        std::puts("bye");
    } catch (const std::exception& error) {
        std::fprintf(stderr, "chat_server: %s\n", error.what());  // the port is taken, perhaps
        return 1;
    }
}
