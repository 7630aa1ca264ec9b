// network.hpp - the other end of a connection, held by the test; and a proactor that makes trouble.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/lowlevel/proactor.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/testing/settle.hpp>
#include <asyncio/testing/virtual_clock.hpp>

#include <gtest/gtest.h>

#include "async_test.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace asyncio::testing {

/// How many descriptors this process has open.
inline std::size_t open_descriptors() {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

/// A connected TCP socket that the library knows nothing of.
class Peer {
public:
    Peer() = default;
    explicit Peer(int fd) : fd_(fd) {}
    Peer(Peer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Peer& operator=(Peer other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Peer() { close(); }

    /// Connects to a port of this machine; the backlog sees to it that this does not wait.
    static Peer connect(int port) {
        Peer peer(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        peer.connect_to(port);
        return peer;
    }
    void connect_to(int port) const {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    }

    /// All of it, which must be little enough not to wait.
    void send(std::string_view bytes) const {
        EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(bytes.size()));
    }
    /// As much as can be sent without waiting.
    [[nodiscard]] std::size_t try_send(std::string_view bytes) const {
        const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        return sent > 0 ? static_cast<std::size_t>(sent) : 0;
    }

    enum class Received { something, nothing, end, error };
    /// Appends what has arrived.
    Received receive(std::string& out, std::size_t most = std::size_t{1} << 20) {
        buffer_.resize(most);
        const ssize_t count = ::recv(fd_, buffer_.data(), most, MSG_DONTWAIT);
        if (count > 0) {
            out.append(buffer_, 0, static_cast<std::size_t>(count));
            return Received::something;
        }
        if (count == 0) {
            return Received::end;
        }
        return errno == EAGAIN ? Received::nothing : Received::error;
    }
    /// Waits for it, while the loop runs, and for the end.
    Coroutine<std::string> receive_all() {
        std::string all;
        for (;;) {
            const Received received = receive(all);
            if (received == Received::end || received == Received::error) {
                co_return all;
            }
            co_await sleep(pause(received));
        }
    }
    Coroutine<std::string> receive_exactly(std::size_t size) {
        std::string all;
        while (all.size() < size) {
            co_await sleep(pause(receive(all, size - all.size())));
        }
        co_return all;
    }

    /// Nothing more will be sent.
    void shut() const { EXPECT_EQ(::shutdown(fd_, SHUT_WR), 0); }
    void close() {
        if (fd_ >= 0) {
            ::close(std::exchange(fd_, -1));
        }
    }
    /// Closes it so that the other end gets a reset.
    void reset() {
        const linger none{1, 0};
        EXPECT_EQ(::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &none, sizeof none), 0);
        close();
    }
    void set_buffers(int send, int receive) const {
        EXPECT_EQ(::setsockopt(fd_, SOL_SOCKET, SO_SNDBUF, &send, sizeof send), 0);
        EXPECT_EQ(::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive), 0);
    }
    [[nodiscard]] int fileno() const { return fd_; }

private:
    // A turn for the loop; when nothing comes for long, time for its timers.
    double pause(Received received) {
        idle_ = received == Received::nothing ? idle_ + 1 : 0;
        return idle_ < 100 ? 0 : 0.1;
    }

    int fd_ = -1;
    int idle_ = 0;
    std::string buffer_;
};

/// Listens on a port of this machine, and accepts by hand.
class PeerListener {
public:
    explicit PeerListener(int backlog = 128)
        : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(::listen(fd_, backlog), 0);
    }
    PeerListener(const PeerListener&) = delete;
    PeerListener& operator=(const PeerListener&) = delete;
    ~PeerListener() { ::close(fd_); }

    [[nodiscard]] int port() const {
        sockaddr_in address{};
        socklen_t size = sizeof address;
        EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
        return ntohs(address.sin_port);
    }
    [[nodiscard]] Peer accept() const {
        return Peer(::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC));
    }
    [[nodiscard]] int fileno() const { return fd_; }

