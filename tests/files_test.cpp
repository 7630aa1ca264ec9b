// files_test.cpp - files::open(), File, and whole files.
//
// SPDX-License-Identifier: MIT
#include "support/file_proactor.hpp"
#include "support/observe.hpp"

#include <asyncio/files.hpp>
#include <asyncio/tasks.hpp>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace asyncio {

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

std::string numbers(int count) {
    std::string text;
    for (int i = 0; i < count; ++i) {
        text += std::to_string(i) + "\n";
    }
    return text;
}

/// What awaiting it throws.
template <class T>
Coroutine<std::string> error_of(Coroutine<T> coroutine) {
    auto result = co_await as_result(std::move(coroutine));
    co_return describe(result.error());
}

}  // namespace

FILE_TEST(Files, are_read_whole) {
    const TemporaryDirectory dir;
    make(dir / "a", "one\ntwo\n");

    File f = co_await files::open(dir / "a");
    EXPECT_EQ(co_await f.read(), "one\ntwo\n");
    EXPECT_EQ(co_await f.read(), "");
    co_await f.close();
    EXPECT_TRUE(f.closed());
}

FILE_TEST(Files, are_read_in_pieces_of_any_size) {
    const TemporaryDirectory dir;
    const std::string text = numbers(3000);
    make(dir / "a", text);

    for (const std::ptrdiff_t size : {1, 7, 4096, 100000}) {
        File f = co_await files::open(dir / "a");
        std::string all;
        const std::ptrdiff_t most = size < 7 ? 100 : 1 << 20;
        while (static_cast<std::ptrdiff_t>(all.size()) < most) {
            const std::string piece = co_await f.read(size);
            all += piece;
            if (static_cast<std::ptrdiff_t>(piece.size()) < size) {
                break;
            }
        }
        EXPECT_EQ(all, text.substr(0, all.size()));
        EXPECT_EQ(all.size(), size < 7 ? 100 : text.size());
        EXPECT_EQ(co_await f.tell(), static_cast<std::int64_t>(all.size()));
        co_await f.close();
    }
}

FILE_TEST(Files, are_read_line_by_line) {
    const TemporaryDirectory dir;
    make(dir / "a", "one\n\nthree");
    File f = co_await files::open(dir / "a", "rb");

    EXPECT_EQ(co_await f.readline(), "one\n");
    EXPECT_EQ(co_await f.tell(), 4);
    EXPECT_EQ(co_await f.readline(), "\n");
    EXPECT_EQ(co_await f.readline(), "three");
    EXPECT_EQ(co_await f.readline(), "");
    co_await f.close();
}

FILE_TEST(Files, are_iterated_over_by_line) {
    const TemporaryDirectory dir;
    const std::string text = numbers(20000) + std::string(300000, 'x') + "\n" + "end";
    make(dir / "a", text);
    File f = co_await files::open(dir / "a");

    std::string all;
    int lines = 0;
    while (auto line = co_await f.next()) {
        all += *line;
        ++lines;
    }

    EXPECT_EQ(lines, 20002);
    EXPECT_TRUE(all == text);
    co_await f.close();
}

FILE_TEST(Files, give_all_lines_at_once) {
    const TemporaryDirectory dir;
    make(dir / "a", "one\ntwo\n\nfour");
    File f = co_await files::open(dir / "a");

    const auto lines = co_await f.readlines();
    EXPECT_EQ(lines, (std::vector<std::string>{"one\n", "two\n", "\n", "four"}));
    co_await f.close();
}

FILE_TEST(Files, are_read_into_memory_of_the_callers) {
    const TemporaryDirectory dir;
    make(dir / "a", "0123456789");
    File f = co_await files::open(dir / "a");
    char buffer[8] = {};

    EXPECT_EQ(co_await f.read_into(buffer), 8U);
    EXPECT_EQ(std::string(buffer, 8), "01234567");
    EXPECT_EQ(co_await f.read_into(buffer), 2U);
    EXPECT_EQ(co_await f.read_into(buffer), 0U);
    co_await f.close();
}

FILE_TEST(Files, are_written_and_read_back) {
    const TemporaryDirectory dir;
    const std::string big(100000, 'x');

    File f = co_await files::open(dir / "a", "w+");
    EXPECT_EQ(co_await f.write("hello "), 6U);
    std::string moved = "world\n";
    EXPECT_EQ(co_await f.write(std::move(moved)), 6U);
    EXPECT_EQ(co_await f.write(std::string_view()), 0U);
    const std::vector<std::string_view> lines{"a\n", "b\n"};
    co_await f.writelines(lines);
    const std::vector<std::string> strings{"c\n", big};
    co_await f.writelines(strings);
    EXPECT_EQ(co_await f.seek(0), 0);
    const std::string all = co_await f.read();
    EXPECT_TRUE(all == "hello world\na\nb\nc\n" + big);
    co_await f.sync();
    co_await f.datasync();
    co_await f.flush();
    co_await f.close();

    EXPECT_TRUE(contents(dir / "a") == all);
}

