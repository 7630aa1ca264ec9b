// subprocess.cpp - a process with streams: Process, create_subprocess_exec() and its kin.
//
// SPDX-License-Identifier: MIT
#include <asyncio/subprocess.hpp>

#include <asyncio/futures.hpp>
#include <asyncio/result.hpp>
#include <asyncio/tasks.hpp>

#include "process_state.hpp"

#include <cerrno>
#include <csignal>
#include <exception>
#include <utility>

#include <sys/ioctl.h>

namespace asyncio {

namespace detail {

// ------------------------------------------------------------------------------- ProcessState

// Python receives in the background, up to twice the limit.
void ProcessState::read_ahead() noexcept {
    for (const StreamKeep& keep : read_pipes) {
        auto& pipe = static_cast<PipeConnection&>(connection_of(keep.get()));
        pipe.read_ahead(2 * pipe.limit());
    }
}

bool ProcessWaitAwaiter::await_ready() const noexcept {
    return state_.child.returncode().has_value() || state_.child.orphaned();
}

void ProcessWaitAwaiter::suspend() noexcept {
    suspended_ = true;
    state_.read_ahead();
    state_.child.exit_waiters.park(lowlevel::running_task(), *this);
}

int ProcessWaitAwaiter::await_resume() {
    if (suspended_) {
        lowlevel::running_task().throw_if_interrupted();
    }
    if (!state_.child.returncode().has_value()) {
        std::rethrow_exception(loop_is_closed());
    }
    return *state_.child.returncode();
}

bool ProcessWaitAwaiter::abort(TaskBase& task, lowlevel::CancelMessage message) noexcept {
    if (state_.kill_on_cancel) {
        state_.child.kill();
    }
    return ListWaiter::abort(task, message);
}

// ------------------------------------------------------------------------------------- start

namespace {

StreamReader open_reader(ProcessState& state, LoopIO& io, Socket descriptor, std::size_t limit) {
    auto* const pipe = new PipeConnection(io, {std::move(descriptor)}, limit, PipeDirection::read);
    StreamReader reader(*pipe);
    state.read_pipes.emplace_back(*pipe);
    return reader;
}

std::shared_ptr<ProcessState> make_state(LoopIO& io, StartedChild started, std::size_t limit) {
    auto state = std::make_shared<ProcessState>(*started.child);
    state->read_pipes.reserve(2);
    state->terminal = std::move(started.terminal);
    auto& [input, output, errors] = started.pipes;
    if (input) {
        state->input.emplace(
            *new PipeConnection(io, {std::move(input)}, limit, PipeDirection::write));
    }
    if (output) {
        state->output.emplace(open_reader(*state, io, std::move(output), limit));
    }
    if (errors) {
        state->errors.emplace(open_reader(*state, io, std::move(errors), limit));
    }
    return state;
}

Coroutine<Process> start(ProcessRequest request) {
    co_await request.look_up_names();
    LoopIO& io = LoopIO::of(get_running_loop());
    StartedChild started = start_child(io, request);
    Child& child = *started.child;
    try {
        auto state = make_state(io, std::move(started), request.limit);
        state->kill_on_cancel = request.kill_on_cancel;
        co_return Process(std::move(state));
    } catch (...) {
        child.kill();
        throw;
    }
}

}  // namespace

Coroutine<Process> start_process(std::vector<std::string> arguments,
                                 const SubprocessOptions& options) {
    return start(ProcessRequest(std::move(arguments), options));
}

std::vector<std::string> shell_arguments(std::string_view command,
                                         const SubprocessOptions& options) {
    return {options.executable.empty() ? "/bin/sh" : std::string(options.executable), "-c",
            std::string(command)};
}

// -------------------------------------------------------------------------------- communicate

namespace {

bool is_gone(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const BrokenPipeError&) {
        return true;
    } catch (const ConnectionResetError&) {
        return true;
    } catch (...) {
        return false;
    }
}

// Before anything is awaited, so that it is written or was not begun. A terminal has no end that
// could be closed: what means the end there is typed. Behind part of a line it only ends that.
void write_input(ProcessState& state, std::string_view input) {
    constexpr std::string_view end_of_file = "\x04";
    if (!state.input.has_value()) {
        return;
    }
    state.input->write(input);
    if (state.terminal) {
        if (!input.empty() && !input.ends_with('\n')) {
            state.input->write(end_of_file);
        }
        state.input->write(end_of_file);
    }
}

Coroutine<> close_input(std::shared_ptr<ProcessState> state) {
    if (!state->input.has_value()) {
        co_return;
    }
    const Result<void> drained = co_await as_result(state->input->drain());
    if (!drained.has_value() && !is_gone(drained.error())) {
        std::rethrow_exception(drained.error());
    }
    if (!state->terminal) {
        state->input->close();
    }
}

Coroutine<> collect(std::shared_ptr<ProcessState> state, bool of_output) {
    std::optional<StreamReader>& reader = of_output ? state->output : state->errors;
    std::optional<std::string>& collected =
        of_output ? state->collected_output : state->collected_errors;
    if (reader.has_value() && !collected.has_value()) {
        std::string text = co_await reader->read();
        collected.emplace(std::move(text));
    }
}

Coroutine<> exchange_all(std::shared_ptr<ProcessState> state) {
    co_await gather(close_input(state), collect(state, true), collect(state, false));
    co_await ProcessWait(state);
}

Coroutine<ProcessOutput> communicate_with(std::shared_ptr<ProcessState> state, std::string input) {
    if (!state->communicating) {
        write_input(*state, input);
        state->communicating = true;
    } else if (!input.empty()) {
        raise_value_error("Cannot send input after starting communication");
    }
    const Result<void> exchanged = co_await as_result(exchange_all(state));
    if (!exchanged.has_value()) {
        if (exchanged.cancelled() && state->kill_on_cancel) {
            state->child.kill();
        }
        std::rethrow_exception(exchanged.error());
    }
    state->communicating = false;
    ProcessOutput output;
    output.stdout_ = std::exchange(state->collected_output, std::nullopt).value_or("");
    output.stderr_ = std::exchange(state->collected_errors, std::nullopt).value_or("");
    co_return output;
}

[[noreturn]] void raise_no_pipe(const char* name) {
    throw RuntimeError(std::string("the process's ") + name + " is no pipe");
}

}  // namespace

}  // namespace detail

