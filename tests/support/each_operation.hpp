// each_operation.hpp - lets every operation of a scenario fail, one after another, whatever the
// proactor makes of it: on io_uring no system call of the library stands for one.
//
// For each kind of operation, each of its errors, and n = 1, 2, ... the scenario is run with the
// n-th of that kind coming to that error. What it has to stand: survival.hpp.
// SPDX-License-Identifier: MIT
#pragma once

#include "support/async_test.hpp"
#include "support/survival.hpp"

#include <asyncio/log.hpp>
#include <asyncio/lowlevel/proactor.hpp>
#include <asyncio/testing/virtual_clock.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace asyncio::testing {

/// An operation, and what the kernel may answer to it.
struct OperationErrors {
    lowlevel::Opcode opcode;
    const char* name;
    std::initializer_list<int> errors;
};

// A signal is not among them, nor EAGAIN: proactors keep them to themselves.
inline const OperationErrors operation_errors[] = {
    {lowlevel::Opcode::accept, "accept", {ECONNABORTED, EPERM, EMFILE, ENOMEM}},
    {lowlevel::Opcode::connect, "connect", {ECONNREFUSED, ETIMEDOUT, ENETUNREACH}},
    {lowlevel::Opcode::recv, "recv", {ECONNRESET, ETIMEDOUT, ENOMEM}},
    {lowlevel::Opcode::send, "send", {EPIPE, ECONNRESET, ENOBUFS}},
    {lowlevel::Opcode::send_vector, "send_vector", {EPIPE, ECONNRESET}},
    {lowlevel::Opcode::recv_from, "recv_from", {ECONNREFUSED, ENOMEM}},
    {lowlevel::Opcode::send_to, "send_to", {ENOBUFS, EHOSTUNREACH}},
    {lowlevel::Opcode::read, "read", {EIO}},
    {lowlevel::Opcode::write, "write", {EPIPE, EIO}},
    {lowlevel::Opcode::poll_in, "poll_in", {ENOMEM}},
    {lowlevel::Opcode::poll_out, "poll_out", {ENOMEM}},
    {lowlevel::Opcode::recv_message, "recv_message", {ECONNRESET, ENOMEM}},
    {lowlevel::Opcode::send_message, "send_message", {EPIPE, ENOBUFS}},
    {lowlevel::Opcode::socket, "socket", {EMFILE, ENOBUFS}},
    {lowlevel::Opcode::bind, "bind", {EADDRINUSE, EACCES}},
    {lowlevel::Opcode::listen, "listen", {EADDRINUSE}},
    {lowlevel::Opcode::shutdown, "shutdown", {ENOTCONN}},
    {lowlevel::Opcode::get_option, "get_option", {ENOPROTOOPT}},
    {lowlevel::Opcode::set_option, "set_option", {ENOPROTOOPT}},
    {lowlevel::Opcode::socket_name, "socket_name", {ENOBUFS}},
    {lowlevel::Opcode::peer_name, "peer_name", {ENOTCONN}},
    {lowlevel::Opcode::open_file, "open_file", {EMFILE, EACCES}},
    {lowlevel::Opcode::read_at, "read_at", {EIO}},
    {lowlevel::Opcode::write_at, "write_at", {EIO, ENOSPC}},
    {lowlevel::Opcode::sync, "sync", {EIO, ENOSPC}},
    {lowlevel::Opcode::status, "status", {EACCES}},
    {lowlevel::Opcode::truncate, "truncate", {EIO}},
    {lowlevel::Opcode::rename, "rename", {EIO}},
    {lowlevel::Opcode::unlink, "unlink", {EIO}},
    {lowlevel::Opcode::make_directory, "make_directory", {ENOSPC}},
    {lowlevel::Opcode::send_file, "send_file", {EINVAL, EPIPE, EIO}},
};

/// An operation that is to fail.
class FailingOperation final : public Adversity {
public:
    FailingOperation(lowlevel::Opcode opcode, std::int64_t nth, int error) noexcept
        : opcode_(opcode), left_(nth), error_(error) {
        current = this;
    }
    ~FailingOperation() override { current = nullptr; }
    [[nodiscard]] bool failed() const override { return left_ == 0; }
    [[nodiscard]] int error() const override { return error_; }

