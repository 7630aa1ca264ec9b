// files_cancellation_test.cpp - files when tasks are cancelled, operations fail, and loops are
// closed.
//
// SPDX-License-Identifier: MIT
#include "support/file_proactor.hpp"
#include "support/observe.hpp"

#include <asyncio/files.hpp>
#include <asyncio/log.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/timeouts.hpp>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace asyncio {

namespace fs = std::filesystem;

using testing::file_plan;
using testing::FilePlan;
using testing::FilePlanScope;
using testing::settle;
using testing::TemporaryDirectory;

namespace {

void make(const std::string& path, std::string_view contents) {
    std::ofstream(path, std::ios::binary) << contents;
}

std::string contents(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::size_t open_descriptors() {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

/// Threads that open FIFOs, ours and the kernel's.
int patient_threads() {
    int count = 0;
    for (const auto& task : fs::directory_iterator("/proc/self/task")) {
        std::string name;
        std::ifstream(task.path() / "comm") >> name;
        count += name.starts_with("asyncio_fifo") || name.starts_with("iou-wrk") ? 1 : 0;
    }
    return count;
}

Coroutine<> steps(int count) {
    for (int i = 0; i < count; ++i) {
        co_await sleep(0);
    }
}

/// Runs `body`, whose files are on a FileProactor.
template <class Fn>
void run_on_plan(FilePlan plan, Fn body) {
    const FilePlanScope scope(plan);
    run(body());
}

}  // namespace

FILE_TEST(CancelledRead, leaves_its_bytes_to_the_next) {
    const TemporaryDirectory dir;
    std::string text;
    for (int i = 0; i < 40000; ++i) {
        text += std::to_string(i) + "\n";
    }
    make(dir / "a", text);
    for (int count = 0; count < 12; ++count) {
        File f = co_await files::open(dir / "a");
        std::string all = co_await f.readline();
        auto reading = create_task(f.read(100000));
        co_await steps(count);

        reading.cancel();
        auto read = co_await as_result(reading);
        all += read.has_value() ? read.value() : "";
        EXPECT_EQ(co_await f.tell(), static_cast<std::int64_t>(all.size()));
        all += co_await f.read();

        EXPECT_TRUE(all == text) << "after " << count << " steps";
        co_await f.close();
    }
}

FILE_TEST(CancelledLine, is_the_next_ones) {
    const TemporaryDirectory dir;
    make(dir / "a", "one\ntwo\nthree\n");
    for (int count = 0; count < 8; ++count) {
        File f = co_await files::open(dir / "a");
        auto reading = create_task(f.next());
        co_await steps(count);
        reading.cancel();
        auto read = co_await as_result(reading);
        std::string all = read.has_value() ? *read.value() : "";
        while (auto line = co_await f.next()) {
            all += *line;
        }
        EXPECT_EQ(all, "one\ntwo\nthree\n");
        co_await f.close();
    }
}

FILE_TEST(CancelledWrite, is_done_wholly_or_not_at_all) {
    const TemporaryDirectory dir;
    const std::string big(300000, 'x');
    for (int count = 0; count < 12; ++count) {
        File f = co_await files::open(dir / "a", "w");
        auto writing = create_task(f.write(big));
        co_await steps(count);

        writing.cancel();
        static_cast<void>(co_await as_result(writing));
        co_await f.write("end");
        co_await f.close();

        const std::string written = contents(dir / "a");
        EXPECT_TRUE(written == "end" || written == big + "end")
            << written.size() << " bytes after " << count << " steps";
    }
}

TEST(CancelledWrite, that_was_begun_is_finished_before_what_comes_next) {
    const TemporaryDirectory dir;
    run_on_plan({}, [&dir]() -> Coroutine<> {
        return [](const std::string path) -> Coroutine<> {
            File f = co_await files::open(path, "w");
            file_plan.hold = true;
            auto writing = create_task(f.write("begun "));
            auto waiting = create_task(f.write("queued "));
            co_await settle();
            writing.cancel();
            waiting.cancel();
            co_await settle();
            EXPECT_TRUE(writing.cancelled());
            EXPECT_TRUE(waiting.cancelled());

            auto last = create_task(f.write("last"));
            co_await settle();
            EXPECT_FALSE(last.done());
            file_plan.hold = false;
            co_await last;
            co_await f.close();
            EXPECT_EQ(contents(path), "begun last");
        }(dir / "a");
    });
}

TEST(CancelledWrite, that_fails_tells_the_next_one) {
    const TemporaryDirectory dir;
    run_on_plan({}, [&dir]() -> Coroutine<> {
        return [](const std::string path) -> Coroutine<> {
            File f = co_await files::open(path, "w");
            file_plan.hold = true;
            file_plan.error = ENOSPC;
            file_plan.fail_at = file_plan.performed + 1;
            auto writing = create_task(f.write("lost"));
            co_await settle();
            writing.cancel();
            co_await settle();
            file_plan.hold = false;
            auto flushed = co_await as_result(f.flush());
            EXPECT_EQ(describe(flushed.error()), "OSError(28, 'No space left on device')");
            co_await f.flush();
            co_await f.close();
        }(dir / "a");
    });
}

// As a write: what the disk could not do is not to be missed by whoever relies on it next.
TEST(CancelledSync, that_fails_tells_the_next_one) {
    for (const bool truncates : {false, true}) {
        const TemporaryDirectory dir;
        run_on_plan({}, [&dir, truncates]() -> Coroutine<> {
            return [](const std::string path, const bool truncate) -> Coroutine<> {
                File f = co_await files::open(path, "w");
                co_await f.write("written");
                file_plan.hold = true;
                file_plan.error = EIO;
                file_plan.fail_at = file_plan.performed + 1;
                auto failing = create_task([](File file, bool cut) -> Coroutine<> {
                    if (cut) {
                        co_await file.truncate(1);
                    } else {
                        co_await file.sync();
                    }
                }(f, truncate));
                co_await settle();
                failing.cancel();
                co_await settle();
                EXPECT_TRUE(failing.cancelled());
                file_plan.hold = false;
                auto closed = co_await as_result(f.close());
                EXPECT_EQ(describe(closed.error()), "OSError(5, 'Input/output error')");
                EXPECT_TRUE(f.closed());
            }(dir / "a", truncates);
        });
    }
}

TEST(CancelledClose, closes) {
    const TemporaryDirectory dir;
    run_on_plan({}, [&dir]() -> Coroutine<> {
        return [](const std::string path) -> Coroutine<> {
            File f = co_await files::open(path, "w");
            const int fd = f.fileno();
            file_plan.hold = true;
            auto writing = create_task(f.write("x"));
            auto closing = create_task(f.close());
            co_await settle();
            closing.cancel();
            co_await settle();
            EXPECT_TRUE(closing.cancelled());
            EXPECT_TRUE(f.closed());
            EXPECT_NE(::fcntl(fd, F_GETFD), -1);
            file_plan.hold = false;
            co_await writing;
            co_await settle();
            EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
            EXPECT_EQ(contents(path), "x");
        }(dir / "a");
    });
}

FILE_TEST(CancelledOpen, closes_what_was_opened) {
    const TemporaryDirectory dir;
    make(dir / "a", "text");
    co_await files::read_file(dir / "a");  // the threads are there
    const std::size_t before = open_descriptors();
    for (int count = 0; count < 10; ++count) {
        auto opening = create_task(files::open(dir / "a"));
        co_await steps(count);
        opening.cancel();
        static_cast<void>(co_await as_result(opening));
        opening = {};
        co_await files::read_file(dir / "a");
    }
    for (int i = 0; i < 100 && open_descriptors() > before; ++i) {
        co_await sleep(0.01);
    }
    EXPECT_EQ(open_descriptors(), before);
}

FILE_TEST(SharedFile, does_what_tasks_ask_for_in_that_order) {
    const TemporaryDirectory dir;
    File f = co_await files::open(dir / "a", "w+");
    std::vector<Task<std::size_t>> writes;
    std::string expected;
    for (int i = 0; i < 50; ++i) {
        const std::string piece = std::to_string(i) + " ";
        expected += piece;
        writes.push_back(create_task(f.write(piece)));
    }
    auto seek = create_task(f.seek(0));
    auto first = create_task(f.read(10));
    auto rest = create_task(f.read());
    auto at = create_task(f.tell());

    EXPECT_EQ(co_await first, expected.substr(0, 10));
    EXPECT_EQ(co_await rest, expected.substr(10));
    EXPECT_EQ(co_await at, static_cast<std::int64_t>(expected.size()));
    for (auto& write : writes) {
        co_await write;
    }
    co_await f.close();
}

FILE_TEST(SharedFile, is_closed_after_what_was_asked_for_before) {
    const TemporaryDirectory dir;
    make(dir / "a", std::string(100000, 'y'));
    File f = co_await files::open(dir / "a", "r+");
    auto write = create_task(f.write(std::string(200000, 'x')));
    auto beside = create_task(f.pread(100, 5));
    co_await sleep(0);
    co_await f.close();

    EXPECT_EQ(co_await write, 200000U);
    EXPECT_EQ((co_await beside).size(), 100U);
    EXPECT_EQ(contents(dir / "a").size(), 200000U);
}

// Each operation fails once: nothing is left open, and what was to be replaced is old or new.
TEST(FailingOperations, are_errors_of_whoever_asked_and_leave_nothing_open) {
    int failed = 1;
    for (int number = 1; failed > 0; ++number) {
        SCOPED_TRACE("operation " + std::to_string(number));
        const TemporaryDirectory dir;
        make(dir / "whole", "old");
        const std::size_t before = open_descriptors();
        failed = 0;
        const auto count = [](int& errors, const auto& result) {
            if (!result.has_value()) {
                EXPECT_EQ(describe(result.error()), "OSError(5, 'Input/output error')");
                ++errors;
            }
        };
        run_on_plan({.fail_at = number}, [&]() -> Coroutine<> {
            return [](const TemporaryDirectory& in, int& errors, auto note) -> Coroutine<> {
                auto opened = co_await as_result(files::open(in / "a", "w+"));
                note(errors, opened);
                if (opened.has_value()) {
                    const File f = opened.value();
                    note(errors, co_await as_result(f.write("0123456789")));
                    note(errors, co_await as_result(f.seek(0, SEEK_END)));
                    note(errors, co_await as_result(f.read(2)));
                    note(errors, co_await as_result(f.pwrite("x", 3)));
                    note(errors, co_await as_result(f.pread(3, 1)));
                    note(errors, co_await as_result(f.truncate(4)));
                    note(errors, co_await as_result(f.sync()));
                    note(errors, co_await as_result(f.stat()));
                    note(errors, co_await as_result(f.close()));
                    EXPECT_TRUE(f.closed());
                }
                note(errors, co_await as_result(files::read_file(in / "whole")));
                note(errors,
                     co_await as_result(files::write_file(in / "whole", "new", {.atomic = true})));
            }(dir, failed, count);
        });
        EXPECT_LE(failed, 1);
        EXPECT_EQ(open_descriptors(), before);
        const std::string whole = contents(dir / "whole");
        EXPECT_TRUE(whole == "old" || whole == "new") << whole;
        for (const auto& entry : fs::directory_iterator(dir.path())) {
            EXPECT_FALSE(entry.path().string().ends_with(".tmp")) << entry.path();
        }
    }
}

// The file is the old one or the new one at every step.
FILE_TEST(AtomicWrite, that_is_cancelled_at_any_step_is_done_wholly_or_not_at_all) {
    // Until all loops are closed: what was begun goes on without its task.
    static const TemporaryDirectory dir;
    const std::string fresh(100000, 'n');
    for (int count = 0; count < 30; ++count) {
        make(dir / "a", "old");
        auto writing = create_task(files::write_file(dir / "a", fresh, {.atomic = true}));
        co_await steps(count);
        const std::string before = contents(dir / "a");
        EXPECT_TRUE(before == "old" || before == fresh);
        writing.cancel();
        static_cast<void>(co_await as_result(writing));
        const std::string after = contents(dir / "a");
        EXPECT_TRUE(after == "old" || after == fresh);
    }
}

TEST(ClosedLoop, has_finished_the_writes_that_were_begun) {
    const std::string big(3000000, 'x');
    for (const char* proactor : testing::proactors) {
        const TemporaryDirectory dir;
        const auto main = [](std::string path, std::string text) -> Coroutine<> {
            File f = co_await files::open(path, "w");
            auto writing = create_task(f.write(std::move(text)));
            co_await sleep(0);
            co_await sleep(0);  // begun
        };
        run(main(dir / "a", big), {.proactor = proactor});
        EXPECT_EQ(contents(dir / "a").size(), big.size());
    }
    const TemporaryDirectory dir;
    run_on_plan({.most = 1000000}, [&]() -> Coroutine<> {
        return [](std::string path, std::string text) -> Coroutine<> {
            File f = co_await files::open(path, "w");
            file_plan.hold = true;
            auto writing = create_task(f.write(std::move(text)));
            auto whole = create_task(files::write_file(path + "2", "whole", {.atomic = true}));
            co_await settle();
        }(dir / "a", big);
    });
    EXPECT_EQ(contents(dir / "a").size(), big.size());
    EXPECT_EQ(contents(dir / "a2"), "whole");
    EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 2);
}

TEST(ClosedLoop, closes_the_files_that_are_open) {
    for (const char* proactor : testing::proactors) {
        const TemporaryDirectory dir;
        const std::size_t before = open_descriptors();
        File kept;
        const auto main = [](std::string path, File& file) -> Coroutine<> {
            file = co_await files::open(path, "w");
            auto forever = [](File f) -> Coroutine<> {
                auto ended = co_await as_result(sleep(1000));
                co_await f.write("cleaned up");
            };
            create_task(forever(file));
            co_await sleep(0);
        };
        run(main(dir / "a", kept), {.proactor = proactor});
        EXPECT_EQ(contents(dir / "a"), "cleaned up");
        const auto late = [](File& file) -> Coroutine<std::string> {
            auto written = co_await as_result(file.write("x"));
            co_return describe(written.error());
        };
        EXPECT_EQ(run(late(kept)), "RuntimeError('Event loop is closed')");
        kept = File();
        EXPECT_EQ(open_descriptors(), before);
    }
}

// When a thread gets to it is for the system to say. If the loop ends before, nothing is done; if
// it ends later, the task has failed. So it is given more and more turns, until it was between.
TEST(ClosedLoop, logs_that_a_write_has_failed_which_nobody_waits_for) {
    for (const char* proactor : testing::proactors) {
        const std::vector<std::string> expected{
            "what was done to a file when the event loop was closed has failed: "
            "OSError(28, 'No space left on device')"};
        std::vector<std::string> log;
        set_logger([&log](Level level, std::string_view text) {
            if (level == Level::error) {
                log.emplace_back(text);
            }
        });
        const auto main = [](int turns) -> Coroutine<> {
            create_task(files::write_file("/dev/full", std::string(100'000, 'x')));
            for (int turn = 0; turn < turns; ++turn) {
                co_await sleep(0);
            }
        };
        constexpr int most_turns = 2000;
        for (int turns = 2; turns < most_turns && log != expected; ++turns) {
            log.clear();
            run(main(turns), {.proactor = proactor});
        }
        set_logger(nullptr);
        EXPECT_EQ(log, expected) << proactor;
    }
}

// The kernel was quicker than the cancellation, and nobody was told.
TEST(ClosedLoop, closes_what_was_just_opened) {
    const TemporaryDirectory dir;
    make(dir / "a", "text");
    const std::size_t before = open_descriptors();
    run_on_plan({.hold = true, .too_late = true}, [&]() -> Coroutine<> {
        return [](std::string path) -> Coroutine<> {
            create_task(files::open(path));
            create_task(files::read_file(path));
            create_task(files::write_file(path + "2", "written"));
            co_await settle();
        }(dir / "a");
    });
    EXPECT_EQ(contents(dir / "a2"), "written");
    EXPECT_EQ(open_descriptors(), before);
    // Not by a cancellation, but by the end of the loop.
    const FilePlanScope scope(FilePlan{.hold = true, .too_late = true});
    std::unique_ptr<EventLoop> loop = new_event_loop();
    set_logger([](Level, std::string_view) {});
    loop->run_until_complete([](std::string path) -> Coroutine<> {
        create_task(files::open(path));
        create_task(files::read_file(path));
        co_await settle();
    }(dir / "a"));
    loop->close();
    loop.reset();
    set_logger(nullptr);
    EXPECT_EQ(open_descriptors(), before);
}

FILE_TEST(FullDisk, keeps_what_there_was_room_for) {
    const TemporaryDirectory dir;
    File f = co_await files::open(dir / "a", "w");
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit small{1000, before.rlim_max};
    std::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &small);
    auto written = co_await as_result(f.write(std::string(5000, 'x')));
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, SIG_DFL);

    EXPECT_EQ(describe(written.error()), "OSError(27, 'File too large')");
    EXPECT_EQ(co_await f.tell(), 1000);
    co_await f.write("y");
    co_await f.close();
    EXPECT_EQ(contents(dir / "a"), std::string(1000, 'x') + "y");
}

FILE_TEST(LargeFile, has_positions_beyond_four_gigabytes) {
    constexpr std::int64_t far = (std::int64_t{1} << 32) + 12345;
    const TemporaryDirectory dir;
    File f = co_await files::open(dir / "a", "w+");
    co_await f.seek(far);
    co_await f.write("far");
    EXPECT_EQ(co_await f.tell(), far + 3);
    EXPECT_EQ(co_await f.pread(10, far + 1), "ar");
    EXPECT_EQ(co_await f.seek(-3, SEEK_END), far);
    EXPECT_EQ(co_await f.read(), "far");
    EXPECT_EQ((co_await f.stat()).st_size, far + 3);
    EXPECT_EQ(co_await f.truncate(far + 100), far + 100);
    co_await f.close();
}

// As os.pread() and os.pwrite(): no place before the beginning, and not where the file stands.
FILE_TEST(Files, have_no_places_before_their_beginning) {
    const TemporaryDirectory dir;
    make(dir / "a", "0123456789");
    File f = co_await files::open(dir / "a", "r+");
    for (const std::int64_t offset : {std::int64_t{-1}, std::int64_t{-2}, INT64_MIN}) {
        auto read = co_await as_result(f.pread(3, offset));
        EXPECT_FALSE(read.has_value());
        auto written = co_await as_result(f.pwrite("lost", offset));
        EXPECT_FALSE(written.has_value());
        if (!read.has_value() && !written.has_value()) {
            EXPECT_EQ(describe(read.error()), "OSError(22, 'Invalid argument')");
            EXPECT_EQ(describe(written.error()), "OSError(22, 'Invalid argument')");
        }
    }
    co_await f.close();
    EXPECT_EQ(contents(dir / "a"), "0123456789");
}

FILE_TEST(Files, have_no_places_beyond_what_a_number_can_say) {
    const TemporaryDirectory dir;
    make(dir / "a", "0123456789");
    File f = co_await files::open(dir / "a");
    EXPECT_EQ(co_await f.read(1), "0");
    for (const int whence : {SEEK_CUR, SEEK_END}) {
        auto sought = co_await as_result(f.seek(INT64_MAX, whence));
        EXPECT_FALSE(sought.has_value());
    }
    EXPECT_EQ(co_await f.read(1), "1");
    EXPECT_EQ(co_await f.seek(INT64_MAX), INT64_MAX);
    auto read = co_await as_result(f.read(1));  // nothing, or an error
    EXPECT_TRUE(!read.has_value() || read.value().empty());
    EXPECT_EQ(co_await f.seek(0), 0);
    EXPECT_EQ(co_await f.read(), "0123456789");
    co_await f.close();
}

// It is opened when both ends are; then the loop waits for it, as for any pipe.
ASYNC_TEST(Fifo, is_read_and_written_by_the_loop) {
    const TemporaryDirectory dir;
    const std::string path = dir / "fifo";
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    auto opening = create_task(files::open(path));
    File out = co_await files::open(path, "w");
    File in = co_await opening;
    EXPECT_FALSE(in.seekable());

    auto reading = create_task(in.readline());
    co_await settle();
    EXPECT_FALSE(reading.done());
    co_await out.write("half a ");
    co_await settle();
    reading.cancel();
    co_await settle();
    EXPECT_TRUE(reading.cancelled());
    co_await out.write("line\nmore");
    EXPECT_EQ(co_await in.readline(), "half a line\n");
    auto sought = co_await as_result(in.seek(0));
    EXPECT_EQ(describe(sought.error()), "OSError('underlying stream is not seekable')");
    co_await out.close();
    EXPECT_EQ(co_await in.read(), "more");
    co_await in.close();
}

ASYNC_TEST(Fifo, whose_reader_has_gone_is_a_broken_pipe) {
    const TemporaryDirectory dir;
    const std::string path = dir / "fifo";
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    auto opening = create_task(files::open(path));
    File out = co_await files::open(path, "w");
    File in = co_await opening;
    co_await in.close();
    auto written = co_await as_result(out.write("x"));
    EXPECT_EQ(describe(written.error()), "BrokenPipeError(32, 'Broken pipe')");
    co_await out.close();
}

namespace {

/// A FIFO whose ends are both open.
struct Ends {
    explicit Ends(std::string fifo) : path(std::move(fifo)) {
        EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    }
    Coroutine<> open() {
        auto opening = create_task(files::open(path));
        out = co_await files::open(path, "w");
        in = co_await opening;
    }
    std::string path;
    File in;
    File out;
};

}  // namespace

// Whoever waits for a descriptor keeps it open, and remembers what it knew of its number.
ASYNC_TEST(Fifo, that_was_waited_for_is_closed_at_once) {
    const TemporaryDirectory dir;
    for (int i = 0; i < 3; ++i) {
        Ends ends(dir / std::to_string(i));
        co_await ends.open();
        auto reading = create_task(ends.in.read(1));
        co_await settle();
        reading.cancel();
        co_await settle();
        co_await ends.in.close();
        auto written = co_await as_result(ends.out.write("x"));
        EXPECT_EQ(describe(written.error()), "BrokenPipeError(32, 'Broken pipe')");
        co_await ends.out.close();
    }
}

ASYNC_TEST(Fifo, may_have_the_number_of_one_that_was_closed) {
    const TemporaryDirectory dir;
    std::set<int> numbers;
    for (int i = 0; i < 3; ++i) {
        Ends ends(dir / std::to_string(i));
        co_await ends.open();
        numbers.insert({ends.in.fileno(), ends.out.fileno()});
        for (const char* const text : {"one\n", "two\n"}) {
            auto reading = create_task(ends.in.readline());
            co_await settle();
            EXPECT_FALSE(reading.done());
            co_await ends.out.write(text);
            auto line = co_await as_result(wait_for(reading, 10));
            EXPECT_EQ(line.has_value() ? line.value() : "nothing", text);
        }
        co_await ends.in.close();
        co_await ends.out.close();
    }
    EXPECT_LT(numbers.size(), 6U);
}

// An open of a FIFO waits for its other end; however many do, others have threads to work with.
ASYNC_TEST(Fifo, that_nobody_opens_at_the_other_end_holds_up_no_other_file) {
    const TemporaryDirectory dir;
    const std::string path = dir / "fifo";
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    std::vector<Task<File>> opening;
    for (int i = 0; i < 40; ++i) {
        opening.push_back(create_task(files::open(path)));
    }
    auto reading = create_task(files::read_file(path));
    auto writing = create_task(files::write_file(dir / "a", "text"));
    auto written = co_await as_result(wait_for(writing, 1000));
    EXPECT_TRUE(written.has_value());
    EXPECT_EQ(contents(dir / "a"), "text");
    {
        auto out = co_await as_result(wait_for(files::open(path, "w"), 1000));
        EXPECT_TRUE(out.has_value());
        for (Task<File>& each : opening) {
            auto opened = co_await as_result(wait_for(each, 1000));
            EXPECT_TRUE(opened.has_value());
        }
        if (out.has_value()) {
            co_await out.value().write("for all of them");
            co_await out.value().close();
        }
    }
    auto read = co_await as_result(wait_for(reading, 1000));
    EXPECT_TRUE(read.has_value());
}

ASYNC_TEST(Fifo, whose_opening_is_cancelled_holds_up_no_other_file) {
    const TemporaryDirectory dir;
    const std::string path = dir / "fifo";
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    // Their threads, or the kernel's, are in the middle of it when they are cancelled.
    std::vector<Task<File>> opening;
    for (int i = 0; i < 40; ++i) {
        opening.push_back(create_task(files::open(path)));
    }
    for (int i = 0; i < 1'000 && patient_threads() < 40; ++i) {
        co_await sleep(0);
    }
    for (Task<File>& each : opening) {
        each.cancel();
    }
    co_await steps(3);
    auto written = co_await as_result(wait_for(files::write_file(dir / "a", "text"), 1000));
    EXPECT_TRUE(written.has_value());
}

ASYNC_TEST(UnclosedFile, is_told_of_in_debug_mode) {
    const TemporaryDirectory dir;
    std::vector<std::string> log;
    set_logger([&log](Level, std::string_view text) { log.emplace_back(text); });
    get_running_loop().set_debug(true);
    { const File f = co_await files::open(dir / "a", "w"); }
    {
        const File f = co_await files::open(dir / "a", "w");
        co_await f.close();
    }
    get_running_loop().set_debug(false);
    set_logger(nullptr);
    EXPECT_EQ(log, std::vector<std::string>{"unclosed <File '" + (dir / "a") + "'>"});
}

}  // namespace asyncio
