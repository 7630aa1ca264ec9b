// streams.cpp - both ends of a stream in memory do anything, in any order, with a wire that stalls
// and breaks: each byte that is read is the next one, and nobody waits for ever.
//
// SPDX-License-Identifier: MIT
#include "fuzz.hpp"

#include <asyncio/exceptions.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/testing/memory_streams.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace {

using namespace asyncio;

constexpr char byte_at(std::size_t position) {
    return static_cast<char>('a' + position % 23);
}

std::string bytes_at(std::size_t position, std::size_t size) {
    std::string bytes(size, '\0');
    for (char& each : bytes) {
        each = byte_at(position++);
    }
    return bytes;
}

/// One direction.
struct Direction {
    std::size_t written = 0;
    std::size_t read = 0;
    bool broken = false;    // an end of it was closed, aborted or reset: bytes may be lost
    bool complete = false;  // the end was read
};

struct End {
    StreamPair streams;
    Direction& out;
    Direction& in;
};

void took(Direction& direction, const std::string& bytes) {
    fuzz::require(bytes == bytes_at(direction.read, bytes.size()), "other bytes than were written");
    direction.read += bytes.size();
    fuzz::require(direction.read <= direction.written, "more is read than was written");
}

Coroutine<> read_some(End& end, std::uint8_t kind) {
    const std::size_t size = 1 + kind / 4;
    std::string bytes;
    try {
        switch (kind % 4) {
            case 0: {
                std::string got = co_await end.streams.reader.read(size);
                bytes = std::move(got);
                end.in.complete = end.in.complete || bytes.empty();
                break;
            }
            case 1: {
                std::string got = co_await end.streams.reader.readexactly(size);
                bytes = std::move(got);
                break;
            }
            case 2: {
                std::string got = co_await end.streams.reader.readuntil("vw");
                bytes = std::move(got);
                break;
            }
            default: {
                std::string got = co_await end.streams.reader.readuntil(std::string(1, 'a'));
                bytes = std::move(got);
            }
        }
    } catch (const IncompleteReadError& error) {
        bytes = error.partial();
        end.in.complete = true;
    } catch (const LimitOverrunError&) {
    } catch (const OSError&) {
        fuzz::require(end.in.broken, "a read fails on a connection that nobody has broken");
    } catch (const RuntimeError&) {  // another task reads
    }
    took(end.in, bytes);
}

Coroutine<> drain(End& end) {
    try {
        co_await end.streams.writer.drain();
    } catch (const OSError&) {
        fuzz::require(end.out.broken, "drain() fails on a connection that nobody has broken");
    }
}

void write(End& end, std::size_t size) {
    try {
        end.streams.writer.write(bytes_at(end.out.written, size));
        end.out.written += size;
    } catch (const RuntimeError&) {  // after write_eof()
    }
}

void break_both(End& end) {
    end.in.broken = true;
    end.out.broken = true;
}

Coroutine<> try_all(fuzz::Input input) {
    testing::MemoryStreamOptions options;
    options.limit = 1 + input.below(40);
    options.buffer = 1 + input.below(60);
    options.piece = input.below(9);
    testing::MemoryStreamPair pair = testing::memory_stream_pair(options);
    Direction there;
    Direction back;
    End ends[] = {{std::move(pair.first), there, back}, {std::move(pair.second), back, there}};
    std::vector<Task<>> tasks;
    while (!input.empty()) {
        End& end = ends[input.below(2)];
        const std::uint8_t argument = input.byte();
        switch (input.below(16)) {
            case 0:
            case 1:
            case 2:
            case 3:
                write(end, argument);
                break;
            case 4:
            case 5:
            case 6:
            case 7:
                tasks.push_back(create_task(read_some(end, argument)));
                break;
            case 8:
                tasks.push_back(create_task(drain(end)));
                break;
            case 9:
                if (!tasks.empty()) {
                    tasks[argument % tasks.size()].cancel();
                }
                break;
            case 10:
                if (!end.streams.writer.is_closing()) {
                    end.streams.writer.write_eof();
                }
                break;
            case 11:
                pair.wire.stall();
                break;
            case 12:
                pair.wire.resume();
                break;
            case 13:
                if (argument < 32) {
                    break_both(end);
                    end.streams.writer.close();
                } else if (argument < 48) {
                    break_both(end);
                    end.streams.writer.abort();
                } else if (argument < 64) {
                    break_both(end);
                    pair.wire.reset();
                }
                break;
            case 14:
                end.streams.writer.set_write_buffer_limits({.high = argument});
                break;
            default:
                co_await sleep(static_cast<double>(argument / 200));
        }
    }
    // Whatever was done, the rest arrives and everybody comes to an end.
    pair.wire.resume();
    for (End& end : ends) {
        if (!end.streams.writer.is_closing()) {
            end.streams.writer.write_eof();
        }
    }
    co_await testing::settle();
    for (Task<>& task : tasks) {  // only one may read
        task.cancel();
    }
    co_await testing::settle();
    for (End& end : ends) {
        while (!end.in.broken && !end.in.complete) {
            const std::size_t before = end.in.read;
            co_await read_some(end, 255 - 3);
            fuzz::require(end.in.complete || end.in.read > before, "nothing more, and no end");
        }
        fuzz::require(end.in.broken || end.in.read == end.in.written, "bytes are lost");
    }
    for (const Task<>& task : tasks) {
        fuzz::require(task.done(), "a task waits for ever");
    }
    for (End& end : ends) {
        end.streams.writer.close();
    }
    co_await sleep(1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::run(try_all(fuzz::Input(data, std::min<std::size_t>(size, 1000))));
    return 0;
}
