// subprocess.hpp - other programs: create_subprocess_exec(), create_subprocess_shell(), Process.
//
// Mirrors Python's asyncio.subprocess, and of the module subprocess what Popen takes; differences:
// docs/parity.md#subprocess.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/detail/config.hpp>
#include <asyncio/detail/subprocess.hpp>
#include <asyncio/lowlevel/waiter.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/transports.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asyncio {

/// A new pipe, whose other end is Process::stdin_(), stdout_() or stderr_().
inline constexpr Stdio PIPE{Stdio::Kind::pipe, -1};
/// Of stderr_: the same as stdout_.
inline constexpr Stdio STDOUT{Stdio::Kind::to_stdout, -1};
/// What is always empty, and takes everything.
inline constexpr Stdio DEVNULL{Stdio::Kind::devnull, -1};
/// That of this program; Python's None.
inline constexpr Stdio INHERIT{Stdio::Kind::inherit, -1};

/// A descriptor of this program's, and the number that the other one is to have it under.
struct MappedFd {
    int from;
    int to;
};

/// Rows and columns of a terminal.
struct TerminalSize {
    int rows = 24;
    int columns = 80;
};

/// Keyword arguments of create_subprocess_exec() and its kin; those of Python's Popen. Texts and
/// ranges are copied before the function returns.
struct SubprocessOptions {
    Stdio stdin_ = {};   ///< PIPE, DEVNULL, INHERIT (the default), a descriptor, a file
    Stdio stdout_ = {};  ///< the same
    Stdio stderr_ = {};  ///< the same, or STDOUT
    std::size_t limit = detail::default_stream_limit;  ///< of the readers
    std::string_view cwd = {};         ///< the directory to begin in; a program that is a relative
                                       ///< path is looked for from there
    Environment env = {};              ///< all of its variables; by default those of this program
    Environment extra_env = {};        ///< more variables, or other values of them
    std::string_view executable = {};  ///< what to run instead of the first argument, or of /bin/sh
    std::span<const int> pass_fds = {};      ///< descriptors that stay open there, as they are
    std::span<const MappedFd> map_fds = {};  ///< the same, under other numbers
    bool close_fds = true;           ///< false: what is not close-on-exec stays open there, too
    bool restore_signals = true;     ///< SIGPIPE and SIGXFSZ have their default effect there
    bool start_new_session = false;  ///< setsid()
    std::optional<int> process_group = std::nullopt;  ///< setpgid(); 0: one of its own
    std::optional<int> umask = std::nullopt;
    std::optional<UserOrGroup> user = std::nullopt;
    std::optional<UserOrGroup> group = std::nullopt;
    std::optional<std::span<const UserOrGroup>> extra_groups = std::nullopt;  ///< exactly these
    /// A terminal of its own, which is all of its standard streams that are not something else.
    /// What is written to it is read by stdout_(), what stdin_() writes is typed.
    std::optional<TerminalSize> pty = std::nullopt;
    /// A wait() or communicate() that is cancelled kills the process.
    bool kill_on_cancel = false;
};
static_assert(detail::trivially_destructible<SubprocessOptions>);

/// What communicate() gives: `auto [out, err] = co_await process.communicate();`. Empty where there
/// was no PIPE.
struct ProcessOutput {
    std::string stdout_;
    std::string stderr_;
};

namespace detail {

class ProcessState;

/// Waits until a process has ended.
class [[nodiscard]] ProcessWaitAwaiter final : public lowlevel::ListWaiter {
public:
    explicit ProcessWaitAwaiter(ProcessState& state) noexcept : state_(state) {}
    ProcessWaitAwaiter(const ProcessWaitAwaiter&) = delete;
    ProcessWaitAwaiter& operator=(const ProcessWaitAwaiter&) = delete;

    [[nodiscard]] bool await_ready() const noexcept;
    template <class P>
        requires std::derived_from<P, PromiseBase>
    void await_suspend(std::coroutine_handle<P>) noexcept {
        suspend();
    }
    int await_resume();
    bool abort(TaskBase& task, lowlevel::CancelMessage message) noexcept override;
    [[nodiscard]] const char* reason() const noexcept override { return "process"; }

private:
    void suspend() noexcept;

    ProcessState& state_;
    bool suspended_ = false;
};

class [[nodiscard]] ProcessWait {
public:
    explicit ProcessWait(std::shared_ptr<ProcessState> state) noexcept : state_(std::move(state)) {}
    ProcessWaitAwaiter operator co_await() const noexcept { return ProcessWaitAwaiter(*state_); }

private:
    std::shared_ptr<ProcessState> state_;
};

}  // namespace detail

