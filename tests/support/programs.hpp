// programs.hpp - programs in scenarios in which something fails.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/result.hpp>
#include <asyncio/subprocess.hpp>

#include <exception>

namespace asyncio::testing {

/// Programs take real time: the virtual clock waits for them while this lives.
class OutsideWork {
public:
    OutsideWork() : proactor_(get_running_loop().proactor()) { proactor_.outside_work(true); }
    OutsideWork(const OutsideWork&) = delete;
    OutsideWork& operator=(const OutsideWork&) = delete;
    ~OutsideWork() { proactor_.outside_work(false); }

private:
    lowlevel::Proactor& proactor_;
};

/// What `use` does with a program; whatever comes of it, the program is gone afterwards.
template <class Use>
Coroutine<> with_program(Process process, Use use) {
    const Result<void> used = co_await as_result(use(process));
    while (!process.returncode().has_value()) {
        try {
            process.kill();
            break;
        } catch (const ProcessLookupError&) {
            break;
        } catch (const OSError&) {}  // what was injected fails once
    }
    co_await process.wait();
    if (!used.has_value()) {
        std::rethrow_exception(used.error());
    }
}

}  // namespace asyncio::testing
