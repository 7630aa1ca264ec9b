// tty_client.cpp - writes lines to a terminal and reads what comes back.
//
// usage: tty_client PATH LINES; says whether all came back.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

using namespace asyncio;

Coroutine<> send(StreamWriter& writer, int lines) {
    for (int i = 0; i < lines; ++i) {
        writer.write("line " + std::to_string(i) + "\n");
        co_await writer.drain();
    }
}

Coroutine<int> receive(StreamReader& reader, int lines) {
    int right = 0;
    for (int i = 0; i < lines; ++i) {
        const std::string line = co_await reader.readline();
        right += line == "line " + std::to_string(i) + "\n" ? 1 : 0;
    }
    co_return right;
}

Coroutine<> amain(int fd, int lines) {
    // Each direction owns a descriptor.
    StreamWriter writer = co_await open_write_pipe(::dup(fd));
    StreamReader reader = co_await open_read_pipe(fd);
    auto sent = create_task(send(writer, lines));
    const int right = co_await receive(reader, lines);
    co_await sent;
    writer.close();
    co_await writer.wait_closed();
    std::printf("%d of %d came back\n", right, lines);
}

int main(int, char** argv) {
    const int fd = ::open(argv[1], O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        std::perror(argv[1]);
        return 1;
    }
    run(amain(fd, std::atoi(argv[2])));
}
