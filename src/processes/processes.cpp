// processes.cpp - ProcessPoolExecutor, the handle of a pool.
//
// SPDX-License-Identifier: MIT
#include "pool.hpp"

#include <csignal>
#include <utility>

#include <unistd.h>

namespace asyncio {

namespace {

detail::Message call_of(void (*initializer)()) {
    if (initializer == nullptr) {
        return {};
    }
    return detail::write_call<detail::RemoteFunctionFor<void (*)()>>(initializer);
}

}  // namespace

ProcessPoolExecutor::ProcessPoolExecutor(ProcessPoolOptions options)
    : ProcessPoolExecutor(options, call_of(options.initializer)) {}

ProcessPoolExecutor::ProcessPoolExecutor(ProcessPoolOptions options, detail::Message&& initial_call)
    : pool_(std::make_shared<detail::ProcessPool>(options, std::move(initial_call))) {}

ProcessPoolExecutor::~ProcessPoolExecutor() {
    shutdown();
    pool_->leave();
}

void ProcessPoolExecutor::add(const std::shared_ptr<detail::ProcessPool>& pool,
                              std::shared_ptr<detail::RemoteCall> call,
                              const ProcessCallOptions& options) {
    const ProcessPoolOptions& usual = pool->options();
    call->name = options.name;
    call->limit = options.timeout.has_value() ? options.timeout : usual.timeout;
    call->kill_on_cancel = options.kill_on_cancel.value_or(usual.kill_on_cancel);
    pool->submit(std::move(call));
}

void ProcessPoolExecutor::shutdown(bool wait, bool cancel_futures) {
    pool_->shutdown(wait, cancel_futures);
}

void ProcessPoolExecutor::terminate_workers() {
    pool_->shutdown_by(SIGTERM);
}

void ProcessPoolExecutor::kill_workers() {
    pool_->shutdown_by(SIGKILL);
}

std::size_t ProcessPoolExecutor::max_workers() const noexcept {
    return pool_->options().max_workers;
}

std::vector<int> ProcessPoolExecutor::worker_pids() const {
    return pool_->pids();
}

}  // namespace asyncio
