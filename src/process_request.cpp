// process_request.cpp - from the options to a child process and the ends of its pipes.
//
// SPDX-License-Identifier: MIT
#include <asyncio/exceptions.hpp>
#include <asyncio/threads.hpp>

#include "process_state.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace asyncio::detail {

// ----------------------------------------------------------------------------- ProcessRequest

namespace {

std::vector<std::string> current_environment() {
    std::vector<std::string> texts;
    for (char** each = ::environ; each != nullptr && *each != nullptr; ++each) {
        texts.emplace_back(*each);
    }
    return texts;
}

std::string_view name_of(const std::string& variable) {
    return std::string_view(variable).substr(0, variable.find('='));
}

std::optional<std::vector<std::string>> make_environment(const SubprocessOptions& options) {
    if (!options.env.given() && !options.extra_env.given()) {
        return std::nullopt;
    }
    std::vector<std::string> variables;
    if (options.env.given()) {
        options.env.append_to(variables);
    } else {
        variables = current_environment();
    }
    if (options.extra_env.given()) {
        std::vector<std::string> more;
        options.extra_env.append_to(more);
        std::erase_if(variables, [&more](const std::string& variable) {
            return std::any_of(more.begin(), more.end(), [&variable](const std::string& each) {
                return name_of(each) == name_of(variable);
            });
        });
        variables.insert(variables.end(), more.begin(), more.end());
    }
    return variables;
}

void check_descriptor(int fd) {
    if (fd < 0) {
        raise_value_error("a file descriptor is not negative");
    }
}

// A name is kept to be looked up.
template <class Id>
std::optional<Id> id_of(const std::optional<UserOrGroup>& account, std::string& name) {
    if (!account.has_value()) {
        return std::nullopt;
    }
    const auto id = static_cast<Id>(account->id());
    constexpr auto as_it_is = static_cast<Id>(-1);  // to the system: to be left as it is
    if (account->id() >= 0 && id != as_it_is) {
        return id;
    }
    if (account->name().empty()) {
        raise_value_error("a user or group id is not negative");
    }
    name = account->name();
    return std::nullopt;
}

}  // namespace

ProcessRequest::ProcessRequest(std::vector<std::string> arguments, const SubprocessOptions& options)
    : streams{options.stdin_, options.stdout_, options.stderr_},
      limit(options.limit),
      pty(options.pty),
      kill_on_cancel(options.kill_on_cancel) {
    if (arguments.empty()) {
        raise_value_error("there is no program to be run");
    }
    if (limit == 0) {
        raise_value_error("Limit cannot be <= 0");
    }
    if (streams[0] == STDOUT || streams[1] == STDOUT) {
        raise_value_error("STDOUT can only be used for stderr");
    }
    spawn.arguments = std::move(arguments);
    spawn.executable =
        options.executable.empty() ? spawn.arguments.front() : std::string(options.executable);
    spawn.environment = make_environment(options);
    spawn.directory = options.cwd;
    for (const int fd : options.pass_fds) {
        check_descriptor(fd);
        spawn.fds.push_back({fd, fd});
    }
    for (const MappedFd& each : options.map_fds) {
        check_descriptor(each.from);
        check_descriptor(each.to);
        spawn.fds.push_back({each.from, each.to});
    }
    spawn.close_fds = options.close_fds;
    spawn.restore_signals = options.restore_signals;
    spawn.new_session = options.start_new_session || pty.has_value();
    spawn.process_group = options.process_group;
    if (options.umask.value_or(-1) >= 0) {
        spawn.umask = static_cast<mode_t>(*options.umask);
    }
    spawn.user = id_of<uid_t>(options.user, names.user);
    spawn.group = id_of<gid_t>(options.group, names.group);
    spawn.set_groups = options.extra_groups.has_value();
    for (const UserOrGroup& each : options.extra_groups.value_or(std::span<const UserOrGroup>())) {
        std::string name;
        if (const auto id = id_of<gid_t>(each, name)) {
            spawn.groups.push_back(*id);
        } else {
            names.groups.push_back(name);
        }
    }
}

