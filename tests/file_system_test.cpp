// file_system_test.cpp - what os and shutil do with paths, without blocking the loop.
//
// SPDX-License-Identifier: MIT
#include "support/file_proactor.hpp"

#include <asyncio/files.hpp>
#include <asyncio/tasks.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <sys/stat.h>

namespace asyncio {

namespace fs = std::filesystem;

using testing::TemporaryDirectory;

namespace {

void make(const std::string& path, std::string_view contents) {
    std::ofstream(path, std::ios::binary) << contents;
}

std::string contents(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

template <class T>
Coroutine<std::string> error_of(Coroutine<T> coroutine) {
    auto result = co_await as_result(std::move(coroutine));
    if (result.has_value()) {
        co_return "none";
    }
    try {
        std::rethrow_exception(result.error());
    } catch (const std::exception& error) {
        co_return error.what();
    }
}

}  // namespace

FILE_TEST(Stat, says_what_a_file_is) {
    const TemporaryDirectory dir;
    make(dir / "a", "12345");
    fs::create_symlink("a", dir / "link");
    struct stat expected{};
    ::stat((dir / "a").c_str(), &expected);

    const files::Stat stat = co_await files::stat(dir / "a");
    EXPECT_TRUE(stat.is_file());
    EXPECT_FALSE(stat.is_dir() || stat.is_symlink());
    EXPECT_EQ(stat.st_size, 5);
    EXPECT_EQ(stat.st_mode, expected.st_mode);
    EXPECT_EQ(stat.st_ino, expected.st_ino);
    EXPECT_EQ(stat.st_dev, expected.st_dev);
    EXPECT_EQ(stat.st_nlink, 1U);
    EXPECT_EQ(stat.st_uid, expected.st_uid);
    EXPECT_EQ(stat.st_mtime_ns, expected.st_mtim.tv_sec * 1'000'000'000 + expected.st_mtim.tv_nsec);
    EXPECT_TRUE((co_await files::stat(dir.path())).is_dir());
    EXPECT_TRUE((co_await files::stat(dir / "link")).is_file());
    EXPECT_TRUE((co_await files::stat(dir / "link", {.follow_symlinks = false})).is_symlink());
    EXPECT_EQ(co_await error_of(files::stat(dir / "x")),
              "stat '" + (dir / "x") + "': No such file or directory");
}

FILE_TEST(Exists, is_false_for_what_cannot_be_looked_at) {
    const TemporaryDirectory dir;
    make(dir / "a", "");
    fs::create_symlink("nowhere", dir / "link");
    EXPECT_TRUE(co_await files::exists(dir / "a"));
    EXPECT_TRUE(co_await files::exists(dir.path()));
    EXPECT_FALSE(co_await files::exists(dir / "b"));
    EXPECT_FALSE(co_await files::exists(dir / "link"));
    EXPECT_FALSE(co_await files::exists(dir / "a/b"));
}

FILE_TEST(Rename, replaces_and_says_both_names_if_it_cannot) {
    const TemporaryDirectory dir;
    make(dir / "a", "new");
    make(dir / "b", "old");
    co_await files::rename(dir / "a", dir / "b");
    EXPECT_EQ(contents(dir / "b"), "new");
    EXPECT_FALSE(fs::exists(dir / "a"));
    co_await files::replace(dir / "b", dir / "c");
    EXPECT_EQ(contents(dir / "c"), "new");
    EXPECT_EQ(co_await error_of(files::rename(dir / "a", dir / "d")),
              "rename '" + (dir / "a") + "' -> '" + (dir / "d") + "': No such file or directory");
}

FILE_TEST(Remove, is_for_files_and_rmdir_for_directories) {
    const TemporaryDirectory dir;
    make(dir / "a", "");
    make(dir / "b", "");
    fs::create_directories(dir / "d/e");
    co_await files::remove(dir / "a");
    co_await files::unlink(dir / "b");
    EXPECT_EQ(co_await error_of(files::remove(dir / "a")),
              "remove '" + (dir / "a") + "': No such file or directory");
    EXPECT_EQ(co_await error_of(files::remove(dir / "d")),
              "remove '" + (dir / "d") + "': Is a directory");
    EXPECT_EQ(co_await error_of(files::rmdir(dir / "d")),
              "rmdir '" + (dir / "d") + "': Directory not empty");
    co_await files::rmdir(dir / "d/e");
    co_await files::rmdir(dir / "d");
    EXPECT_TRUE(fs::is_empty(dir.path()));
}

FILE_TEST(MakeDirectory, makes_one_and_makedirs_those_above) {
    const TemporaryDirectory dir;
    co_await files::mkdir(dir / "a", 0700);
    EXPECT_EQ(fs::status(dir / "a").permissions(), fs::perms::owner_all);
    EXPECT_EQ(co_await error_of(files::mkdir(dir / "a")),
              "mkdir '" + (dir / "a") + "': File exists");
    EXPECT_EQ(co_await error_of(files::mkdir(dir / "x/y")),
              "mkdir '" + (dir / "x/y") + "': No such file or directory");

    co_await files::makedirs(dir / "b/c/d/");
    EXPECT_TRUE(fs::is_directory(dir / "b/c/d"));
    EXPECT_EQ(co_await error_of(files::makedirs(dir / "b/c")),
              "mkdir '" + (dir / "b/c") + "': File exists");
    co_await files::makedirs(dir / "b/c", {.exist_ok = true});
    make(dir / "file", "");
    EXPECT_EQ(co_await error_of(files::makedirs(dir / "file", {.exist_ok = true})),
              "mkdir '" + (dir / "file") + "': File exists");
    EXPECT_EQ(co_await error_of(files::makedirs(dir / "file/x")),
              "mkdir '" + (dir / "file/x") + "': Not a directory");
}

FILE_TEST(Links, are_made_and_read) {
    const TemporaryDirectory dir;
    make(dir / "a", "text");
    const std::string far(1000, 'x');
    co_await files::symlink("a", dir / "link");
    co_await files::symlink(far, dir / "far");
    co_await files::link(dir / "a", dir / "other");
    EXPECT_EQ(co_await files::readlink(dir / "link"), "a");
    EXPECT_EQ(co_await files::readlink(dir / "far"), far);
    EXPECT_EQ(contents(dir / "link"), "text");
    EXPECT_EQ(fs::hard_link_count(dir / "a"), 2U);
    EXPECT_EQ(co_await error_of(files::readlink(dir / "a")),
              "readlink '" + (dir / "a") + "': Invalid argument");
    EXPECT_EQ(co_await error_of(files::symlink("b", dir / "link")),
              "symlink 'b' -> '" + (dir / "link") + "': File exists");
}

FILE_TEST(Chmod, changes_permissions) {
    const TemporaryDirectory dir;
    make(dir / "a", "");
    co_await files::chmod(dir / "a", 0640);
    EXPECT_EQ((co_await files::stat(dir / "a")).st_mode & 07777, 0640U);
    EXPECT_EQ(co_await error_of(files::chmod(dir / "x", 0)),
              "chmod '" + (dir / "x") + "': No such file or directory");
}

FILE_TEST(Directories, are_listed) {
    const TemporaryDirectory dir;
    make(dir / "a", "");
    fs::create_directory(dir / "d");
    fs::create_symlink("a", dir / "link");

    std::vector<std::string> names = co_await files::listdir(dir.path());
    std::sort(names.begin(), names.end());
    EXPECT_EQ(names, (std::vector<std::string>{"a", "d", "link"}));

    std::vector<files::DirEntry> entries = co_await files::scandir(dir.path());
    std::sort(entries.begin(), entries.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    EXPECT_EQ(entries.size(), 3U);
    EXPECT_TRUE(entries[0].is_file() && entries[1].is_dir() && entries[2].is_symlink());
    EXPECT_EQ(entries[0].path, dir / "a");
    EXPECT_NE(entries[0].inode, 0U);
    EXPECT_EQ(co_await error_of(files::listdir(dir / "a")),
              "scandir '" + (dir / "a") + "': Not a directory");
}

FILE_TEST(CopyFile, copies_contents_of_any_kind) {
    const TemporaryDirectory dir;
    const std::string text(3000000, 'x');
    make(dir / "a", text);
    make(dir / "b", std::string(4000000, 'y'));
    co_await files::copyfile(dir / "a", dir / "b");
    EXPECT_TRUE(contents(dir / "b") == text);
    co_await files::copyfile("/proc/self/status", dir / "c");
    EXPECT_EQ(contents(dir / "c").substr(0, 5), "Name:");

    EXPECT_EQ(co_await error_of(files::copyfile(dir / "x", dir / "y")),
              "open '" + (dir / "x") + "': No such file or directory");
    EXPECT_EQ(co_await error_of(files::copyfile(dir.path(), dir / "y")),
              "copyfile '" + dir.path() + "': Is a directory");
    fs::create_symlink("a", dir / "link");
    EXPECT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
    for (const bool from : {true, false}) {
        auto copied = from ? files::copyfile(dir / "fifo", dir / "y")
                           : files::copyfile(dir / "a", dir / "fifo");
        EXPECT_EQ(co_await error_of(std::move(copied)), "`" + (dir / "fifo") + "` is a named pipe");
    }
    EXPECT_EQ(co_await error_of(files::copyfile(dir / "a", dir / "link")),
              "'" + (dir / "a") + "' and '" + (dir / "link") + "' are the same file");
    EXPECT_TRUE(contents(dir / "a") == text);
}

TEST(Paths, with_a_nul_in_them_are_value_errors) {
    const std::string_view path("a\0b", 3);
    EXPECT_THROW(static_cast<void>(files::stat(path)), std::invalid_argument);
    EXPECT_THROW(static_cast<void>(files::rename("a", path)), std::invalid_argument);
    EXPECT_THROW(static_cast<void>(files::read_file(path)), std::invalid_argument);
    EXPECT_THROW(static_cast<void>(files::write_file(path, "")), std::invalid_argument);
    EXPECT_THROW(static_cast<void>(files::listdir(path)), std::invalid_argument);
}

}  // namespace asyncio
