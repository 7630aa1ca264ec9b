// pool_worker.hpp - a worker as its pool sees it: the calls that were sent to it, and its replies.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "call_list.hpp"
#include "protocol.hpp"

#include <asyncio/descriptors.hpp>
#include <asyncio/detail/processes/call.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <sys/types.h>
#include <sys/uio.h>

namespace asyncio::detail {

/// Fills in what a call's header says once it is known to whom it goes.
void complete_header(Message& message, std::uint64_t number) noexcept;

/// All of it is used by one thread at a time: with the pool's lock, but for receive(), which only
/// the pool's own thread calls.
class PoolWorker {
public:
    /// Of a socket and a page of its own; OSError. `first` is what is sent first, and
    /// outlives this.
    PoolWorker(int id, const Message& first);
    PoolWorker(const PoolWorker&) = delete;
    PoolWorker& operator=(const PoolWorker&) = delete;
    ~PoolWorker();

    [[nodiscard]] int id() const noexcept { return id_; }
    [[nodiscard]] int socket() const noexcept { return socket_.fileno(); }
    /// What the process gets; once it has them they are closed here.
    [[nodiscard]] int socket_of_process() const noexcept { return socket_of_process_.fileno(); }
    [[nodiscard]] int page_of_process() const noexcept { return page_of_process_.fileno(); }
    void close_those_of_process() noexcept;

    /// Puts a call behind those that it has. send() sends it.
    void add(std::shared_ptr<RemoteCall> call);
    /// Sends what the socket takes; what it does not take wants_to_send().
    void send() noexcept;
    [[nodiscard]] bool wants_to_send() const noexcept {
        return !doomed && (!first_sent_ || !rest_.bytes.empty() || unsent_ != nullptr);
    }
    /// Has the system refused the last send() for want of something? It will not say when there is
    /// more of that.
    [[nodiscard]] bool was_refused() const noexcept { return refused_ && wants_to_send(); }
    /// It will get no more, and ends when it has made what it has.
    void close_input() noexcept;
    [[nodiscard]] bool input_closed() const noexcept { return input_closed_; }

    /// The calls that it has and has not answered.
    [[nodiscard]] std::size_t load() const noexcept { return calls_.size(); }
    [[nodiscard]] const CallList& calls() const noexcept { return calls_; }
    /// How many more it may get. Those that were taken back count as long as an older one is not
    /// answered: each has its word in the page.
    [[nodiscard]] std::size_t room() const noexcept;
    /// How many it has answered.
    [[nodiscard]] std::uint64_t served() const noexcept { return served_; }

    /// Has it begun this one?
    [[nodiscard]] bool is_running(const RemoteCall& call) noexcept;
    [[nodiscard]] std::int64_t begun() noexcept { return page_->begun.load(); }
    /// Takes a call back that it has not begun; null if it has, or for want of memory.
    std::shared_ptr<RemoteCall> take_back(RemoteCall& call) noexcept;
    /// The same with the last one.
    std::shared_ptr<RemoteCall> take_last_back() noexcept;
    /// Takes the last call away whatever has become of it: for a worker that is doomed or dead.
    std::shared_ptr<RemoteCall> drop_last() noexcept;

    /// Receives what is there. Neither blocks nor throws.
    enum class Received { something, nothing, end };
    Received receive() noexcept;
    /// Is there something to receive?
    [[nodiscard]] bool has_unread() const noexcept;
    /// The next reply that is complete; its bytes are good until receive(). `broken` if it is none.
    struct Reply {
        ReplyHeader header;
        std::string_view bytes;
    };
    std::optional<Reply> next_reply(bool& broken) noexcept;
    /// The call that this is the reply to, which it has no more; null if there is none.
    std::shared_ptr<RemoteCall> answered(const ReplyHeader& reply) noexcept;

    /// How it ended.
    enum class Death : std::uint8_t {
        none,
        not_started,  ///< `death_value` is the errno
        ended,        ///< ... the status of waitpid()
        with_server,  ///< ... the exit status of the server process
    };

    pid_t pid = 0;
    Death death = Death::none;
    int death_value = 0;
    int signal_due = 0;    ///< that the server process has not been told to send
    bool ready = false;    ///< it has said so
    bool doomed = false;   ///< the pool kills it: it gets nothing more
    bool fresh = false;    ///< has been given calls that are to be sent
    bool hung_up = false;  ///< its socket has ended: nothing is polled any more

private:
    [[nodiscard]] const Message& next_message() const noexcept;
    [[nodiscard]] bool is_half_sent(const RemoteCall& call) const noexcept;
    void next_is_sent() noexcept;
    std::size_t gather(std::span<iovec> parts) const noexcept;

    int id_;
    FileDescriptor socket_;
    FileDescriptor socket_of_process_;
    FileDescriptor page_of_process_;
    WorkerPage* page_ = nullptr;
    CallList calls_;
    const Message& first_;
    bool first_sent_ = false;
    bool refused_ = false;
    Message rest_;  // of a call that was taken back half sent: the worker has to get all of it
    RemoteCall* unsent_ = nullptr;  // of calls_, the first one that has not been sent; or null
    std::size_t sent_of_next_ = 0;  // bytes, of next_message()
    std::uint64_t given_ = 0;  // calls, also those that were taken back: the number of the last one
    std::uint64_t served_ = 0;
    std::string received_;
    std::size_t read_ = 0;  // of received_
    bool input_closed_ = false;
};

}  // namespace asyncio::detail
