// file_watch.hpp - what changes in the file system, as an asynchronous iterator: files::watch().
//
// Nothing of Python's; on inotify.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/detail/config.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asyncio::files {

/// What has happened: bits, so that a mask can be made of them.
enum class Change : std::uint8_t {
    created = 1,      ///< or moved here from where nobody watches
    modified = 2,     ///< its contents
    written = 4,      ///< closed by somebody who could write to it
    attributes = 8,   ///< its permissions, times, links, ...
    deleted = 16,     ///< or moved to where nobody watches
    moved = 32,       ///< from `from` to `path`
    overflowed = 64,  ///< the system has dropped events, nobody knows which; always told
};

[[nodiscard]] constexpr Change operator|(Change a, Change b) noexcept {
    return static_cast<Change>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
[[nodiscard]] constexpr bool contains(Change mask, Change change) noexcept {
    return (static_cast<unsigned>(mask) & static_cast<unsigned>(change)) != 0;
}

/// One change.
struct WatchEvent {
    Change change;
    std::string path;  ///< what was watched, and the name below it; empty if it overflowed
    std::string from;  ///< of what was moved: its path before
    bool is_directory = false;
};

/// Keyword arguments of watch().
struct WatchOptions {
    bool recursive = false;  ///< all directories below as well, also those that are made later
    Change mask = Change::created | Change::modified | Change::deleted | Change::moved;
};
static_assert(detail::trivially_destructible<WatchOptions>);

/// The changes of files and directories from the moment when watch() has returned. As long as it
/// exists: its destructor ends the watching.
///
///     files::Watch watch = co_await files::watch("/etc/app", {.recursive = true});
///     while (auto event = co_await watch.next()) {
///         ...
///     }
///
/// A file that appears in a directory that has just been made is told of once, also if it was there
/// before the directory could be watched. (What has happened to it by then is not.)
///
/// Cancellation: no event is lost: the next next() gives it.
/// Errors:       OSError (FileNotFoundError; ENOSPC if the system allows no more watches).
///               RuntimeError if two tasks are in next().
/// Threads:      belongs to its loop's thread.
class Watch {
public:
    Watch(Watch&& other) noexcept : state_(std::move(other.state_)) {}
    Watch& operator=(Watch other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    ~Watch();

    /// The next event; nullopt once it is closed, and when nothing of what was watched is left.
    [[nodiscard]] Coroutine<std::optional<WatchEvent>> next();
    /// What waits in next() ends.
    void close();

    struct State;
    explicit Watch(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

private:
    std::shared_ptr<State> state_;  // shared with next()
};

/// Watches files and directories. Of a directory, what happens to the names in it.
[[nodiscard]] Coroutine<Watch> watch(std::string_view path, WatchOptions options = {});
[[nodiscard]] Coroutine<Watch> watch(std::vector<std::string> paths, WatchOptions options = {});

}  // namespace asyncio::files
