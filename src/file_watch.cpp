// file_watch.cpp - files::watch(): inotify, and the tree of directories that it knows nothing of.
//
// SPDX-License-Identifier: MIT
#include <asyncio/file_watch.hpp>

#include <asyncio/lowlevel/waiter.hpp>
#include <asyncio/tasks.hpp>

#include "file_function.hpp"
#include "file_paths.hpp"
#include "loop_io.hpp"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <deque>
#include <unordered_map>
#include <unordered_set>

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

namespace asyncio {

namespace files {

namespace {

/// A path that is watched.
struct Watched {
    std::string path;
    bool root = false;  // was asked for, and not found below another
};

/// What is found when a directory begins to be watched.
struct Found {
    std::vector<std::pair<int, std::string>> watches;  // descriptors and paths, parents first
    std::vector<std::pair<std::string, bool>> names;   // what is in them; is it a directory?
};

std::string join(const std::string& directory, std::string_view name) {
    return directory + (directory.ends_with('/') ? "" : "/") + std::string(name);
}

bool is_directory(const std::string& path, unsigned char type) {
    struct stat status{};
    return type == DT_DIR ||
           (type == DT_UNKNOWN && ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode));
}

// Adds a watch before it looks what is there, so that nothing is missed. What has gone meanwhile
// is no error, but for the first.
void begin_to_watch(int inotify, const std::string& path, std::uint32_t mask, bool recursive,
                    bool must_exist, Found& found) {
    std::vector<std::string> left{path};
    while (!left.empty()) {
        const std::string current = std::move(left.back());
        left.pop_back();
        const int watch = ::inotify_add_watch(inotify, current.c_str(), mask);
        if (watch < 0) {
            const int error = errno;
            if (must_exist || (error != ENOENT && error != ENOTDIR && error != EACCES)) {
                detail::raise_os_error(error, "watch '" + current + "'");
            }
            continue;
        }
        must_exist = false;
        found.watches.emplace_back(watch, current);
        struct Close {
            void operator()(DIR* opened) const noexcept { ::closedir(opened); }
        };
        const std::unique_ptr<DIR, Close> directory(recursive ? ::opendir(current.c_str())
                                                              : nullptr);
        if (directory == nullptr) {
            continue;  // a file, or one that may not be read
        }
        while (const dirent* const entry = ::readdir(directory.get())) {
            const std::string_view name = entry->d_name;
            if (name != "." && name != "..") {
                const std::string child = join(current, name);
                const bool deeper = is_directory(child, entry->d_type);
                found.names.emplace_back(child, deeper);
                if (deeper) {
                    left.push_back(child);
                }
            }
        }
    }
}

std::uint32_t inotify_mask(const WatchOptions& options) {
    std::uint32_t mask = IN_DELETE_SELF | IN_MOVE_SELF;
    const auto add = [&](Change change, std::uint32_t bits) {
        mask |= contains(options.mask, change) ? bits : 0;
    };
    add(Change::created, IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM);
    add(Change::modified, IN_MODIFY);
    add(Change::written, IN_CLOSE_WRITE);
    add(Change::attributes, IN_ATTRIB);
    add(Change::deleted, IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO);
    add(Change::moved, IN_MOVED_FROM | IN_MOVED_TO);
    // The tree has to be known in any case.
    return mask | (options.recursive ? IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO : 0);
}

}  // namespace

struct Watch::State : std::enable_shared_from_this<Watch::State> {
    State(detail::LoopIO& loop_io, int descriptor, const WatchOptions& watch_options)
        : io(loop_io), inotify(descriptor), options(watch_options) {
        io.retain();
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
        close();
        io.release();
    }

    void close() noexcept {
        if (inotify >= 0) {
            io.close(std::exchange(inotify, -1));
        }
    }

    // ---- the tree

    void add(const Found& found, bool root) {
        for (const auto& [watch, path] : found.watches) {
            watches.insert_or_assign(watch, Watched{path, root});
            root = false;
        }
    }
    /// What is below `path`, and itself, is somewhere else now; or nowhere.
    void move_tree(const std::string& path, const std::string* target) {
        std::vector<int> gone;
        for (auto& [watch, watched] : watches) {
            const bool below =
                watched.path.starts_with(path) &&
                (watched.path.size() == path.size() || watched.path[path.size()] == '/');
            if (below && target != nullptr) {
                watched.path = *target + watched.path.substr(path.size());
            } else if (below && !watched.root) {
                gone.push_back(watch);
            }
        }
        for (const int watch : gone) {
            watches.erase(watch);
            ::inotify_rm_watch(inotify, watch);
        }
        // What the system may still tell of it will have its new name; the old one is free.
        std::vector<std::string> names;
        for (const std::string& name : expected) {
            if (name.starts_with(path + "/")) {
                names.push_back(name);
            }
        }
        for (const std::string& name : names) {
            expected.erase(name);
            if (target != nullptr) {
                expected.insert(*target + name.substr(path.size()));
            }
        }
    }

    // ---- events

