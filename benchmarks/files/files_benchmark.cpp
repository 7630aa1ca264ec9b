// files_benchmark.cpp - reading files: the library beside pread() in threads, which is the limit,
// and beside pread() by way of to_thread(), which is what programs did without.
//
// usage: files [PROACTOR]
//
// The file is in the page cache, so what is measured is the way there and back. Each line is the
// median of five rounds, in microseconds for one read.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

using namespace asyncio;

namespace {

constexpr std::int64_t file_size = std::int64_t{64} << 20;
constexpr int reads = 4000;
constexpr int at_once = 8;

std::int64_t place(int number, std::int64_t size) {
    return (static_cast<std::int64_t>(number) * 7919 * 4096) % (file_size - size);
}

double seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

void read_one(int fd, std::size_t size, int number) {
    std::string text(size, '\0');
    if (::pread(fd, text.data(), size, place(number, static_cast<std::int64_t>(size))) < 0) {
        std::abort();
    }
}

void in_threads(const std::string& path, std::size_t size) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    std::atomic<int> next{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < at_once; ++i) {
        threads.emplace_back([&] {
            for (int number = next++; number < reads; number = next++) {
                read_one(fd, size, number);
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    ::close(fd);
}

Coroutine<> read_some(File file, std::size_t size, int first) {
    for (int number = first; number < reads; number += at_once) {
        const std::string text =
            co_await file.pread(size, place(number, static_cast<std::int64_t>(size)));
        if (text.size() != size) {
            std::abort();
        }
    }
}

Coroutine<> by_files(std::string path, std::size_t size) {
    const File file = co_await files::open(path);
    TaskGroup group;
    co_await with(group, [&](TaskGroup& tasks) {
        for (int i = 0; i < at_once; ++i) {
            tasks.create_task(read_some(file, size, i));
        }
    });
    co_await file.close();
}

Coroutine<> read_some_in_thread(int fd, std::size_t size, int first) {
    for (int number = first; number < reads; number += at_once) {
        co_await to_thread(read_one, fd, size, number);
    }
}

Coroutine<> by_to_thread(std::string path, std::size_t size) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    TaskGroup group;
    co_await with(group, [&](TaskGroup& tasks) {
        for (int i = 0; i < at_once; ++i) {
            tasks.create_task(read_some_in_thread(fd, size, i));
        }
    });
    ::close(fd);
}

Coroutine<> by_line(std::string path) {
    const File file = co_await files::open(path);
    std::size_t lines = 0;
    while (auto line = co_await file.next()) {
        lines += line->size();
    }
    co_await file.close();
    if (lines != static_cast<std::size_t>(file_size)) {
        std::abort();
    }
}

template <class Run>
double median(Run run) {
    std::vector<double> times;
    for (int round = 0; round < 5; ++round) {
        const double begin = seconds();
        run();
        times.push_back(seconds() - begin);
    }
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
    const RunOptions options{.proactor = argc > 1 ? argv[1] : ""};
    char name[] = "/tmp/asyncio-files-XXXXXX";
    const int fd = ::mkstemp(name);
    const std::string line(63, 'x');
    std::string text;
    while (text.size() < std::size_t{1} << 20) {
        text += line + "\n";
    }
    for (std::int64_t written = 0; written < file_size; written += std::int64_t{1} << 20) {
        if (::write(fd, text.data(), text.size()) < 0) {
            std::perror("write");
            return 1;
        }
    }
    ::close(fd);
    const std::string path = name;

    std::printf("%-12s %14s %14s %14s\n", "bytes", "threads", "File::pread", "to_thread");
    for (const std::size_t size : {std::size_t{4096}, std::size_t{65536}, std::size_t{1} << 20}) {
        const double limit = median([&] { in_threads(path, size); });
        const double files = median([&] { run(by_files(path, size), options); });
        const double threads = median([&] { run(by_to_thread(path, size), options); });
        std::printf("%-12zu %11.2f us %11.2f us %11.2f us\n", size, limit / reads * 1e6,
                    files / reads * 1e6, threads / reads * 1e6);
    }
    const double lines = median([&] { run(by_line(path), options); });
    std::printf("lines of 64 bytes: %.3f us each\n",
                lines / (static_cast<double>(file_size) / 64) * 1e6);
    const double whole = median([&] { run(files::read_file(path), options); });
    std::printf("read_file: %.2f GB/s\n", static_cast<double>(file_size) / whole / 1e9);
    ::unlink(name);
}
