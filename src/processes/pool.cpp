// pool.cpp - calls that come in, wait, are given to workers and end.
//
// SPDX-License-Identifier: MIT
#include "pool.hpp"

#include "death.hpp"
#include "signals_blocked.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace asyncio::detail {

namespace {

// How many calls a worker has at a time: enough that it need not wait for the next one. Those that
// it has not begun are taken back where somebody else has nothing to do.
constexpr std::size_t usual_load = 2;
constexpr std::size_t load_of_short_calls = 32;
constexpr std::int64_t short_call = 100'000;  // nanoseconds

std::size_t usable_processors() {
    cpu_set_t set;
    return ::sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<std::size_t>(CPU_COUNT(&set))
                                                         : 1;
}

ProcessPoolOptions filled_in(ProcessPoolOptions options) {
    if (options.max_workers > std::size_t{std::numeric_limits<int>::max()}) {  // it was negative
        raise_value_error("max_workers must be greater than 0");
    }
    if (options.max_workers == 0) {
        options.max_workers = usable_processors();
    }
    if (options.timeout.has_value() && *options.timeout <= Duration()) {
        raise_value_error("the time limit of a call must be greater than 0");
    }
    return options;
}

// To a worker: with the initial call or without, it has a header.
Message first_message(Message initial_call) {
    CallHeader header;
    if (initial_call.bytes.empty()) {
        initial_call.bytes.assign(sizeof header, '\0');
    }
    complete_header(initial_call, 0);
    return initial_call;
}

}  // namespace

ProcessPool::ProcessPool(const ProcessPoolOptions& options, Message initial_call)
    : options_(filled_in(options)),
      initial_call_(first_message(std::move(initial_call))),
      owner_(::getpid()),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!wake_) {
        raise_os_error(errno, "make a pool of processes");
    }
}

ProcessPool::~ProcessPool() = default;

// ------------------------------------------------------------------------- from any thread

void ProcessPool::submit(std::shared_ptr<RemoteCall> call) {
    if (::getpid() != owner_) {
        throw RuntimeError("a pool of processes cannot be used in a child of its process");
    }
    const Lock lock(mutex_);
    if (!broken_.empty()) {
        throw BrokenProcessPool(broken_);
    }
    if (ending_) {
        throw RuntimeError("cannot schedule new futures after shutdown");
    }
    if (!thread_.joinable()) {
        const SignalsBlocked blocked;
        thread_ = std::thread([self = shared_from_this()] { self->run(); });
        thread_id_ = thread_.get_id();
    }
    call->id_ = ++last_call_;
    waiting_.push_back(std::move(call));
    // In this thread only as long as a worker waits for it: there is no quicker way. The others get
    // several at once, from the pool's thread.
    dispatch(1);
    const bool unsent = std::any_of(workers_.begin(), workers_.end(),
                                    [](const auto& worker) { return worker->wants_to_send(); });
    if (unsent || wants_worker()) {
        wake();
    }
}

bool ProcessPool::cancel(RemoteCall& call) {
    if (::getpid() != owner_) {
        return false;  // whose call it is not, and whose mutex may be locked for ever
    }
    const Lock lock(mutex_);
    switch (call.state_) {
        case RemoteCall::State::waiting:
            waiting_.take(call);
            break;
        case RemoteCall::State::sent:
            if (PoolWorker& worker = *call.worker_; worker.take_back(call) == nullptr) {
                if (!call.kill_on_cancel || !worker.is_running(call) || !kill_for(worker, call)) {
                    return false;
                }
                worker.drop_last();
            }
            break;
        case RemoteCall::State::done:
            return false;
    }
    call.state_ = RemoteCall::State::done;
    call.request = {};
    wake();  // there may be nothing left to wait for
    return true;
}

bool ProcessPool::is_running(const RemoteCall& call) {
    if (::getpid() != owner_) {
        return false;
    }
    const Lock lock(mutex_);
    return call.state_ == RemoteCall::State::sent && call.worker_->is_running(call);
}

void ProcessPool::shutdown(bool wait, bool cancel_futures) {
    if (::getpid() != owner_) {
        return;  // whose thread and workers they are not
    }
    {
        const Lock lock(mutex_);
        ending_ = true;
        if (cancel_futures) {
            cancel_waiting();
        }
        wake();
    }
    give_endings();
    if (wait && std::this_thread::get_id() != thread_id_) {
        const std::lock_guard lock(joining_);
        if (thread_.joinable()) {
            thread_.join();
        }
    }
}