    void tell(Change change, std::string path, bool directory, std::string from = {}) {
        if (contains(options.mask | Change::overflowed, change)) {
            events.push_back({change, std::move(path), std::move(from), directory});
        }
    }
    // It was moved to where nobody watches.
    void give_up_move() {
        if (!leaving.empty()) {
            const std::string path = std::exchange(leaving, {});
            if (leaving_directory) {
                move_tree(path, nullptr);
            }
            tell(Change::deleted, path, leaving_directory);
        }
    }
    void appear(const std::string& path, bool directory) {
        // It was found already when its directory began to be watched.
        if (expected.erase(path) == 0) {
            tell(Change::created, path, directory);
        }
        if (directory && options.recursive) {
            new_directories.push_back(path);
        }
    }
    void found_in_new(const Found& found) {
        add(found, false);
        for (const auto& [path, directory] : found.names) {
            if (expected.insert(path).second) {
                tell(Change::created, path, directory);
            }
        }
    }

    [[nodiscard]] bool is_other_half(const inotify_event& event) const noexcept {
        return !leaving.empty() && (event.mask & IN_MOVED_TO) != 0 &&
               event.cookie == leaving_cookie;
    }
    void take(const inotify_event& event) {
        const bool directory = (event.mask & IN_ISDIR) != 0;
        if (!leaving.empty() && !is_other_half(event)) {
            // Between the two halves of a move there may be something else, but not much, and
            // nothing about names in that directory, which was locked.
            constexpr std::uint32_t names = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;
            if ((event.wd == leaving_watch && (event.mask & names) != 0) || ++since_leaving > 16) {
                give_up_move();
            }
        }
        if ((event.mask & IN_Q_OVERFLOW) != 0) {
            give_up_move();
            tell(Change::overflowed, {}, false);
            look_again = options.recursive;
            return;
        }
        const auto found = watches.find(event.wd);
        if (found == watches.end()) {
            return;
        }
        if ((event.mask & IN_IGNORED) != 0) {
            watches.erase(found);
            return;
        }
        const Watched watched = found->second;
        const std::string path = event.len > 0 ? join(watched.path, event.name) : watched.path;
        if ((event.mask & (IN_DELETE_SELF | IN_MOVE_SELF)) != 0) {
            if (watched.root) {
                tell(Change::deleted, path, directory);
                if ((event.mask & IN_MOVE_SELF) != 0) {
                    ::inotify_rm_watch(inotify, event.wd);
                }
            }
        } else if ((event.mask & IN_MOVED_FROM) != 0) {
            give_up_move();
            expected.erase(path);
            leaving = path;
            leaving_cookie = event.cookie;
            leaving_watch = event.wd;
            leaving_directory = directory;
            since_leaving = 0;
        } else if (is_other_half(event)) {
            const std::string from = std::exchange(leaving, {});
            if (directory) {
                move_tree(from, &path);
            }
            tell(Change::moved, path, directory, from);
        } else if ((event.mask & (IN_CREATE | IN_MOVED_TO)) != 0) {
            appear(path, directory);
        } else if ((event.mask & IN_DELETE) != 0) {
            expected.erase(path);
            tell(Change::deleted, path, directory);
        } else if ((event.mask & IN_MODIFY) != 0) {
            tell(Change::modified, path, directory);
        } else if ((event.mask & IN_CLOSE_WRITE) != 0) {
            tell(Change::written, path, directory);
        } else if ((event.mask & IN_ATTRIB) != 0) {
            tell(Change::attributes, path, directory);
        }
    }
    /// The next of those that were read.
    bool take_one() {
        if (taken == read) {
            return false;
        }
        inotify_event event;
        std::memcpy(&event, buffer + taken, sizeof event);
        const auto* const whole = reinterpret_cast<const inotify_event*>(buffer + taken);
        taken += sizeof event + event.len;
        take(*whole);
        return true;
    }

