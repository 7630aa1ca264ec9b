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
            const Lock lock(mutex_);
            break_pool("the pool failed: " + describe(std::current_exception()));
        }
    }
    server_.stop();
}

// True when there is nothing left to do, ever.
bool ProcessPool::run_once() {
    std::vector<pollfd> polled;
    std::vector<PoolWorker*>
        workers;  // in the order of `polled`; only this thread changes workers_
    int milliseconds = -1;
    {
        const Lock lock(mutex_);
        woken_ = false;
        dispatch(usual_load_now());
        share_out();
        start_workers();
        close_idle_workers();
        milliseconds = kill_overdue();
        if (!endings_.empty()) {
            milliseconds = 0;
        } else if ((ending_ || !broken_.empty()) && waiting_.empty() && workers_.empty()) {
            return true;
        }
        polled.push_back({wake_.fileno(), POLLIN, 0});
        polled.push_back({server_.socket(), POLLIN, 0});  // none: -1, which is passed over
        for (const auto& worker : workers_) {
            if (!worker->hung_up) {
                const int events = worker->wants_to_send() ? POLLIN | POLLOUT : POLLIN;
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
            if (!server_.send({ServerMessage::Kind::start, worker->id(), 0}, worker.get())) {
                return;  // it is gone, as will be seen, or very busy
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
        const std::shared_ptr<RemoteCall>& call = worker->calls().front();
        if (!call->limit.has_value()) {
            continue;
        }
        // One that has not begun cannot be overdue any sooner.
        const std::int64_t begun = worker->is_running(*call) ? worker->begun() : time;
        const std::int64_t left = call->limit->nanoseconds() - (time - begun);
        if (left <= 0) {
            worker->doomed = true;
            send_signal(*worker, SIGKILL);
            end_call(call, std::make_exception_ptr(
                               TimeoutError(describe_call(*call) + " took longer than it may")));
        } else if (soonest < 0 || left < soonest) {
            soonest = left;
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
    for (auto& [call, reply] : replies) {
        if (reply.header.kind == ReplyHeader::Kind::value) {
            call->succeed(reply.bytes);
        } else {
            call->fail(error_in(reply.bytes));
        }
        call.reset();
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
        broken = true;
        return;
    }
    note_duration(reply.header.nanoseconds);
    if (call->state_ != RemoteCall::State::done) {
        call->state_ = RemoteCall::State::done;
        call->request = {};
        replies.emplace_back(std::move(call), reply);
    }
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
    switch (message.kind) {
        case ServerMessage::Kind::started: {
            const Lock lock(mutex_);
            if (PoolWorker* const worker = find(message.worker)) {
                worker->pid = message.value;
            }
            break;
        }
        case ServerMessage::Kind::failed:
            worker_ended(message.worker,
                         "could not be started: " + std::generic_category().message(message.value));
            break;
        case ServerMessage::Kind::ended:
            worker_ended(message.worker, describe_status(message.value));
            break;
        default:
            break;
    }
}

void ProcessPool::server_ended() {
    int status = 0;
    {
        const Lock lock(mutex_);
        status = server_.stop();
        if (workers_.empty()) {
            return;
        }
    }
    const std::string how =
        "ended with the process that started it, whose status is " + std::to_string(status);
    while (!workers_.empty()) {
        worker_ended(workers_.front()->id(), how);
    }
}

void ProcessPool::worker_ended(int id, const std::string& how) {
    PoolWorker* const worker = find(id);  // only this thread adds and removes them
    if (worker == nullptr) {
        return;
    }
    // What it has answered before is answered, however it ended.
    {
        const Lock lock(mutex_);
        worker->hung_up = true;  // it gets nothing more
    }
    while (read_replies(*worker) == PoolWorker::Received::something) {}
    const Lock lock(mutex_);
    const auto at = std::find_if(workers_.begin(), workers_.end(),
                                 [worker](const auto& each) { return each.get() == worker; });
    const std::unique_ptr<PoolWorker> gone = std::move(*at);
    workers_.erase(at);
    if (gone->load() == 0 && gone->input_closed()) {
        return;  // as it should
    }
    std::string what = "worker process " + std::to_string(gone->pid) + ' ' + how;
    if (forced_ != 0) {
        what += ", by the end of the pool";
    }
    // The one that it was at ends with it; the others can be made by anybody.
    const bool began = gone->load() != 0 && gone->is_running(*gone->calls().front());
    if (began) {
        what += " while it ran " + describe_call(*gone->calls().front());
    }
    if (began && (options_.restart_workers || forced_ != 0)) {
        end_call(gone->calls().front(), std::make_exception_ptr(BrokenProcessPool(what)));
    }
    for (; !gone->calls().empty(); gone->calls().pop_back()) {
        std::shared_ptr<RemoteCall>& call = gone->calls().back();
        if (call->state_ != RemoteCall::State::done) {
            call->worker_ = nullptr;
            call->state_ = RemoteCall::State::waiting;
            waiting_.push_front(std::move(call));
        }
    }
    if (forced_ != 0) {
        cancel_waiting();
        return;
    }
    failed_starts_ += gone->ready || gone->doomed ? 0 : 1;
    if ((!options_.restart_workers && !gone->doomed) || failed_starts_ >= most_failed_starts) {
        break_pool("A process in the process pool was terminated abruptly: " + what);
    }
}

}  // namespace asyncio::detail