void ProcessPool::shutdown_by(int signal) {
    if (::getpid() != owner_) {
        return;
    }
    {
        const Lock lock(mutex_);
        ending_ = true;
        forced_ = signal;
        cancel_waiting();
        for (const auto& worker : workers_) {
            send_signal(*worker, signal);
        }
        wake();
    }
    give_endings();
}

void ProcessPool::leave() noexcept {
    if (::getpid() != owner_) {
        // Of its process the child has neither the thread nor who may have locked the mutex.
        if (thread_.joinable()) {
            thread_.detach();
        }
        return;
    }
    const std::lock_guard lock(joining_);
    if (thread_.joinable()) {
        thread_.detach();
    }
}

std::vector<int> ProcessPool::pids() {
    if (::getpid() != owner_) {
        return {};
    }
    const Lock lock(mutex_);
    std::vector<int> pids;
    for (const auto& worker : workers_) {
        if (worker->pid != 0) {
            pids.push_back(worker->pid);
        }
    }
    return pids;
}

// ---------------------------------------------------------------------------- with the lock

void ProcessPool::wake() noexcept {
    if (!std::exchange(woken_, true)) {
        const std::uint64_t one = 1;
        static_cast<void>(::write(wake_.fileno(), &one, sizeof one));
    }
}

PoolWorker* ProcessPool::find(int id) {
    const auto at = std::find_if(workers_.begin(), workers_.end(),
                                 [id](const auto& worker) { return worker->id() == id; });
    return at != workers_.end() ? at->get() : nullptr;
}

std::size_t ProcessPool::room(const PoolWorker& worker, std::size_t most) const {
    if (!worker.ready || worker.doomed || worker.hung_up || worker.input_closed()) {
        return 0;
    }
    if (options_.max_tasks_per_child != 0) {
        most = std::min(most, options_.max_tasks_per_child - worker.served());
    }
    return most > worker.load() ? std::min(most - worker.load(), worker.room()) : 0;
}

// The calls that wait, one after the other, to whom has least. As long as there can be another
// worker for one, it is not put behind a call that may be long.
void ProcessPool::dispatch(std::size_t most) {
    if (wants_worker()) {
        most = 1;
    }
    while (!waiting_.empty()) {
        PoolWorker* least = nullptr;
        for (const auto& worker : workers_) {
            if (room(*worker, most) != 0 && (least == nullptr || worker->load() < least->load())) {
                least = worker.get();
            }
        }
        if (least == nullptr) {
            break;
        }
        least->add(waiting_.pop_front());
        least->fresh = true;
    }
    for (const auto& worker : workers_) {
        if (std::exchange(worker->fresh, false)) {
            worker->send();
        }
    }
}

// Who has nothing to do takes what others have not begun.
void ProcessPool::share_out() {
    for (const auto& idle : workers_) {
        if (!waiting_.empty() || idle->load() != 0 || room(*idle, 1) == 0) {
            continue;
        }
        PoolWorker* most = nullptr;
        for (const auto& worker : workers_) {
            if (worker->load() > 1 && (most == nullptr || worker->load() > most->load())) {
                most = worker.get();
            }
        }
        if (most == nullptr) {
            return;
        }
        const std::size_t half = std::min(most->load() / 2, room(*idle, load_of_short_calls));
        CallList taken;
        while (taken.size() < half) {
            std::shared_ptr<RemoteCall> call = most->take_last_back();
            if (call == nullptr) {
                break;
            }
            taken.push_front(std::move(call));
        }
        while (!taken.empty()) {
            idle->add(taken.pop_front());
        }
        idle->send();
    }
}

bool ProcessPool::wants_worker() const {
    if (waiting_.empty() || !broken_.empty() || forced_ != 0) {
        return false;
    }
    std::size_t there = 0;
    std::size_t starting = 0;
    for (const auto& worker : workers_) {
        there += worker->input_closed() || worker->hung_up || worker->doomed ? 0 : 1;
        starting += worker->ready ? 0 : 1;
    }
    return there < options_.max_workers && starting < waiting_.size();
}