    /// Is it this one?
    static bool meets(lowlevel::Operation& operation) noexcept {
        if (current == nullptr || operation.opcode != current->opcode_ || current->left_ == 0 ||
            --current->left_ > 0) {
            return false;
        }
        operation.result = -current->error_;
        operation.completed = true;
        return true;
    }

private:
    static inline FailingOperation* current = nullptr;

    lowlevel::Opcode opcode_;
    std::int64_t left_;
    int error_;
};

/// Lets the FailingOperation fail that there is.
class FailingProactor final : public lowlevel::Proactor {
public:
    explicit FailingProactor(std::unique_ptr<Proactor> inner)
        : Proactor(&attempt_inside), inner_(std::move(inner)) {}

    void poll(lowlevel::CallbackList& pending, lowlevel::CallbackList& ready,
              TimePoint deadline) override {
        lowlevel::CallbackList passed;
        while (!pending.empty()) {
            auto& operation = static_cast<lowlevel::Operation&>(pending.pop_front());
            if (FailingOperation::meets(operation)) {
                ready.push_back(operation);
                deadline = TimePoint::min();
            } else {
                passed.push_back(operation);
            }
        }
        inner_->poll(passed, ready, deadline);
    }
    void cancel(lowlevel::Operation& operation, lowlevel::CallbackList& ready) noexcept override {
        inner_->cancel(operation, ready);
    }
    void abort_all(lowlevel::CallbackList& ready) noexcept override { inner_->abort_all(ready); }
    std::int64_t call(lowlevel::Operation& operation) noexcept override {
        return FailingOperation::meets(operation) ? operation.result : inner_->call(operation);
    }
    [[nodiscard]] TimePoint now() const noexcept override { return inner_->now(); }
    void wake() noexcept override { inner_->wake(); }
    [[nodiscard]] int descriptor() const noexcept override { return inner_->descriptor(); }
    [[nodiscard]] std::uint64_t random() noexcept override { return inner_->random(); }
    void outside_work(bool begins) noexcept override { inner_->outside_work(begins); }
    [[nodiscard]] bool performs(lowlevel::Opcode opcode) const noexcept override {
        return inner_->performs(opcode);
    }
    [[nodiscard]] std::string_view name() const noexcept override { return "failing"; }

private:
    static bool attempt_inside(Proactor& self, lowlevel::Operation& operation) noexcept {
        return FailingOperation::meets(operation) ||
               static_cast<FailingProactor&>(self).inner_->attempt(operation);
    }

    std::unique_ptr<Proactor> inner_;
};

inline std::unique_ptr<lowlevel::Proactor> make_failing_proactor(std::string_view name) {
    return std::make_unique<VirtualClock>(
        std::make_unique<FailingProactor>(lowlevel::make_system_proactor(name)));
}

/// `on_files`: most of it is, which on epoll is the business of threads.
inline void expect_survives_each_operation(Scenario scenario, bool on_files = false) {
    static_cast<void>(live_allocations());
    set_logger([](Level, std::string_view) {});
    const lowlevel::ProactorFactory before = lowlevel::set_proactor_factory(&make_failing_proactor);
    for (const char* proactor : proactors) {
        SCOPED_TRACE(std::string("on ") + proactor);
        std::int64_t faults = 0;
        for (const OperationErrors& each : operation_errors) {
            for (const int error : each.errors) {
                const std::string what =
                    std::string(each.name) + ": " + std::strerror(error) + ", number";
                faults += expect_survives_each(scenario, proactor, what, [&](std::int64_t nth) {
                    return std::make_unique<FailingOperation>(each.opcode, nth, error);
                });
            }
        }
        EXPECT_TRUE(faults > 0 || (on_files && std::string_view(proactor) == "epoll"));
    }
    lowlevel::set_proactor_factory(before);
    set_logger(nullptr);
}

}  // namespace asyncio::testing
