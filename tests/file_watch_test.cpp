// file_watch_test.cpp - files::watch().
//
// SPDX-License-Identifier: MIT
#include "support/file_proactor.hpp"

#include <asyncio/file_watch.hpp>
#include <asyncio/files.hpp>
#include <asyncio/tasks.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace asyncio {

namespace fs = std::filesystem;

using files::Change;
using files::Watch;
using files::WatchEvent;
using testing::settle;
using testing::TemporaryDirectory;

namespace {

void touch(const std::string& path) {
    const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY, 0600);
    ::close(fd);
}

void append(const std::string& path) {
    std::ofstream(path, std::ios::app) << "x";
}

std::string text_of(const WatchEvent& event, const TemporaryDirectory& dir) {
    static const std::vector<std::pair<Change, const char*>> names{
        {Change::created, "created"},       {Change::modified, "modified"},
        {Change::written, "written"},       {Change::attributes, "attributes"},
        {Change::deleted, "deleted"},       {Change::moved, "moved"},
        {Change::overflowed, "overflowed"},
    };
    std::string text;
    for (const auto& [change, name] : names) {
        text += change == event.change ? name : "";
    }
    const auto below = [&dir](const std::string& path) {
        return path.starts_with(dir.path() + "/") ? path.substr(dir.path().size() + 1) : path;
    };
    text += event.is_directory ? " directory " : " ";
    return text + (event.from.empty() ? "" : below(event.from) + " -> ") + below(event.path);
}

/// The next `count` events.
Coroutine<std::vector<std::string>> next(Watch& watch, const TemporaryDirectory& dir, int count) {
    std::vector<std::string> texts;
    for (int i = 0; i < count; ++i) {
        const std::optional<WatchEvent> event = co_await watch.next();
        texts.push_back(event.has_value() ? text_of(*event, dir) : "end");
    }
    co_return std::move(texts);
}

using Texts = std::vector<std::string>;

}  // namespace

ASYNC_TEST(Watch, tells_what_happens_to_the_names_in_a_directory) {
    const TemporaryDirectory dir;
    Watch watch = co_await files::watch(dir.path());

    touch(dir / "a");
    append(dir / "a");
    fs::rename(dir / "a", dir / "b");
    fs::remove(dir / "b");
    fs::create_directory(dir / "d");

    const Texts texts = co_await next(watch, dir, 5);
    EXPECT_EQ(texts, (Texts{"created a", "modified a", "moved a -> b", "deleted b",
                            "created directory d"}));
}

ASYNC_TEST(Watch, tells_what_happens_to_a_file) {
    const TemporaryDirectory dir;
    touch(dir / "a");
    touch(dir / "other");
    constexpr Change all = Change::modified | Change::written | Change::attributes |
                           Change::deleted | Change::moved | Change::created;
    Watch watch = co_await files::watch(dir / "a", {.mask = all});

    append(dir / "other");
    append(dir / "a");
    ::chmod((dir / "a").c_str(), 0644);
    fs::remove(dir / "a");

    // How many times the attributes have changed is for the system to say.
    Texts texts;
    do {
        const Texts one = co_await next(watch, dir, 1);
        if (texts.empty() || texts.back() != one.front()) {
            texts.push_back(one.front());
        }
    } while (texts.back() != "end");
    EXPECT_EQ(texts, (Texts{"modified a", "written a", "attributes a", "deleted a", "end"}));
}

ASYNC_TEST(Watch, tells_only_what_it_is_asked_for) {
    const TemporaryDirectory dir;
    Watch watch = co_await files::watch(dir.path(), {.mask = Change::deleted});

    touch(dir / "a");
    append(dir / "a");
    fs::rename(dir / "a", dir / "b");
    fs::remove(dir / "b");

    const Texts texts = co_await next(watch, dir, 1);
    EXPECT_EQ(texts, Texts{"deleted b"});
}

ASYNC_TEST(Watch, sees_what_is_moved_in_and_out_as_created_and_deleted) {
    const TemporaryDirectory dir;
    const TemporaryDirectory outside;
    touch(outside / "in");
    touch(dir / "out");
    Watch watch = co_await files::watch(dir.path());

    fs::rename(outside / "in", dir / "in");
    fs::rename(dir / "out", outside / "out");

    const Texts texts = co_await next(watch, dir, 2);
    EXPECT_EQ(texts, (Texts{"created in", "deleted out"}));
}