FILE_TEST(Files, have_the_modes_of_pythons_open) {
    const TemporaryDirectory dir;
    make(dir / "old", "old");

    File f = co_await files::open(dir / "old", "r+");
    EXPECT_EQ(co_await f.read(1), "o");
    co_await f.write("L");
    EXPECT_EQ(co_await f.read(), "d");
    co_await f.close();
    EXPECT_EQ(contents(dir / "old"), "oLd");

    f = co_await files::open(dir / "old", "a+");
    EXPECT_EQ(co_await f.tell(), 3);
    co_await f.write("er");
    EXPECT_EQ(co_await f.tell(), 5);
    co_await f.seek(0);
    EXPECT_EQ(co_await f.read(2), "oL");
    co_await f.write("!");
    EXPECT_EQ(co_await f.tell(), 6);
    co_await f.close();
    EXPECT_EQ(contents(dir / "old"), "oLder!");

    f = co_await files::open(dir / "old", "w");
    co_await f.write("new");
    EXPECT_EQ(co_await error_of(f.read()), "OSError('not readable')");
    co_await f.close();
    EXPECT_EQ(contents(dir / "old"), "new");

    EXPECT_EQ(co_await error_of(files::open(dir / "old", "x")),
              "FileExistsError(17, 'File exists')");
    f = co_await files::open(dir / "fresh", "x");
    co_await f.close();

    f = co_await files::open(dir / "old", "rt");
    EXPECT_EQ(co_await error_of(f.write("x")), "OSError('not writable')");
    EXPECT_EQ(co_await error_of(f.truncate()), "OSError('not writable')");
    co_await f.close();
}

TEST(FileModes, that_are_none_are_value_errors_as_in_python) {
    const auto text = [](std::string_view mode) {
        try {
            static_cast<void>(files::open("x", mode));
        } catch (const std::invalid_argument& error) {
            return std::string(error.what());
        }
        return std::string("none");
    };
    EXPECT_EQ(text("z"), "invalid mode: 'z'");
    EXPECT_EQ(text("rr"), "invalid mode: 'rr'");
    EXPECT_EQ(text("rw"), "must have exactly one of create/read/write/append mode");
    EXPECT_EQ(text("rbt"), "can't have text and binary mode at once");
    EXPECT_EQ(text("b"),
              "Must have exactly one of create/read/write/append mode and at most one plus");
    EXPECT_THROW(static_cast<void>(files::open(std::string_view("a\0b", 3))),
                 std::invalid_argument);
}

FILE_TEST(Files, say_which_file_it_is_that_is_not_there) {
    const TemporaryDirectory dir;
    const std::string path = dir / "missing";
    try {
        co_await files::open(path);
        ADD_FAILURE();
    } catch (const FileNotFoundError& error) {
        EXPECT_EQ(error.error_number(), ENOENT);
        EXPECT_EQ(error.what(), "open '" + path + "': No such file or directory");
    }
}

FILE_TEST(Files, are_no_directories) {
    const TemporaryDirectory dir;
    for (const char* mode : {"r", "w", "r+"}) {
        EXPECT_EQ(co_await error_of(files::open(dir.path(), mode)),
                  "IsADirectoryError(21, 'Is a directory')");
    }
}

FILE_TEST(Files, can_be_moved_about_in) {
    const TemporaryDirectory dir;
    make(dir / "a", "0123456789");
    File f = co_await files::open(dir / "a", "r+");

    EXPECT_EQ(co_await f.seek(-3, SEEK_END), 7);
    EXPECT_EQ(co_await f.read(1), "7");
    EXPECT_EQ(co_await f.seek(-2, SEEK_CUR), 6);
    EXPECT_EQ(co_await f.read(2), "67");
    EXPECT_EQ(co_await f.seek(1), 1);
    EXPECT_EQ(co_await f.read(2), "12");
    EXPECT_EQ(co_await f.seek(100), 100);
    EXPECT_EQ(co_await f.read(2), "");
    EXPECT_EQ(co_await error_of(f.seek(-1)), "OSError(22, 'Invalid argument')");
    EXPECT_EQ(co_await error_of(f.seek(0, 7)),
              "ValueError('invalid whence (7, should be 0, 1 or 2)')");
    EXPECT_EQ(co_await f.tell(), 100);
    co_await f.close();
}

FILE_TEST(Files, can_be_cut_off) {
    const TemporaryDirectory dir;
    make(dir / "a", "0123456789");
    File f = co_await files::open(dir / "a", "r+");

    EXPECT_EQ(co_await f.read(4), "0123");
    EXPECT_EQ(co_await f.truncate(), 4);
    EXPECT_EQ(co_await f.read(), "");
    EXPECT_EQ(co_await f.truncate(6), 6);
    EXPECT_EQ(co_await f.tell(), 4);
    EXPECT_EQ((co_await f.stat()).st_size, 6);
    co_await f.close();
    EXPECT_EQ(contents(dir / "a"), std::string("0123\0\0", 6));
}

