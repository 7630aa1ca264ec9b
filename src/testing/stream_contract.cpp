// stream_contract.cpp - runs the checks on a maker's connections.
//
// SPDX-License-Identifier: MIT
#include "stream_contract.hpp"

#include <asyncio/exceptions.hpp>
#include <asyncio/runners.hpp>
#include <asyncio/testing/virtual_clock.hpp>
#include <asyncio/timeouts.hpp>

namespace asyncio::testing {

static void run_check(const StreamCheck& check, StreamMaker& maker, std::string_view proactor,
                      Findings& findings) {
    constexpr double patience = 1000;

    findings.begin(check.name);
    const VirtualClockScope clock;
    try {
        run(wait_for(check.check(maker, findings), patience), {.proactor = proactor});
    } catch (const TimeoutError&) {
        findings.add("hangs");
    } catch (...) {
        findings.add("ended with " + describe(std::current_exception()));
    }
}

std::vector<std::string> check_stream_contract(StreamMaker& maker, std::string_view proactor) {
    Findings findings;
    for (const std::span<const StreamCheck> checks :
         {checks_of_reading(), checks_of_writing(), checks_of_the_end()}) {
        for (const StreamCheck& check : checks) {
            if (maker.duplex() || !check.duplex) {
                run_check(check, maker, proactor, findings);
            }
        }
    }
    return findings.take();
}

}  // namespace asyncio::testing