    detail::LoopIO& io;  // counted
    int inotify;
    WatchOptions options;
    std::vector<std::string> roots;
    std::unordered_map<int, Watched> watches;
    std::deque<WatchEvent> events;
    std::deque<std::string> new_directories;   // not yet watched
    std::unordered_set<std::string> expected;  // told of, and the system may tell as well
    std::string leaving;                       // the first half of a move
    std::uint32_t leaving_cookie = 0;
    int leaving_watch = -1;
    int since_leaving = 0;
    bool leaving_directory = false;
    bool look_again = false;  // events were lost, and with them perhaps directories
    bool busy = false;
    std::size_t taken = 0;
    std::size_t read = 0;
    alignas(inotify_event) char buffer[16 * 1024];
};

namespace {

using State = Watch::State;
using StatePtr = std::shared_ptr<State>;

/// The same inotify for a thread, which goes on with it though the Watch may be closed meanwhile.
class Duplicate {
public:
    explicit Duplicate(int inotify) : fd_(::fcntl(inotify, F_DUPFD_CLOEXEC, 0)) {
        if (fd_ < 0) {
            detail::raise_os_error(errno, "inotify");
        }
    }
    Duplicate(const Duplicate&) = delete;
    Duplicate& operator=(const Duplicate&) = delete;
    ~Duplicate() { ::close(fd_); }
    [[nodiscard]] int get() const noexcept { return fd_; }

private:
    int fd_;
};

// The directories that have come: what is lost by a cancellation is looked at again.
Coroutine<> watch_new(StatePtr state) {
    const std::string path = state->new_directories.front();
    auto look = [inotify = std::make_shared<Duplicate>(state->inotify), path,
                 mask = inotify_mask(state->options)] {
        Found found;
        begin_to_watch(inotify->get(), path, mask, true, false, found);
        return found;
    };
    const Found found = co_await detail::in_thread(std::move(look), true);
    state->new_directories.pop_front();
    state->found_in_new(found);
}

Coroutine<> watch_again(StatePtr state) {
    auto look = [inotify = std::make_shared<Duplicate>(state->inotify), roots = state->roots,
                 mask = inotify_mask(state->options)] {
        Found found;
        for (const std::string& root : roots) {
            begin_to_watch(inotify->get(), root, mask, true, false, found);
        }
        return found;
    };
    const Found found = co_await detail::in_thread(std::move(look), true);
    state->look_again = false;
    for (const auto& [watch, path] : found.watches) {
        state->watches.try_emplace(watch, Watched{path, false});
    }
}

class ReadingAwaiter final : public lowlevel::OperationWaiter {
public:
    ReadingAwaiter(EventLoop& loop, State& state) noexcept
        : OperationWaiter(loop, lowlevel::Opcode::read, state.inotify) {
        data = state.buffer;
        size = sizeof state.buffer;
    }
};

class [[nodiscard]] Reading {
public:
    static constexpr bool awaited_by_value = true;

    explicit Reading(State& state) noexcept : state_(state) {}
    ReadingAwaiter operator co_await() const noexcept {
        return ReadingAwaiter(get_running_loop(), state_);
    }

private:
    State& state_;
};

Coroutine<> read_events(StatePtr state) {
    const std::int64_t result = co_await Reading(*state);
    if (result < 0 && state->inotify >= 0) {
        detail::raise_os_error(static_cast<int>(-result), "read inotify");
    }
    state->taken = 0;
    state->read = result > 0 ? static_cast<std::size_t>(result) : 0;
}

// The other half of a move follows at once, if it follows.
Coroutine<> read_other_half(StatePtr state) {
    try {
        co_await wait_for(read_events(state), Duration(0.005));
    } catch (const TimeoutError&) {
        state->give_up_move();
    }
}

Coroutine<std::optional<WatchEvent>> next_event(StatePtr state) {
    if (state->busy) {
        throw RuntimeError("next() called while another coroutine is already waiting for events");
    }
    struct Busy {
        bool& busy;
        ~Busy() { busy = false; }
    } busy{state->busy};
    state->busy = true;
    for (;;) {
        if (!state->events.empty()) {
            WatchEvent event = std::move(state->events.front());
            state->events.pop_front();
            co_return std::move(event);
        }
        if (state->inotify < 0) {
            co_return std::nullopt;
        }
        if (!state->new_directories.empty()) {
            co_await watch_new(state);
        } else if (state->look_again) {
            co_await watch_again(state);
        } else if (!state->take_one()) {
            if (!state->leaving.empty()) {
                co_await read_other_half(state);
            } else if (state->watches.empty()) {
                co_return std::nullopt;
            } else {
                co_await read_events(state);
            }
        }
    }
}

Coroutine<Watch> begin(std::vector<std::string> paths, WatchOptions options) {
    detail::LoopIO& io = detail::LoopIO::of(get_running_loop());
    const auto state = std::make_shared<State>(io, -1, options);
    state->inotify = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (state->inotify < 0) {
        detail::raise_os_error(errno, "inotify_init1");
    }
    state->roots = paths;
    for (const std::string& path : paths) {
        auto look = [inotify = std::make_shared<Duplicate>(state->inotify), path, options] {
            Found found;
            begin_to_watch(inotify->get(), path, inotify_mask(options), options.recursive, true,
                           found);
            return found;
        };
        const Found found = co_await detail::in_thread(std::move(look), true);
        state->add(found, true);
    }
    co_return Watch(state);
}

}  // namespace

Watch::~Watch() {
    close();
}

Coroutine<std::optional<WatchEvent>> Watch::next() {
    if (state_ == nullptr) {
        detail::raise_value_error("this Watch was moved from");
    }
    return next_event(state_);
}

void Watch::close() {
    if (state_ != nullptr) {
        state_->close();
    }
}

Coroutine<Watch> watch(std::string_view path, WatchOptions options) {
    std::vector<std::string> paths;
    paths.push_back(detail::checked_path(path));
    return begin(std::move(paths), options);
}

Coroutine<Watch> watch(std::vector<std::string> paths, WatchOptions options) {
    for (const std::string& path : paths) {
        static_cast<void>(detail::checked_path(path));
    }
    return begin(std::move(paths), options);
}

}  // namespace files

}  // namespace asyncio
