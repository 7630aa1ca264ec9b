// pool.hpp - what a ProcessPoolExecutor is a handle of: calls that wait, workers, and the thread
// that brings them together.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "call_list.hpp"
#include "pool_worker.hpp"
#include "server_process.hpp"

#include <asyncio/processes.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace asyncio::detail {

/// Calls are done without the lock, for that runs what the user has: whoever finds out how one ends
/// puts it with the endings, under the lock, and gives these when the lock is free.
///
/// Calls go from list to list without anything that could fail. What can is done before, so that
/// whoever is left by an exception can be called again: no call is lost, and none is given twice.
class ProcessPool : public std::enable_shared_from_this<ProcessPool> {
public:
    ProcessPool(const ProcessPoolOptions& options, Message initial_call);
    ~ProcessPool();
    ProcessPool(const ProcessPool&) = delete;
    ProcessPool& operator=(const ProcessPool&) = delete;

    void submit(std::shared_ptr<RemoteCall> call);
    bool cancel(RemoteCall& call);
    [[nodiscard]] bool is_running(const RemoteCall& call);
    void shutdown(bool wait, bool cancel_futures);
    /// With this signal to all workers, now.
    void shutdown_by(int signal);
    /// Whoever would have to wait for it does not.
    void leave() noexcept;

    [[nodiscard]] std::vector<int> pids();
    [[nodiscard]] const ProcessPoolOptions& options() const noexcept { return options_; }

private:
    using Lock = std::unique_lock<std::mutex>;

    /// Calls, and in the same order what they are answered: as many as a worker may have.
    struct Replies {
        CallList calls;
        std::array<PoolWorker::Reply, WorkerPage::slots> texts;
    };

    // ---- in the pool's thread
    void run() noexcept;
    bool run_once();
    void give_up() noexcept;
    void handle_worker(PoolWorker& worker, int events);
    PoolWorker::Received read_replies(PoolWorker& worker);
    void handle_server();
    void handle(const ServerMessage& message);
    void server_ended();
    void bury_dead();
    void bury(PoolWorker& worker);
    void give_endings();
    static std::exception_ptr error_in(std::string_view bytes) noexcept;

    // ---- there, with the lock
    void start_workers();
    bool send_again() noexcept;
    void close_idle_workers();
    int kill_overdue();
    void take_reply(PoolWorker& worker, const PoolWorker::Reply& reply, Replies& replies,
                    bool& broken);

    // ---- with the lock
    void dispatch(std::size_t most);
    void share_out();
    [[nodiscard]] std::size_t room(const PoolWorker& worker, std::size_t most) const;
    [[nodiscard]] bool wants_worker() const;
    void end_call(std::shared_ptr<RemoteCall> call, const std::exception_ptr& error) noexcept;
    void cancel_waiting() noexcept;
    void break_pool(std::string why);
    bool kill_for(PoolWorker& worker, const RemoteCall& call) noexcept;
    void send_signal(PoolWorker& worker, int signal) noexcept;
    void send_signals() noexcept;
    void wake() noexcept;
    [[nodiscard]] std::size_t usual_load_now() const noexcept;
    void note_duration(std::int64_t nanoseconds) noexcept;
    [[nodiscard]] PoolWorker* find(int id);
    static std::string describe_call(const RemoteCall& call);

    const ProcessPoolOptions options_;
    const Message initial_call_;
    const pid_t owner_;

    std::mutex mutex_;
    CallList waiting_;
    std::vector<std::unique_ptr<PoolWorker>> workers_;
    CallList endings_;  // of those without an error: cancelled
    ServerProcess server_;
    bool server_full_ = false;  // it has not taken a message that is still to be sent
    FileDescriptor wake_;
    bool woken_ = false;
    bool ending_ = false;
    std::string broken_;  // why; empty: it is not
    int forced_ = 0;      // the signal by which the workers are ended
    std::uint64_t last_call_ = 0;
    int last_worker_ = 0;              // its id
    int failed_starts_ = 0;            // without one between them that was ready
    std::int64_t mean_duration_ = -1;  // of calls, lately; -1: not known

    std::mutex joining_;
    std::thread thread_;
    std::thread::id thread_id_;
};

}  // namespace asyncio::detail