// ----------------------------------------------------------------------------------- Process

int Process::pid() const noexcept {
    return state_->child.pid();
}
std::optional<int> Process::returncode() const noexcept {
    return state_->child.returncode();
}
bool Process::has_stdin() const noexcept {
    return state_->input.has_value();
}
bool Process::has_stdout() const noexcept {
    return state_->output.has_value();
}
bool Process::has_stderr() const noexcept {
    return state_->errors.has_value();
}
StreamWriter& Process::stdin_() const {
    if (!has_stdin()) {
        detail::raise_no_pipe("stdin");
    }
    return *state_->input;
}
StreamReader& Process::stdout_() const {
    if (!has_stdout()) {
        detail::raise_no_pipe("stdout");
    }
    return *state_->output;
}
StreamReader& Process::stderr_() const {
    if (!has_stderr()) {
        detail::raise_no_pipe("stderr");
    }
    return *state_->errors;
}

Coroutine<ProcessOutput> Process::communicate(std::string input) const {
    return detail::communicate_with(state_, std::move(input));
}

void Process::send_signal(int signal) const {
    state_->child.send_signal(signal);
}
void Process::terminate() const {
    send_signal(SIGTERM);
}
void Process::kill() const {
    send_signal(SIGKILL);
}

void Process::set_terminal_size(TerminalSize size) const {
    if (!state_->terminal) {
        throw RuntimeError("the process has no terminal of its own");
    }
    winsize window{};
    window.ws_row = static_cast<unsigned short>(size.rows);
    window.ws_col = static_cast<unsigned short>(size.columns);
    if (::ioctl(state_->terminal.fileno(), TIOCSWINSZ, &window) != 0) {
        detail::raise_os_error(errno, "set the size of a terminal");
    }
}

}  // namespace asyncio