/// A program that was started: a handle, cheap to copy.
///
///     Process process = co_await create_subprocess_exec({.stdout_ = PIPE}, "ls", "-l");
///     while (auto line = co_await process.stdout_().next()) { ... }
///     int status = co_await process.wait();
///
/// What becomes of it when nobody has a handle any more: its pipes are closed, it runs on, and it
/// is reaped when it ends. When the loop is closed it is killed, as by CPython.
///
/// Threads: belongs to its loop's thread.
class Process {
public:
    [[nodiscard]] int pid() const noexcept;
    /// Its exit status, as far as the loop knows: nullopt while it runs; -N if signal N ended it.
    /// 255 if somebody else in this program has reaped it (which is logged).
    [[nodiscard]] std::optional<int> returncode() const noexcept;

    /// The ends of its pipes. RuntimeError if that stream was not PIPE.
    [[nodiscard]] StreamWriter& stdin_() const;
    [[nodiscard]] StreamReader& stdout_() const;
    [[nodiscard]] StreamReader& stderr_() const;
    /// Is there one? (Python: `process.stdin is not None`.)
    [[nodiscard]] bool has_stdin() const noexcept;
    [[nodiscard]] bool has_stdout() const noexcept;
    [[nodiscard]] bool has_stderr() const noexcept;

    /// Waits until it has ended; its returncode(). Any number of tasks may. Does not wait for its
    /// pipes, which programs that it has started may keep open.
    ///
    /// If nobody reads what it writes, up to twice the limit is received meanwhile, as by CPython;
    /// with more it waits for ever. communicate() does not.
    [[nodiscard]] detail::ProcessWait wait() const noexcept { return detail::ProcessWait(state_); }

    /// Writes `input` to its stdin and closes that, reads all of stdout and stderr, and waits until
    /// it has ended. (If a program that it has started keeps a pipe open, until that has ended.)
    ///
    /// Cancellation: nothing is lost: calling it again, without input, goes on.
    /// Errors:       std::invalid_argument if it is given input again. That the program does not
    ///               read its input is none.
    [[nodiscard]] Coroutine<ProcessOutput> communicate(std::string input = {}) const;

    /// ProcessLookupError if it has ended and the loop knows it. Never meant is another process
    /// that has got its number.
    void send_signal(int signal) const;
    /// SIGTERM, SIGKILL
    void terminate() const;
    void kill() const;

    /// Of its terminal (.pty): tells it the new size. RuntimeError if it has none.
    void set_terminal_size(TerminalSize size) const;

    explicit Process(std::shared_ptr<detail::ProcessState> state) noexcept
        : state_(std::move(state)) {}

private:
    std::shared_ptr<detail::ProcessState> state_;
};

namespace detail {

[[nodiscard]] Coroutine<Process> start_process(std::vector<std::string> arguments,
                                               const SubprocessOptions& options);
/// What /bin/sh is to be called with.
[[nodiscard]] std::vector<std::string> shell_arguments(std::string_view command,
                                                       const SubprocessOptions& options);

}  // namespace detail

/// Starts a program, with its arguments: texts, paths, or ranges of these. A program without a '/'
/// is looked for in PATH.
///
///     co_await create_subprocess_exec("ls", "-l");
///     co_await create_subprocess_exec({.stdout_ = PIPE, .cwd = "/tmp"}, "ls", options, files);
///
/// Errors: FileNotFoundError and its kin, of the program or the directory; nothing was started
/// then.
///         std::invalid_argument for a null byte in a text, and where Python has ValueError.
template <detail::Argument Program, detail::Argument... Arguments>
[[nodiscard]] Coroutine<Process> create_subprocess_exec(SubprocessOptions options,
                                                        const Program& program,
                                                        const Arguments&... arguments) {
    return detail::start_process(detail::make_arguments(program, arguments...), options);
}
template <detail::Argument Program, detail::Argument... Arguments>
[[nodiscard]] Coroutine<Process> create_subprocess_exec(const Program& program,
                                                        const Arguments&... arguments) {
    return create_subprocess_exec(SubprocessOptions(), program, arguments...);
}

/// Has a shell run a command.
///
///     co_await create_subprocess_shell({.stdout_ = PIPE}, "ls -l | wc -l");
[[nodiscard]] inline Coroutine<Process> create_subprocess_shell(SubprocessOptions options,
                                                                std::string_view command) {
    return detail::start_process(detail::shell_arguments(command, options), options);
}
[[nodiscard]] inline Coroutine<Process> create_subprocess_shell(std::string_view command,
                                                                SubprocessOptions options = {}) {
    return create_subprocess_shell(options, command);
}

// ------------------------------------------------------------------------- with protocols

namespace detail {

[[nodiscard]] Coroutine<UntypedPair<SubprocessTransport>> start_subprocess(
    MakeProtocol make, std::vector<std::string> arguments, const SubprocessOptions& options);

}  // namespace detail