private:
    int fd_;
};

/// Connects; the other end becomes `peer`.
inline Coroutine<StreamPair> open_to(Peer& peer, std::size_t limit = std::size_t{64} * 1024) {
    const PeerListener listener;
    OpenConnectionOptions options;
    options.limit = limit;
    StreamPair streams = co_await open_connection("127.0.0.1", listener.port(), options);
    peer = listener.accept();
    co_return streams;
}

/// What a FaultProactor does.
struct Faults {
    static constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

    std::size_t most_received = no_limit;  ///< by one operation
    std::size_t most_sent = no_limit;
    unsigned refuse_attempts = 0;         ///< each of so many; 1: all, as io_uring does
    std::deque<int> accept_errors;        ///< what the next ones come to
    int accepts = 0;                      ///< that were tried
    int receive_error = 0;                ///< what every recv comes to ...
    std::size_t receive_error_after = 0;  ///< ... after so many bytes in all
    int send_error = 0;                   ///< the same for send and send_vector
    std::size_t send_error_after = 0;
    unsigned late_cancel = 0;     ///< so many polls later than asked for a cancelled operation ends
    bool no_descriptors = false;  ///< the process has used up all it may have
};

/// While it lives no descriptor can be had; those that are open stay open.
class NoDescriptors {
public:
    explicit NoDescriptors(bool really) : really_(really) {
        if (really_) {
            EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
            rlimit none = before_;
            none.rlim_cur = 0;
            EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
        }
    }
    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;
    ~NoDescriptors() {
        if (really_) {
            EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0);
        }
    }

private:
    bool really_;
    rlimit before_{};
};

/// A proactor that does what it is asked for, but in pieces, late, or not at all.
class FaultProactor final : public lowlevel::Proactor {
public:
    FaultProactor(std::unique_ptr<Proactor> inner, Faults& faults)
        : Proactor(&attempt_inside), inner_(std::move(inner)), faults_(faults) {}

    void poll(lowlevel::CallbackList& pending, lowlevel::CallbackList& ready,
              TimePoint deadline) override {
        lowlevel::CallbackList passed;
        bool done = end_cancelled(ready);
        while (!pending.empty()) {
            auto& operation = static_cast<lowlevel::Operation&>(pending.pop_front());
            if (fails(operation)) {
                ready.push_back(operation);
                done = true;
            } else {
                shorten(operation);
                passed.push_back(operation);
            }
        }
        lowlevel::CallbackList finished;
        {
            // Only here, because the sanitizers need descriptors of their own.
            const NoDescriptors scope(faults_.no_descriptors);
            inner_->poll(passed, finished,
                         done || !cancelled_.empty() ? TimePoint::min() : deadline);
        }
        hold_back(finished, ready);
    }
    // What is still in the loop's list was never begun: it ends at once on every backend.
    void cancel(lowlevel::Operation& operation, lowlevel::CallbackList& ready) noexcept override {
        if (faults_.late_cancel > 0 && operation.started) {
            cancelled_.emplace(&operation, faults_.late_cancel);
            return;
        }
        lowlevel::CallbackList finished;
        inner_->cancel(operation, finished);
        restore(finished, ready);
    }
    void abort_all(lowlevel::CallbackList& ready) noexcept override {
        lowlevel::CallbackList finished;
        inner_->abort_all(finished);
        cancelled_.clear();
        while (!held_.empty()) {
            release(static_cast<lowlevel::Operation&>(held_.pop_front()), ready);
        }
        restore(finished, ready);
    }
    std::int64_t call(lowlevel::Operation& operation) noexcept override {
        return inner_->call(operation);
    }
    [[nodiscard]] TimePoint now() const noexcept override { return inner_->now(); }
    void wake() noexcept override { inner_->wake(); }
    [[nodiscard]] int descriptor() const noexcept override { return inner_->descriptor(); }
    [[nodiscard]] std::uint64_t random() noexcept override { return inner_->random(); }
    void outside_work(bool begins) noexcept override { inner_->outside_work(begins); }
    [[nodiscard]] std::string_view name() const noexcept override { return "faults"; }

private:
    static bool attempt_inside(Proactor& self, lowlevel::Operation& operation) noexcept {
        auto& proactor = static_cast<FaultProactor&>(self);
        const unsigned refuse = proactor.faults_.refuse_attempts;
        if (refuse != 0 && ++proactor.attempts_ % refuse == 0) {
            return false;
        }
        if (proactor.fails(operation)) {
            return true;
        }
        const NoDescriptors scope(proactor.faults_.no_descriptors);
        const std::size_t size = operation.size;
        operation.size = std::min(size, proactor.most(operation));
        const bool done = proactor.inner_->attempt(operation);
        operation.size = size;
        if (done) {
            proactor.count(operation);
        }
        return done;
    }

