// pool_thread.cpp - the thread of a pool: starts workers, hears what comes from them, and sees to
// it that the calls of those that die end.
//
// SPDX-License-Identifier: MIT
#include "death.hpp"
#include "pool.hpp"

#include <algorithm>
#include <csignal>
#include <ctime>
#include <system_error>
#include <utility>

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

namespace asyncio::detail {

namespace {

constexpr int most_failed_starts = 3;  // in a row: it will not get better

std::int64_t now() noexcept {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    constexpr std::int64_t second = 1'000'000'000;
    return time.tv_sec * second + time.tv_nsec;
}

}  // namespace

void ProcessPool::run() noexcept {
    ::pthread_setname_np(::pthread_self(), "asyncio_pool");
    for (bool finished = false; !finished;) {
        try {
            finished = run_once();
        } catch (...) {
            give_up();
        }
    }
    server_.stop();
}

// For want of memory, usually. If there is not enough to say so, all is tried once more.
void ProcessPool::give_up() noexcept {
    try {
        std::string why = "the pool failed: " + describe(std::current_exception());
        const Lock lock(mutex_);
        break_pool(std::move(why));
    } catch (...) {}
}

// True when there is nothing left to do, ever.
bool ProcessPool::run_once() {
    std::vector<pollfd> polled;
    std::vector<PoolWorker*>
        workers;  // in the order of `polled`; only this thread changes workers_
    int milliseconds = -1;
    bury_dead();
    {
        const Lock lock(mutex_);
        woken_ = false;
        server_full_ = false;
        send_signals();
        dispatch(1);
        start_workers();
        dispatch(usual_load_now());
        share_out();
        close_idle_workers();
        milliseconds = kill_overdue();
        if (send_again()) {
            constexpr int moment = 10;
            milliseconds = milliseconds < 0 ? moment : std::min(milliseconds, moment);
        }
        if (!endings_.empty()) {
            milliseconds = 0;
        } else if ((ending_ || !broken_.empty()) && waiting_.empty() && workers_.empty()) {
            return true;
        }
        polled.push_back({wake_.fileno(), POLLIN, 0});
        const int server_events = server_full_ ? POLLIN | POLLOUT : POLLIN;
        // None: -1, which is passed over.
        polled.push_back({server_.socket(), static_cast<short>(server_events), 0});
        for (const auto& worker : workers_) {
            if (!worker->hung_up) {
                const bool to_send = worker->wants_to_send() && !worker->was_refused();
                const int events = to_send ? POLLIN | POLLOUT : POLLIN;
                polled.push_back({worker->socket(), static_cast<short>(events), 0});
                workers.push_back(worker.get());
            }
        }
    }
    if (::poll(polled.data(), polled.size(), milliseconds) > 0) {
        if (polled[0].revents != 0) {
            std::uint64_t count = 0;
            static_cast<void>(::read(wake_.fileno(), &count, sizeof count));
        }
        constexpr std::size_t first = 2;
        for (std::size_t i = 0; i < workers.size(); ++i) {
            handle_worker(*workers[i], polled[first + i].revents);
        }
        // After what the workers themselves have to say: this removes them.
        if (polled[1].revents != 0) {
            handle_server();
        }
    }
    give_endings();
    return false;
}

// ---------------------------------------------------------------------------- with the lock

void ProcessPool::start_workers() {
    while (wants_worker()) {
        try {
            if (!server_.is_running()) {
                server_.start();
            }
            auto worker = std::make_unique<PoolWorker>(++last_worker_, initial_call_);
            const ServerMessage message{ServerMessage::Kind::start, worker->id(), 0};
            if (const int error = server_.send(message, worker.get()); error != 0) {
                if (error != EAGAIN && error != EPIPE && error != ECONNRESET) {
                    raise_os_error(error, "start a worker process");
                }
                server_full_ = true;  // or it is gone, as will be seen
                return;
            }
            worker->close_those_of_process();
            worker->send();
            workers_.push_back(std::move(worker));
        } catch (const std::exception& error) {
            if (workers_.empty()) {
                break_pool(std::string("no worker process can be started: ") + error.what());
            }
            return;
        }
    }
}

// To those for whom the system had no room. Has it still none?
bool ProcessPool::send_again() noexcept {
    bool refused = false;
    for (const auto& worker : workers_) {
        if (worker->was_refused()) {
            worker->send();
            refused = refused || worker->was_refused();
        }
    }
    return refused;
}

void ProcessPool::close_idle_workers() {
    for (const auto& worker : workers_) {
        const bool worn_out =
            options_.max_tasks_per_child != 0 && worker->served() >= options_.max_tasks_per_child;
        const bool not_needed = ending_ && waiting_.empty();
        if (worker->load() == 0 && !worker->input_closed() && (worn_out || not_needed)) {
            worker->close_input();
        }
    }
}

// Until when to wait for the next one, in milliseconds.
int ProcessPool::kill_overdue() {
    std::int64_t soonest = -1;
    const std::int64_t time = now();
    for (const auto& worker : workers_) {
        if (worker->doomed || worker->load() == 0) {
            continue;
        }
        const RemoteCall& call = worker->calls().front();
        if (!call.limit.has_value()) {
            continue;
        }
        // One that has not begun cannot be overdue any sooner.
        const std::int64_t begun = worker->is_running(call) ? worker->begun() : time;
        const std::int64_t left = call.limit->nanoseconds() - (time - begun);
        if (left > 0) {
            soonest = soonest < 0 ? left : std::min(soonest, left);
        } else if (!worker->has_unread()) {  // or it may be the answer, which nobody has read yet
            const std::exception_ptr error = std::make_exception_ptr(
                TimeoutError(describe_call(call) + " took longer than it may"));
            if (kill_for(*worker, call)) {
                end_call(worker->drop_last(), error);
            }
        }
    }
    constexpr std::int64_t millisecond = 1'000'000;
    constexpr std::int64_t longest = 3'600'000;
    return static_cast<int>(soonest < 0 ? -1 : std::min(soonest / millisecond + 1, longest));
}

// --------------------------------------------------------------------------- what workers say

void ProcessPool::handle_worker(PoolWorker& worker, int events) {
    if ((events & POLLOUT) != 0) {
        const Lock lock(mutex_);
        worker.send();
    }
    if ((events & ~POLLOUT) == 0 || read_replies(worker) != PoolWorker::Received::end) {
        return;
    }
    // What it ended with the server will know. If it has not ended, it shall.
    const Lock lock(mutex_);
    worker.hung_up = true;
    send_signal(worker, SIGKILL);
}

// The end also if it is not what it should be.
PoolWorker::Received ProcessPool::read_replies(PoolWorker& worker) {
    const PoolWorker::Received received = worker.receive();
    Replies replies;
    bool broken = false;
    {
        const Lock lock(mutex_);
        while (const std::optional<PoolWorker::Reply> reply = worker.next_reply(broken)) {
            take_reply(worker, *reply, replies, broken);
        }
        // First of all they get more to do.
        dispatch(usual_load_now());
    }
    for (std::size_t i = 0; !replies.calls.empty(); ++i) {
        const std::shared_ptr<RemoteCall> call = replies.calls.pop_front();
        const PoolWorker::Reply& reply = replies.texts[i];
        if (reply.header.kind == ReplyHeader::Kind::value) {
            call->succeed(reply.bytes);
        } else {
            call->fail(error_in(reply.bytes));
        }
    }
    return broken ? PoolWorker::Received::end : received;
}

void ProcessPool::take_reply(PoolWorker& worker, const PoolWorker::Reply& reply, Replies& replies,
                             bool& broken) {
    switch (reply.header.kind) {
        case ReplyHeader::Kind::ready:
            worker.ready = true;
            failed_starts_ = 0;
            return;
        case ReplyHeader::Kind::failed:
            break_pool("the initializer of a worker process threw " +
                       describe(error_in(reply.bytes)));
            return;
        case ReplyHeader::Kind::value:
        case ReplyHeader::Kind::error:
            break;
        default:
            broken = true;
            return;
    }
    std::shared_ptr<RemoteCall> call = worker.answered(reply.header);
    if (call == nullptr) {
        broken = !worker.doomed;  // or it is of the call that it is killed for
        return;
    }
    note_duration(reply.header.nanoseconds);
    call->state_ = RemoteCall::State::done;
    call->request = {};
    replies.texts[replies.calls.size()] = reply;
    replies.calls.push_back(std::move(call));
}

std::exception_ptr ProcessPool::error_in(std::string_view bytes) noexcept {
    try {
        const WireDocument document(bytes);
        return read_exception(document.value());
    } catch (...) {
        return std::current_exception();
    }
}

// ------------------------------------------------------------------------ what the server says

void ProcessPool::handle_server() {
    for (;;) {
        bool ended = false;
        std::optional<ServerMessage> message;
        try {
            const Lock lock(mutex_);
            message = server_.receive(ended);
        } catch (const RuntimeError& error) {
            const Lock lock(mutex_);
            break_pool(error.what());
            ended = true;
        }
        if (ended) {
            server_ended();
            return;
        }
        if (!message.has_value()) {
            return;
        }
        handle(*message);
    }
}

void ProcessPool::handle(const ServerMessage& message) {
    const Lock lock(mutex_);
    PoolWorker* const worker = find(message.worker);
    if (worker == nullptr) {
        return;
    }
    switch (message.kind) {
        case ServerMessage::Kind::started:
            worker->pid = message.value;
            break;
        case ServerMessage::Kind::failed:
            worker->death_value = message.value;
            worker->death = PoolWorker::Death::not_started;
            break;
        case ServerMessage::Kind::ended:
            worker->death_value = message.value;
            worker->death = PoolWorker::Death::ended;
            break;
        default:
            break;
    }
}

void ProcessPool::server_ended() {
    const Lock lock(mutex_);
    const int status = server_.stop();
    for (const auto& worker : workers_) {
        if (worker->death == PoolWorker::Death::none) {
            worker->death_value = status;
            worker->death = PoolWorker::Death::with_server;
        }
    }
}

// ------------------------------------------------------------------------- the end of workers

namespace {

std::string describe_death(const PoolWorker& worker) {
    std::string text = "worker process " + std::to_string(worker.pid) + ' ';
    switch (worker.death) {
        case PoolWorker::Death::not_started:
            return text +
                   "could not be started: " + std::generic_category().message(worker.death_value);
        case PoolWorker::Death::with_server:
            return text + "ended with the process that started it, whose status is " +
                   std::to_string(worker.death_value);
        default:
            return text + describe_status(worker.death_value);
    }
}

}  // namespace

void ProcessPool::bury_dead() {
    for (std::size_t i = 0; i < workers_.size();) {  // only this thread adds and removes them
        if (workers_[i]->death == PoolWorker::Death::none) {
            ++i;
        } else {
            bury(*workers_[i]);
            const Lock lock(mutex_);
            workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
}

void ProcessPool::bury(PoolWorker& worker) {
    {
        const Lock lock(mutex_);
        worker.hung_up = true;  // it gets nothing more
    }
    // What it has answered before is answered, however it ended.
    while (read_replies(worker) == PoolWorker::Received::something) {}
    const Lock lock(mutex_);
    if (worker.load() == 0 && worker.input_closed()) {
        return;  // as it should
    }
    // Those that it has not begun can be made by anybody.
    while (std::shared_ptr<RemoteCall> call = worker.take_last_back()) {
        waiting_.push_front(std::move(call));
    }
    std::string what = describe_death(worker);
    if (forced_ != 0) {
        what += ", by the end of the pool";
    }
    if (worker.load() != 0) {
        what += " while it ran " + describe_call(worker.calls().back());
    }
    const int failed_starts = failed_starts_ + (worker.ready || worker.doomed ? 0 : 1);
    const bool goes_on =
        (options_.restart_workers || worker.doomed) && failed_starts < most_failed_starts;
    if (!goes_on && forced_ == 0) {
        break_pool("A process in the process pool was terminated abruptly: " + what);
    }
    failed_starts_ = failed_starts;
    const std::exception_ptr error = std::make_exception_ptr(BrokenProcessPool(what));
    while (worker.load() != 0) {
        end_call(worker.drop_last(), error);
    }
    if (forced_ != 0) {
        cancel_waiting();
    }
}

}  // namespace asyncio::detail