// Of a call that is in no list; without an error it is cancelled.
void ProcessPool::end_call(std::shared_ptr<RemoteCall> call,
                           const std::exception_ptr& error) noexcept {
    call->state_ = RemoteCall::State::done;
    call->error_ = error;
    // Or who has the future would keep the other ends of pipes open.
    call->request = {};
    endings_.push_back(std::move(call));
}

void ProcessPool::cancel_waiting() noexcept {
    for (const auto& worker : workers_) {
        while (std::shared_ptr<RemoteCall> call = worker->take_last_back()) {
            waiting_.push_front(std::move(call));
        }
    }
    while (!waiting_.empty()) {
        end_call(waiting_.pop_front(), nullptr);
    }
}

void ProcessPool::break_pool(std::string why) {
    if (!broken_.empty()) {
        return;
    }
    const std::exception_ptr error = std::make_exception_ptr(BrokenProcessPool(why));
    broken_ = std::move(why);
    for (const auto& worker : workers_) {
        worker->doomed = true;
        send_signal(*worker, SIGKILL);
        while (worker->load() != 0) {
            waiting_.push_front(worker->drop_last());
        }
    }
    while (!waiting_.empty()) {
        end_call(waiting_.pop_front(), error);
    }
}

// Kills a worker for the sake of one call that it is at. Those behind it are taken back first: it
// might begin the next one before the signal comes. If it has begun that already, it is not killed,
// and false is returned: this one has been made.
bool ProcessPool::kill_for(PoolWorker& worker, const RemoteCall& call) noexcept {
    while (&worker.calls().back() != &call) {
        std::shared_ptr<RemoteCall> behind = worker.take_last_back();
        if (behind == nullptr) {
            return false;
        }
        waiting_.push_front(std::move(behind));
    }
    worker.doomed = true;
    send_signal(worker, SIGKILL);
    return true;
}

std::string ProcessPool::describe_call(const RemoteCall& call) {
    const std::string what = call.name.empty() ? demangled(call.type->name()) : call.name;
    return "call " + std::to_string(call.id_) + " (" + what + ')';
}

void ProcessPool::send_signal(PoolWorker& worker, int signal) noexcept {
    if (worker.signal_due != SIGKILL) {
        worker.signal_due = signal;
    }
    send_signals();
}

// The server may have too much to do to take them now; then they are sent later.
void ProcessPool::send_signals() noexcept {
    for (const auto& worker : workers_) {
        if (worker->signal_due == 0 || worker->death != PoolWorker::Death::none) {
            continue;
        }
        const ServerMessage message{ServerMessage::Kind::signal, worker->id(), worker->signal_due};
        if (server_.send(message) != 0) {
            server_full_ = true;
            return;
        }
        worker->signal_due = 0;
    }
}

std::size_t ProcessPool::usual_load_now() const noexcept {
    return mean_duration_ >= 0 && mean_duration_ < short_call ? load_of_short_calls : usual_load;
}

void ProcessPool::note_duration(std::int64_t nanoseconds) noexcept {
    constexpr std::int64_t weight = 8;
    mean_duration_ =
        mean_duration_ < 0 ? nanoseconds : mean_duration_ + (nanoseconds - mean_duration_) / weight;
}

// ----------------------------------------------------------------------------- without it

void ProcessPool::give_endings() {
    for (;;) {
        CallList endings;
        {
            const Lock lock(mutex_);
            endings.swap(endings_);
        }
        if (endings.empty()) {
            return;
        }
        while (!endings.empty()) {
            const std::shared_ptr<RemoteCall> call = endings.pop_front();
            if (call->error_ != nullptr) {
                call->fail(std::move(call->error_));
            } else {
                call->cancel_now();
            }
        }
    }
}

bool cancel_call(const std::weak_ptr<ProcessPool>& pool, RemoteCall& call) {
    const std::shared_ptr<ProcessPool> there = pool.lock();
    return there != nullptr && there->cancel(call);
}

bool is_running(const std::weak_ptr<ProcessPool>& pool, const RemoteCall& call) {
    const std::shared_ptr<ProcessPool> there = pool.lock();
    return there != nullptr && there->is_running(call);
}

}  // namespace asyncio::detail