// `ask` is getpwnam_r or getgrnam_r; each takes a buffer that may be too small.
template <class Entry, class Ask>
static Entry look_up(const std::string& name, Ask ask) {
    std::vector<char> buffer(1024);
    for (;;) {
        Entry entry;
        Entry* found = nullptr;
        const int error = ask(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
        if (error == ERANGE) {
            buffer.resize(buffer.size() * 2);
            continue;
        }
        if (error != 0) {
            raise_os_error(error, "look up '" + name + "'");
        }
        if (found == nullptr) {
            throw std::out_of_range("name not found: '" + name + "'");
        }
        return entry;
    }
}

static AccountNames looked_up(AccountNames names) {
    if (!names.user.empty()) {
        names.user_id = look_up<passwd>(names.user, &::getpwnam_r).pw_uid;
    }
    if (!names.group.empty()) {
        names.group_id = look_up<::group>(names.group, &::getgrnam_r).gr_gid;
    }
    for (const std::string& name : names.groups) {
        names.group_ids.push_back(look_up<::group>(name, &::getgrnam_r).gr_gid);
    }
    return names;
}

Coroutine<> ProcessRequest::look_up_names() {
    if (names.user.empty() && names.group.empty() && names.groups.empty()) {
        co_return;
    }
    const AccountNames found = co_await to_thread(looked_up, names);
    spawn.user = found.user_id.has_value() ? found.user_id : spawn.user;
    spawn.group = found.group_id.has_value() ? found.group_id : spawn.group;
    spawn.groups.insert(spawn.groups.end(), found.group_ids.begin(), found.group_ids.end());
}

// -------------------------------------------------------------------------------- start_child

namespace {

/// What the child gets and the parent does not need any longer.
class OwnedFd {
public:
    OwnedFd() = default;
    explicit OwnedFd(int fd) noexcept : fd_(fd) {}
    OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    OwnedFd& operator=(OwnedFd other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~OwnedFd() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }
    [[nodiscard]] int get() const noexcept { return fd_; }

private:
    int fd_ = -1;
};

int checked(int result, const char* doing) {
    if (result < 0) {
        raise_os_error(errno, doing);
    }
    return result;
}

int open_null_device() noexcept {
    int fd = -1;
    do {
        fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

// What is open is the parent's alone, so its mode is, too.
void make_non_blocking(int fd) {
    const int flags = checked(::fcntl(fd, F_GETFL), "fcntl");
    checked(::fcntl(fd, F_SETFL, flags | O_NONBLOCK), "fcntl");
}

/// The descriptors of one child, as long as it is not there.
class Redirections {
public:
    Redirections(LoopIO& io, ProcessRequest& request) : io_(io), request_(request) {
        if (request.pty.has_value()) {
            open_terminal(*request.pty);
        }
        for (int number = 0; number < 3; ++number) {
            redirect(number);
        }
        add_kept();
    }

    StartedChild started;

private:
    void map(int from, int to) { mapped_.push_back({from, to}); }

    void open_terminal(TerminalSize size) {
        Socket master(io_, checked(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), "posix_openpt"));
        checked(::unlockpt(master.fileno()), "unlockpt");
        terminal_ = OwnedFd(checked(
            ::ioctl(master.fileno(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC), "TIOCGPTPEER"));
        make_non_blocking(master.fileno());
        winsize window{};
        window.ws_row = static_cast<unsigned short>(size.rows);
        window.ws_col = static_cast<unsigned short>(size.columns);
        checked(::ioctl(master.fileno(), TIOCSWINSZ, &window), "TIOCSWINSZ");
        started.terminal = std::move(master);
    }

    void redirect(int number) {
        const Stdio& stream = request_.streams[static_cast<std::size_t>(number)];
        switch (stream.kind()) {
            case Stdio::Kind::pipe:
                make_pipe(number);
                break;
            case Stdio::Kind::devnull:
                kept_[static_cast<std::size_t>(number)] =
                    OwnedFd(checked(open_null_device(), "open '/dev/null'"));
                map(kept_[static_cast<std::size_t>(number)].get(), number);
                break;
            case Stdio::Kind::descriptor:
                map(stream.fd(), number);
                break;
            case Stdio::Kind::to_stdout:
                map(source_of_stdout(), number);
                break;
            case Stdio::Kind::unset:
                if (terminal_.get() >= 0) {
                    use_terminal(number);
                }
                break;
            default:
                break;
        }
    }

    [[nodiscard]] int source_of_stdout() const {
        const auto found = std::find_if(mapped_.begin(), mapped_.end(),
                                        [](const FdMapping& each) { return each.to == 1; });
        return found != mapped_.end() ? found->from : 1;
    }

    void make_pipe(int number) {
        int ends[2];
        checked(::pipe2(ends, O_CLOEXEC), "pipe2");
        const bool child_reads = number == 0;
        const auto index = static_cast<std::size_t>(number);
        kept_[index] = OwnedFd(ends[child_reads ? 0 : 1]);
        started.pipes[index] = Socket(io_, ends[child_reads ? 1 : 0]);
        make_non_blocking(started.pipes[index].fileno());
        map(kept_[index].get(), number);
    }

    // Its first stream on the terminal makes that the child's own. The parent reads what comes from
    // it once, whatever it was written to.
    void use_terminal(int number) {
        map(terminal_.get(), number);
        if (request_.spawn.terminal < 0) {
            request_.spawn.terminal = number;
        }
        if (number < 2) {
            const int copy = ::fcntl(started.terminal.fileno(), F_DUPFD_CLOEXEC, 0);
            started.pipes[static_cast<std::size_t>(number)] = Socket(io_, checked(copy, "fcntl"));
        }
    }

    // What is to stay open besides: the streams are what was said of them.
    void add_kept() {
        for (const FdMapping& each : request_.spawn.fds) {
            const bool taken =
                std::any_of(mapped_.begin(), mapped_.end(),
                            [&each](const FdMapping& other) { return other.to == each.to; });
            if (!taken) {
                mapped_.push_back(each);
            } else if (each.from != each.to) {
                raise_value_error("two descriptors are to have the same number");
            }
        }
        request_.spawn.fds = mapped_;
    }

    LoopIO& io_;
    ProcessRequest& request_;
    std::vector<FdMapping> mapped_;
    std::array<OwnedFd, 3> kept_;
    OwnedFd terminal_;
};

}  // namespace

StartedChild start_child(LoopIO& io, ProcessRequest& request) {
    Redirections redirections(io, request);
    redirections.started.child = &Child::start(io, request.spawn);
    return std::move(redirections.started);
}

}  // namespace asyncio::detail
