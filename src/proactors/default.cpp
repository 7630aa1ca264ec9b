// default.cpp - which Proactor a program gets.
//
// SPDX-License-Identifier: MIT
#include "factories.hpp"

#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace asyncio::lowlevel {

static constinit std::atomic<ProactorFactory> factory_in_use{nullptr};

std::unique_ptr<Proactor> make_proactor(std::string_view name) {
    const ProactorFactory factory = factory_in_use.load(std::memory_order_acquire);
    return factory != nullptr ? factory(name) : make_system_proactor(name);
}

ProactorFactory set_proactor_factory(ProactorFactory factory) noexcept {
    return factory_in_use.exchange(factory, std::memory_order_acq_rel);
}

std::unique_ptr<Proactor> make_system_proactor(std::string_view name) {
    std::string source = "proactor";
    if (name.empty()) {
        const char* chosen = std::getenv("ASYNCIO_PROACTOR");
        if (chosen != nullptr && *chosen != '\0') {
            name = chosen;
            source = "ASYNCIO_PROACTOR";
        }
    }
    if (name.empty() || name == "epoll") {
        return make_epoll_proactor();
    }
    if (name == "io_uring") {
        throw std::invalid_argument(source + ": io_uring is not in this build; available: epoll");
    }
    throw std::invalid_argument(source + ": there is no '" + std::string(name) +
                                "'; available: epoll");
}

}  // namespace asyncio::lowlevel
