// proactor_contract.cpp - runs the checks on a maker's proactors.
//
// SPDX-License-Identifier: MIT
#include "proactor_contract.hpp"

#include <asyncio/exceptions.hpp>

#include <array>
#include <stdexcept>

namespace asyncio::testing {

static std::array<std::span<const ProactorCheck>, 6> all_checks() noexcept {
    return {ProactorContract::checks_of_completion(),  ProactorContract::checks_of_amounts(),
            ProactorContract::checks_of_connections(), ProactorContract::checks_of_readiness(),
            ProactorContract::checks_of_descriptors(), ProactorContract::checks_of_waiting()};
}

static void run_check(const ProactorCheck& check, ProactorMaker make, Findings& findings) {
    findings.begin(check.name);
    try {
        ProactorContract contract(make, findings);
        (contract.*check.check)();
    } catch (...) {
        findings.add("ended with " + describe(std::current_exception()));
    }
}

std::vector<std::string_view> proactor_contract() {
    std::vector<std::string_view> names;
    for (const std::span<const ProactorCheck> checks : all_checks()) {
        for (const ProactorCheck& check : checks) {
            names.push_back(check.name);
        }
    }
    return names;
}

std::vector<std::string> check_proactor_contract(ProactorMaker make, std::string_view only) {
    Findings findings;
    bool found = only.empty();
    for (const std::span<const ProactorCheck> checks : all_checks()) {
        for (const ProactorCheck& check : checks) {
            if (only.empty() || only == check.name) {
                found = true;
                run_check(check, make, findings);
            }
        }
    }
    if (!found) {
        throw std::invalid_argument("the contract of proactors does not say: " + std::string(only));
    }
    return findings.take();
}

}  // namespace asyncio::testing