FILE_TEST(Files, are_read_and_written_at_any_place_beside_the_position) {
    const TemporaryDirectory dir;
    make(dir / "a", "0123456789");
    File f = co_await files::open(dir / "a", "r+");

    EXPECT_EQ(co_await f.read(1), "0");  // the rest is read ahead
    EXPECT_EQ(co_await f.pwrite("ab", 2), 2U);
    auto [first, second] = co_await gather(f.pread(3, 1), f.pread(100, 8));
    EXPECT_EQ(first, "1ab");
    EXPECT_EQ(second, "89");
    EXPECT_EQ(co_await f.pread(0, 0), "");
    EXPECT_EQ(co_await f.read(3), "1ab");
    co_await f.close();
}

FILE_TEST(Files, cannot_be_used_once_they_are_closed) {
    const TemporaryDirectory dir;
    const std::string closed = "ValueError('I/O operation on closed file.')";
    File f = co_await files::open(dir / "a", "w+");
    EXPECT_GE(f.fileno(), 0);
    EXPECT_EQ(f.mode(), "w+");
    EXPECT_EQ(f.name(), dir / "a");
    EXPECT_TRUE(f.readable() && f.writable() && f.seekable());
    co_await f.close();
    co_await f.close();

    EXPECT_EQ(co_await error_of(f.read()), closed);
    EXPECT_EQ(co_await error_of(f.write("x")), closed);
    EXPECT_EQ(co_await error_of(f.seek(0)), closed);
    EXPECT_EQ(co_await error_of(f.tell()), closed);
    EXPECT_EQ(co_await error_of(f.flush()), closed);
    EXPECT_EQ(co_await error_of(f.sync()), closed);
    EXPECT_EQ(co_await error_of(f.truncate()), closed);
    EXPECT_EQ(co_await error_of(f.stat()), closed);
    EXPECT_THROW(static_cast<void>(f.fileno()), std::invalid_argument);
    const File none;
    EXPECT_TRUE(none.closed());
    EXPECT_EQ(co_await error_of(none.read()), closed);
}

FILE_TEST(Files, are_closed_by_with) {
    const TemporaryDirectory dir;
    File kept;
    File f = co_await files::open(dir / "a", "w");
    co_await with(f, [&kept](File& file) -> Coroutine<> {
        kept = file;
        co_await file.write("x");
    });

    EXPECT_TRUE(kept.closed());
    EXPECT_EQ(contents(dir / "a"), "x");
}

FILE_TEST(Files, are_closed_when_the_last_handle_goes) {
    const TemporaryDirectory dir;
    int fd = -1;
    {
        File f = co_await files::open(dir / "a", "w");
        fd = f.fileno();
        const File copy = f;
        f = File();
        EXPECT_EQ(::fcntl(fd, F_GETFD), FD_CLOEXEC);
    }
    EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
}

FILE_TEST(Files, of_proc_are_read_though_they_claim_to_be_empty) {
    File f = co_await files::open("/proc/self/status");
    const std::string text = co_await f.read();
    EXPECT_EQ(text.substr(0, 6), "Name:\t");
    EXPECT_GT(text.size(), 500U);
    co_await f.close();
    EXPECT_EQ((co_await files::read_file("/proc/self/status")).substr(0, 6), "Name:\t");
}

FILE_TEST(Files, without_an_end_are_read_as_far_as_asked) {
    File f = co_await files::open("/dev/zero");
    EXPECT_EQ(co_await f.read(100000), std::string(100000, '\0'));
    co_await f.close();
    f = co_await files::open("/dev/full", "w");
    EXPECT_EQ(co_await error_of(f.write("x")), "OSError(28, 'No space left on device')");
    co_await f.close();
}

FILE_TEST(WholeFiles, are_written_and_read) {
    const TemporaryDirectory dir;
    const std::string text = numbers(30000);

    co_await files::write_file(dir / "a", text);
    const std::string read = co_await files::read_file(dir / "a");
    EXPECT_TRUE(read == text);
    co_await files::write_file(dir / "a", "short", {.sync = true});
    EXPECT_EQ(co_await files::read_file(dir / "a"), "short");
    co_await files::write_file(dir / "a", "");
    EXPECT_EQ(co_await files::read_file(dir / "a"), "");
    EXPECT_EQ(co_await error_of(files::read_file(dir / "missing")),
              "FileNotFoundError(2, 'No such file or directory')");
    EXPECT_EQ(co_await error_of(files::write_file(dir / "no/file", "x")),
              "FileNotFoundError(2, 'No such file or directory')");
    EXPECT_EQ(co_await error_of(files::read_file(dir.path())),
              "IsADirectoryError(21, 'Is a directory')");
}

FILE_TEST(WholeFiles, are_replaced_at_one_blow) {
    const TemporaryDirectory dir;
    make(dir / "a", "old");
    ::chmod((dir / "a").c_str(), 0600);

    co_await files::write_file(dir / "a", "new", {.atomic = true});
    co_await files::write_file(dir / "b", "fresh", {.atomic = true, .permissions = 0640});

    EXPECT_EQ(contents(dir / "a"), "new");
    EXPECT_EQ((co_await files::stat(dir / "a")).st_mode & 07777, 0600U);
    EXPECT_EQ(contents(dir / "b"), "fresh");
    EXPECT_EQ((co_await files::listdir(dir.path())).size(), 2U);
}

}  // namespace asyncio