    bool fails(lowlevel::Operation& operation) {
        int error = 0;
        switch (operation.opcode) {
            case lowlevel::Opcode::accept:
                ++faults_.accepts;
                if (!faults_.accept_errors.empty()) {
                    error = faults_.accept_errors.front();
                    faults_.accept_errors.pop_front();
                }
                break;
            case lowlevel::Opcode::recv:
                error = received_ >= faults_.receive_error_after ? faults_.receive_error : 0;
                break;
            case lowlevel::Opcode::send:
            case lowlevel::Opcode::send_vector:
                error = sent_ >= faults_.send_error_after ? faults_.send_error : 0;
                break;
            default:
                break;
        }
        if (error == 0) {
            return false;
        }
        operation.result = -error;
        operation.completed = true;
        return true;
    }
    [[nodiscard]] std::size_t most(const lowlevel::Operation& operation) const {
        switch (operation.opcode) {
            case lowlevel::Opcode::recv:
                return faults_.receive_error == 0
                           ? faults_.most_received
                           : std::min(faults_.most_received,
                                      faults_.receive_error_after - received_);
            case lowlevel::Opcode::send:
                return faults_.send_error == 0
                           ? faults_.most_sent
                           : std::min(faults_.most_sent, faults_.send_error_after - sent_);
            case lowlevel::Opcode::send_vector:
                return faults_.most_sent == Faults::no_limit && faults_.send_error == 0
                           ? operation.size
                           : 1;
            default:
                return operation.size;
        }
    }
    /// Takes note of how much was transferred.
    void count(const lowlevel::Operation& operation) {
        if (operation.result > 0) {
            const auto size = static_cast<std::size_t>(operation.result);
            received_ += operation.opcode == lowlevel::Opcode::recv ? size : 0;
            sent_ += operation.opcode == lowlevel::Opcode::send ||
                             operation.opcode == lowlevel::Opcode::send_vector
                         ? size
                         : 0;
        }
    }

