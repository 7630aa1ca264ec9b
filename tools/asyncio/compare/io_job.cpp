// io_job.cpp - the I/O-bound job, written three times.
//
// SPDX-License-Identifier: MIT
#include "io_job.hpp"

#include <asyncio/files.hpp>
#include <asyncio/runners.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/tasks.hpp>

#include "blocking_io.hpp"
#include "io_server.hpp"
#include "measure.hpp"
#include "units.hpp"

#include <cstdint>
#include <utility>
#include <vector>

namespace compare {
namespace {

constexpr double pause = 0.005;  // seconds
constexpr std::size_t block = 4096;
// There, readable, and in memory: the program itself.
constexpr const char* file_name = "/proc/self/exe";

struct Work {
    std::string server;
    std::size_t rounds = 0;
};

/// What a unit asks in a round: no other one the same.
std::string question(std::size_t unit, std::size_t round) {
    std::string text = "unit " + std::to_string(unit) + ", round " + std::to_string(round);
    text.resize(question_size, '.');
    return text;
}

/// Blocks of the first 64 KiB.
std::int64_t place(std::size_t unit, std::size_t round) {
    return static_cast<std::int64_t>((unit + round) % 16 * block);
}

// --- Tasks -------------------------------------------------------------------------------------

asyncio::Coroutine<> run_task(const Work& work, asyncio::File file, std::size_t unit) {
    auto [reader, writer] = co_await asyncio::open_unix_connection(work.server);
    for (std::size_t round = 0; round < work.rounds; ++round) {
        const std::string asked = question(unit, round);
        writer.write(asked);
        const std::string answer = co_await reader.readexactly(question_size);
        require(answer == asked, "a task got another answer");
        co_await asyncio::sleep(pause);
        const std::string bytes = co_await file.pread(block, place(unit, round));
        require(bytes.size() == block, "a task read less of the file");
    }
    writer.close();
}

asyncio::Coroutine<> run_tasks(const Work& work, std::size_t count) {
    asyncio::File file = co_await asyncio::files::open(file_name, "rb");
    std::vector<asyncio::Coroutine<>> units;
    units.reserve(count);
    for (std::size_t unit = 0; unit < count; ++unit) {
        units.push_back(run_task(work, file, unit));
    }
    co_await asyncio::gather(std::move(units));
    co_await file.close();
}

// --- Threads and processes ---------------------------------------------------------------------

void run_blocking(const Work& work, const BlockingFile& file, std::size_t unit) {
    const BlockingConnection connection(work.server);
    std::string answer(question_size, '\0');
    std::string bytes(block, '\0');
    for (std::size_t round = 0; round < work.rounds; ++round) {
        const std::string asked = question(unit, round);
        connection.write(asked);
        connection.read(answer);
        require(answer == asked, "a unit got another answer");
        sleep_blocking(pause);
        file.read(bytes, place(unit, round));
    }
}

void run_units(Model model, const Work& work, std::size_t count) {
    if (model == Model::asyncio) {
        asyncio::run(run_tasks(work, count));
        return;
    }
    const BlockingFile file(file_name);
    const auto body = [&](std::size_t unit) { run_blocking(work, file, unit); };
    if (model == Model::threads) {
        in_threads(count, body);
    } else {
        in_processes(count, body);
    }
}

}  // namespace

const std::string_view io_job_method =
    "Each unit has a connection (a Unix socket) to a server in another process. Again and again it "
    "asks something and gets the answer after 5 ms, waits for 5 ms more, and reads a block of "
    "4 KiB of a file that is in memory. Beginning and end of the units are part of the time; the "
    "median of the repetitions. Each answer is checked.";

Values do_io_job(Model model, std::size_t units, const std::string& server, const Scale& scale) {
    const Work work{server, scale.io_rounds};
    return {median(repeat(scale, [&] {
        const Clock::time_point start = Clock::now();
        run_units(model, work, units);
        return seconds_since(start);
    }))};
}

}  // namespace compare
