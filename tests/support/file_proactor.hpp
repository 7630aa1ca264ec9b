// file_proactor.hpp - a proactor that performs operations on files itself, one way or another; and
// tests that run on it and on every other.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "async_test.hpp"

#include <asyncio/lowlevel/proactor.hpp>
#include <asyncio/runners.hpp>
#include <asyncio/testing/virtual_clock.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <unistd.h>

namespace asyncio::testing {

/// What the FileProactor does. Set by the test, before or while it runs.
struct FilePlan {
    int fail_at = 0;         ///< the operation with this number, from 1, fails ...
    int error = EIO;         ///< ... with this errno
    std::size_t most = ~0U;  ///< bytes of one transfer
    bool hold = false;       ///< operations are begun and not finished
    bool too_late = false;   ///< what is cancelled is performed all the same
    int performed = 0;       ///< operations so far
};

class FileProactor final : public lowlevel::Proactor {
public:
    FileProactor(std::unique_ptr<Proactor> inner, FilePlan& plan)
        : Proactor(&attempt_inside), inner_(std::move(inner)), plan_(plan) {}

    void poll(lowlevel::CallbackList& pending, lowlevel::CallbackList& ready,
              TimePoint deadline) override {
        lowlevel::CallbackList passed;
        while (!pending.empty()) {
            auto& operation = static_cast<lowlevel::Operation&>(pending.pop_front());
            if (lowlevel::is_on_file(operation.opcode)) {
                operation.started = true;
                held_.push_back(operation);
            } else {
                passed.push_back(operation);
            }
        }
        bool done = !cancelled_.empty();
        ready.splice_back(cancelled_);
        while (!held_.empty() && !plan_.hold) {
            auto& operation = static_cast<lowlevel::Operation&>(held_.pop_front());
            perform(operation);
            finish(operation, ready);
            done = true;
        }
        inner_->poll(passed, ready, done ? TimePoint::min() : deadline);
    }
    void cancel(lowlevel::Operation& operation, lowlevel::CallbackList& ready) noexcept override {
        if (!lowlevel::is_on_file(operation.opcode)) {
            inner_->cancel(operation, ready);
        } else if (!operation.completed && operation.linked()) {
            operation.unlink();
            end(operation);
            finish(operation, cancelled_);
            inner_->wake();
        }
    }
    void abort_all(lowlevel::CallbackList& ready) noexcept override {
        while (!held_.empty()) {
            auto& operation = static_cast<lowlevel::Operation&>(held_.pop_front());
            end(operation);
            finish(operation, ready);
        }
        ready.splice_back(cancelled_);
        inner_->abort_all(ready);
    }
    std::int64_t call(lowlevel::Operation& operation) noexcept override {
        return inner_->call(operation);
    }
    [[nodiscard]] TimePoint now() const noexcept override { return inner_->now(); }
    void wake() noexcept override { inner_->wake(); }
    [[nodiscard]] int descriptor() const noexcept override { return inner_->descriptor(); }
    [[nodiscard]] std::uint64_t random() noexcept override { return inner_->random(); }
    void outside_work(bool begins) noexcept override { inner_->outside_work(begins); }
    [[nodiscard]] bool performs(lowlevel::Opcode) const noexcept override { return true; }
    [[nodiscard]] std::string_view name() const noexcept override { return "files"; }

private:
    static bool attempt_inside(Proactor& self, lowlevel::Operation& operation) noexcept {
        return static_cast<FileProactor&>(self).inner_->attempt(operation);
    }

    void end(lowlevel::Operation& operation) noexcept {
        if (plan_.too_late && operation.started) {
            perform(operation);
        } else {
            operation.result = -ECANCELED;
        }
    }
    void perform(lowlevel::Operation& operation) noexcept {
        if (++plan_.performed == plan_.fail_at) {
            if (operation.opcode == lowlevel::Opcode::close_file) {
                lowlevel::perform_on_file(operation);  // the descriptor is gone all the same
            }
            operation.result = -plan_.error;
            return;
        }
        const std::size_t size = operation.size;
        operation.size = std::min(size, plan_.most);
        operation.result = lowlevel::perform_on_file(operation);
        operation.size = size;
    }
    static void finish(lowlevel::Operation& operation, lowlevel::CallbackList& ready) noexcept {
        operation.started = false;
        operation.completed = true;
        ready.push_back(operation);
    }

    std::unique_ptr<Proactor> inner_;
    FilePlan& plan_;
    lowlevel::CallbackList held_;
    lowlevel::CallbackList cancelled_;
};

/// Of the FileProactors that are made now.
inline FilePlan file_plan;

/// Loops are made with a FileProactor, on a virtual clock, while it exists.
class FilePlanScope {
public:
    explicit FilePlanScope(FilePlan plan = {}) : before_(lowlevel::set_proactor_factory(&make)) {
        file_plan = plan;
    }
    FilePlanScope(const FilePlanScope&) = delete;
    FilePlanScope& operator=(const FilePlanScope&) = delete;
    ~FilePlanScope() { lowlevel::set_proactor_factory(before_); }

private:
    static std::unique_ptr<lowlevel::Proactor> make(std::string_view name) {
        // Around the clock, which would wait for what is held.
        return std::make_unique<FileProactor>(
            std::make_unique<VirtualClock>(lowlevel::make_system_proactor(name)), file_plan);
    }

    lowlevel::ProactorFactory before_;
};

/// A directory that goes with the test.
class TemporaryDirectory {
public:
    TemporaryDirectory() {
        std::string name = std::filesystem::temp_directory_path() / "asyncio-XXXXXX";
        path_ = ::mkdtemp(name.data());
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

    [[nodiscard]] std::string operator/(std::string_view name) const {
        return path_ + "/" + std::string(name);
    }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    std::string path_;
};

/// Runs `body` with files in threads or wherever each proactor has them, then on a FileProactor.
inline void run_file_test(Coroutine<> (*body)()) {
    run_async_test(body);
    for (const std::size_t most : {~std::size_t{0}, std::size_t{97}}) {
        SCOPED_TRACE("on a proactor that performs operations on files, " + std::to_string(most) +
                     " bytes at a time");
        const FilePlanScope scope(FilePlan{.most = most});
        try {
            run(body());
        } catch (...) {
            ADD_FAILURE() << "the test threw " << describe(std::current_exception());
        }
    }
}

}  // namespace asyncio::testing

/// As ASYNC_TEST, of files.
#define FILE_TEST(suite, name)                                     \
    static ::asyncio::Coroutine<> suite##_##name##_body();         \
    TEST(suite, name) {                                            \
        ::asyncio::testing::run_file_test(&suite##_##name##_body); \
    }                                                              \
    static ::asyncio::Coroutine<> suite##_##name##_body()