// What leaves and what comes are halves of the same move only if the system says so.
ASYNC_TEST(Watch, does_not_take_one_file_for_another_that_comes_when_it_goes) {
    const TemporaryDirectory dir;
    const TemporaryDirectory outside;
    touch(outside / "in");
    touch(dir / "out");
    touch(dir / "a");
    Watch watch = co_await files::watch(dir.path());

    fs::rename(dir / "out", outside / "out");
    fs::rename(outside / "in", dir / "in");
    fs::rename(dir / "a", dir / "b");

    const Texts texts = co_await next(watch, dir, 3);
    EXPECT_EQ(texts, (Texts{"deleted out", "created in", "moved a -> b"}));

    // Of one name the order says whether it is there.
    fs::rename(dir / "in", outside / "in");
    fs::rename(outside / "out", dir / "in");
    fs::rename(dir / "b", outside / "b");
    touch(dir / "b");
    const Texts same = co_await next(watch, dir, 4);
    EXPECT_EQ(same, (Texts{"deleted in", "created in", "deleted b", "created b"}));
}

ASYNC_TEST(Watch, of_several_paths_tells_of_all) {
    const TemporaryDirectory dir;
    fs::create_directory(dir / "a");
    fs::create_directory(dir / "b");
    const std::vector<std::string> paths{dir / "a", dir / "b"};
    Watch watch = co_await files::watch(paths);

    touch(dir / "a/x");
    touch(dir / "b/y");
    fs::rename(dir / "a/x", dir / "b/x");

    const Texts texts = co_await next(watch, dir, 3);
    EXPECT_EQ(texts, (Texts{"created a/x", "created b/y", "moved a/x -> b/x"}));
}

ASYNC_TEST(Watch, of_a_tree_tells_what_is_below) {
    const TemporaryDirectory dir;
    fs::create_directories(dir / "a/b/c");
    Watch watch = co_await files::watch(dir.path(), {.recursive = true});

    touch(dir / "a/b/c/x");
    fs::rename(dir / "a/b", dir / "a/renamed");
    touch(dir / "a/renamed/c/y");
    fs::remove_all(dir / "a/renamed/c");

    const Texts texts = co_await next(watch, dir, 3);
    EXPECT_EQ(texts, (Texts{"created a/b/c/x", "moved directory a/b -> a/renamed",
                            "created a/renamed/c/y"}));
    const Texts rest = co_await next(watch, dir, 3);
    EXPECT_EQ(std::count(rest.begin(), rest.end(), "deleted directory a/renamed/c"), 1);
}

// Nobody could watch the directory between its making and that of what is in it.
ASYNC_TEST(Watch, of_a_tree_misses_nothing_in_a_directory_that_was_just_made) {
    const TemporaryDirectory dir;
    Watch watch = co_await files::watch(dir.path(), {.recursive = true});

    fs::create_directories(dir / "a/b");
    touch(dir / "a/x");
    touch(dir / "a/b/y");
    std::set<std::string> seen;
    while (seen.size() < 4) {
        const Texts one = co_await next(watch, dir, 1);
        EXPECT_TRUE(seen.insert(one.front()).second) << one.front() << " is told of twice";
    }
    EXPECT_EQ(seen, (std::set<std::string>{"created directory a", "created directory a/b",
                                           "created a/x", "created a/b/y"}));

    touch(dir / "a/b/z");
    fs::remove(dir / "a/x");
    touch(dir / "a/x");
    const Texts texts = co_await next(watch, dir, 3);
    EXPECT_EQ(texts, (Texts{"created a/b/z", "deleted a/x", "created a/x"}));
}

ASYNC_TEST(Watch, of_a_tree_forgets_what_was_moved_out_of_it) {
    const TemporaryDirectory dir;
    const TemporaryDirectory outside;
    fs::create_directories(dir / "a/b");
    Watch watch = co_await files::watch(dir.path(), {.recursive = true});

    fs::rename(dir / "a", outside / "a");
    Texts texts = co_await next(watch, dir, 1);
    EXPECT_EQ(texts, Texts{"deleted directory a"});
    touch(outside / "a/b/x");
    touch(dir / "last");
    texts = co_await next(watch, dir, 1);
    EXPECT_EQ(texts, Texts{"created last"});
}