    /// Cancels what was to be cancelled some polls ago. True if something has ended.
    bool end_cancelled(lowlevel::CallbackList& ready) {
        bool ended = false;
        for (auto entry = cancelled_.begin(); entry != cancelled_.end();) {
            auto& [operation, polls] = *entry;
            if (--polls > 0) {
                ++entry;
                continue;
            }
            lowlevel::Operation& ending = *operation;
            entry = cancelled_.erase(entry);
            ended = true;
            if (was_held(ending)) {
                ending.unlink();
                release(ending, ready);
            } else {
                lowlevel::CallbackList finished;
                inner_->cancel(ending, finished);
                restore(finished, ready);
            }
        }
        return ended;
    }
    /// What is to be cancelled and has ended by itself meanwhile ends no sooner for that.
    void hold_back(lowlevel::CallbackList& finished, lowlevel::CallbackList& ready) {
        lowlevel::CallbackList others;
        while (!finished.empty()) {
            auto& operation = static_cast<lowlevel::Operation&>(finished.pop_front());
            if (cancelled_.contains(&operation)) {
                operation.started = true;
                operation.completed = false;
                held_.push_back(operation);
            } else {
                others.push_back(operation);
            }
        }
        restore(others, ready);
    }
    [[nodiscard]] bool was_held(const lowlevel::Operation& operation) const {
        return std::any_of(held_.begin(), held_.end(), [&](const lowlevel::Callback& held) {
            return &held == &static_cast<const lowlevel::Callback&>(operation);
        });
    }
    void release(lowlevel::Operation& operation, lowlevel::CallbackList& ready) {
        operation.started = false;
        operation.completed = true;
        lowlevel::CallbackList one;
        one.push_back(operation);
        restore(one, ready);
    }
    void shorten(lowlevel::Operation& operation) {
        sizes_[&operation] = operation.size;
        operation.size = std::min(operation.size, most(operation));
    }
    void restore(lowlevel::CallbackList& finished, lowlevel::CallbackList& ready) {
        for (lowlevel::Callback& callback : finished) {
            auto& operation = static_cast<lowlevel::Operation&>(callback);
            const auto found = sizes_.find(&operation);
            if (found != sizes_.end()) {
                operation.size = found->second;
                sizes_.erase(found);
            }
            count(operation);
        }
        ready.splice_back(finished);
    }

    std::unique_ptr<Proactor> inner_;
    Faults& faults_;
    unsigned attempts_ = 0;
    std::size_t received_ = 0;
    std::size_t sent_ = 0;
    std::map<lowlevel::Operation*, std::size_t> sizes_;
    std::map<lowlevel::Operation*, unsigned> cancelled_;  // and in how many polls that is done
    lowlevel::CallbackList held_;                         // of these what has ended by itself
};

/// Cancels every other task and lets them end.
inline Coroutine<> end_tasks() {
    for (AnyTask task : all_tasks()) {
        if (task != current_task()) {
            task.cancel();
        }
    }
    co_await settle();
}

/// Runs `body` on a virtual clock with those faults. What it throws is a failure.
inline void run_with_faults(Faults& faults, Coroutine<> body) {
    auto proactor = std::make_unique<FaultProactor>(lowlevel::make_system_proactor(), faults);
    EventLoop loop(std::make_unique<VirtualClock>(std::move(proactor)));
    try {
        loop.run_until_complete(std::move(body));
        loop.run_until_complete(end_tasks());
    } catch (...) {
        ADD_FAILURE() << "the test threw " << describe(std::current_exception());
    }
}

/// How late cancelled operations end on the loops of run_network_test().
inline Faults late_faults;

inline std::unique_ptr<lowlevel::Proactor> make_late_proactor(std::string_view name) {
    return std::make_unique<VirtualClock>(
        std::make_unique<FaultProactor>(lowlevel::make_system_proactor(name), late_faults));
}

/// As run_async_test(), and then where a cancelled operation ends some polls later, perhaps with
/// what it was to do: as on a backend that has to ask the kernel.
inline void run_network_test(Coroutine<> (*body)()) {
    run_async_test(body);
    for (const unsigned polls : {1U, 3U}) {
        SCOPED_TRACE("cancelled operations end " + std::to_string(polls) + " polls later");
        late_faults = Faults();
        late_faults.late_cancel = polls;
        const lowlevel::ProactorFactory before =
            lowlevel::set_proactor_factory(&make_late_proactor);
        try {
            run(body());
        } catch (...) {
            ADD_FAILURE() << "the test threw " << describe(std::current_exception());
        }
        lowlevel::set_proactor_factory(before);
    }
}

}  // namespace asyncio::testing

/// An ASYNC_TEST that is also run where cancelled operations end late.
#define NETWORK_TEST(suite, name)                                     \
    static ::asyncio::Coroutine<> suite##_##name##_body();            \
    TEST(suite, name) {                                               \
        ::asyncio::testing::run_network_test(&suite##_##name##_body); \
    }                                                                 \
    static ::asyncio::Coroutine<> suite##_##name##_body()