/// Starts a program and has what happens told to a SubprocessProtocol: what it writes, that its
/// pipes are closed, that it has ended; connection_lost() comes last, when all of that has
/// happened. What the options do not speak of is PIPE.
///
///     auto [transport, protocol] = co_await subprocess_exec(
///         [] { return std::make_unique<Watcher>(); }, {.stdin_ = DEVNULL}, "ls", "-l");
///
/// transport.close() closes the pipes and kills the program.
///
/// Cancellation and errors: as create_subprocess_exec(); what the factory throws.
template <detail::ProtocolFactory Factory, detail::Argument Program, detail::Argument... Arguments>
[[nodiscard]] Coroutine<ProtocolPair<detail::ProtocolOf<Factory>, SubprocessTransport>>
subprocess_exec(Factory&& protocol_factory, SubprocessOptions options, const Program& program,
                const Arguments&... arguments) {
    return detail::typed_pair<detail::ProtocolOf<Factory>>(
        detail::start_subprocess(detail::erase_factory(std::forward<Factory>(protocol_factory)),
                                 detail::make_arguments(program, arguments...), options));
}
template <detail::ProtocolFactory Factory, detail::Argument Program, detail::Argument... Arguments>
[[nodiscard]] Coroutine<ProtocolPair<detail::ProtocolOf<Factory>, SubprocessTransport>>
subprocess_exec(SubprocessOptions options, Factory&& protocol_factory, const Program& program,
                const Arguments&... arguments) {
    return subprocess_exec(std::forward<Factory>(protocol_factory), options, program, arguments...);
}
template <detail::ProtocolFactory Factory, detail::Argument Program, detail::Argument... Arguments>
[[nodiscard]] Coroutine<ProtocolPair<detail::ProtocolOf<Factory>, SubprocessTransport>>
subprocess_exec(Factory&& protocol_factory, const Program& program, const Arguments&... arguments) {
    return subprocess_exec(std::forward<Factory>(protocol_factory), SubprocessOptions(), program,
                           arguments...);
}

/// The same with a shell that runs `command`.
template <detail::ProtocolFactory Factory>
[[nodiscard]] Coroutine<ProtocolPair<detail::ProtocolOf<Factory>, SubprocessTransport>>
subprocess_shell(Factory&& protocol_factory, std::string_view command,
                 SubprocessOptions options = {}) {
    return detail::typed_pair<detail::ProtocolOf<Factory>>(
        detail::start_subprocess(detail::erase_factory(std::forward<Factory>(protocol_factory)),
                                 detail::shell_arguments(command, options), options));
}
template <detail::ProtocolFactory Factory>
[[nodiscard]] Coroutine<ProtocolPair<detail::ProtocolOf<Factory>, SubprocessTransport>>
subprocess_shell(Factory&& protocol_factory, SubprocessOptions options, std::string_view command) {
    return subprocess_shell(std::forward<Factory>(protocol_factory), command, options);
}
template <detail::ProtocolFactory Factory>
[[nodiscard]] Coroutine<ProtocolPair<detail::ProtocolOf<Factory>, SubprocessTransport>>
subprocess_shell(SubprocessOptions options, Factory&& protocol_factory, std::string_view command) {
    return subprocess_shell(std::forward<Factory>(protocol_factory), command, options);
}

/// A protocol that makes streams of what happens. Process does without one; this is for transports
/// of other kinds, and to derive from.
class SubprocessStreamProtocol : public SubprocessProtocol {
public:
    /// `limit` of the readers: from twice that on the program waits. std::invalid_argument if 0.
    explicit SubprocessStreamProtocol(std::size_t limit = detail::default_stream_limit);
    ~SubprocessStreamProtocol() override;

    void connection_made(SubprocessTransport& transport) override;
    void pipe_data_received(int fd, std::string_view data) override;
    void pipe_connection_lost(int fd, std::exception_ptr exc) override;
    void process_exited() override;

    /// Null where there is no pipe, and before there is a connection.
    [[nodiscard]] StreamWriter* stdin_() noexcept { return input_ ? &*input_ : nullptr; }
    [[nodiscard]] StreamReader* stdout_() noexcept { return output_ ? &*output_ : nullptr; }
    [[nodiscard]] StreamReader* stderr_() noexcept { return errors_ ? &*errors_ : nullptr; }

private:
    [[nodiscard]] std::optional<StreamReader> make_reader(SubprocessTransport& transport, int fd);
    void close_if_done();

    std::size_t limit_;
    SubprocessTransport* process_ = nullptr;
    std::optional<StreamWriter> input_;
    std::optional<StreamReader> output_;
    std::optional<StreamReader> errors_;
    std::vector<std::pair<int, detail::StreamKeep>> streams_;  // what feeds the readers
    int open_readers_ = 0;
    bool exited_ = false;
};

}  // namespace asyncio