// The name of a directory that was moved away is free for another one.
ASYNC_TEST(Watch, of_a_tree_tells_of_a_directory_made_in_the_place_of_one_that_was_moved) {
    const TemporaryDirectory dir;
    const TemporaryDirectory outside;
    Watch watch = co_await files::watch(dir.path(), {.recursive = true});
    for (const bool out : {false, true}) {
        fs::create_directory(dir / "a");
        touch(dir / "a/x");
        Texts texts = co_await next(watch, dir, 2);
        EXPECT_EQ(texts, (Texts{"created directory a", "created a/x"}));
        fs::rename(dir / "a", out ? outside / "a" : dir / "b");
        texts = co_await next(watch, dir, 1);
        EXPECT_EQ(texts, Texts{out ? "deleted directory a" : "moved directory a -> b"});
    }
}

ASYNC_TEST(Watch, waits_for_what_happens_later) {
    const TemporaryDirectory dir;
    Watch watch = co_await files::watch(dir.path());
    auto waiting = create_task(watch.next());
    co_await settle();
    EXPECT_FALSE(waiting.done());

    touch(dir / "a");

    const std::optional<WatchEvent> event = co_await waiting;
    EXPECT_EQ(text_of(*event, dir), "created a");
}

ASYNC_TEST(Watch, loses_nothing_when_it_is_cancelled) {
    const TemporaryDirectory dir;
    Watch watch = co_await files::watch(dir.path(), {.recursive = true});
    std::vector<std::string> seen;
    for (int steps = 0; steps < 20; ++steps) {
        const std::string name = "d" + std::to_string(steps);
        fs::create_directory(dir / name);
        touch(dir / (name + "/x"));
        auto reading = create_task(next(watch, dir, 1));
        for (int i = 0; i < steps; ++i) {
            co_await sleep(0);
        }
        reading.cancel();
        auto result = co_await as_result(reading);
        if (result.has_value()) {
            seen.push_back(result.value().front());
        }
    }
    while (seen.size() < 40) {
        const Texts one = co_await next(watch, dir, 1);
        seen.push_back(one.front());
    }
    for (int steps = 0; steps < 20; ++steps) {
        const std::string name = "d" + std::to_string(steps);
        EXPECT_EQ(std::count(seen.begin(), seen.end(), "created directory " + name), 1) << name;
        EXPECT_EQ(std::count(seen.begin(), seen.end(), "created " + name + "/x"), 1) << name;
    }
}

ASYNC_TEST(Watch, says_that_events_were_dropped_and_knows_the_tree_afterwards) {
    const TemporaryDirectory dir;
    Watch watch = co_await files::watch(dir.path(), {.recursive = true});
    std::ifstream limit("/proc/sys/fs/inotify/max_queued_events");
    int most = 0;
    limit >> most;

    for (int i = 0; i <= most / 2 + 8; ++i) {
        touch(dir / "a");
        fs::remove(dir / "a");
    }
    fs::create_directory(dir / "unseen");
    for (;;) {
        const Texts one = co_await next(watch, dir, 1);
        if (one.front() == "overflowed ") {
            break;
        }
    }

    auto reading = create_task(next(watch, dir, 1));
    co_await sleep(1);  // it has looked at the tree again
    touch(dir / "unseen/x");
    const Texts texts = co_await reading;
    EXPECT_EQ(texts, Texts{"created unseen/x"});
}

ASYNC_TEST(Watch, ends_when_it_is_closed_and_when_it_goes) {
    const TemporaryDirectory dir;
    Watch watch = co_await files::watch(dir.path());
    auto waiting = create_task(watch.next());
    co_await settle();

    watch.close();
    EXPECT_EQ((co_await waiting).has_value(), false);
    EXPECT_EQ((co_await watch.next()).has_value(), false);

    const auto open = [] {
        return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
    };
    const auto before = open();
    {
        Watch other = co_await files::watch(dir.path());
        watch = std::move(other);
        EXPECT_EQ(open(), before + 1);
        watch = co_await files::watch(dir.path());
        EXPECT_EQ(open(), before + 1);
    }
    watch.close();
    EXPECT_EQ(open(), before);
}

ASYNC_TEST(Watch, is_for_one_task_at_a_time_and_for_what_exists) {
    const TemporaryDirectory dir;
    auto missing = co_await as_result(files::watch(dir / "missing"));
    EXPECT_EQ(describe(missing.error()), "FileNotFoundError(2, 'No such file or directory')");

    Watch watch = co_await files::watch(dir.path());
    auto first = create_task(watch.next());
    co_await settle();
    auto second = co_await as_result(watch.next());
    EXPECT_EQ(describe(second.error()),
              "RuntimeError('next() called while another coroutine is already waiting for "
              "events')");
    first.cancel();
}

}  // namespace asyncio
