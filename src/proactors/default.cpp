// default.cpp - which Proactor a program gets.
//
// SPDX-License-Identifier: MIT
#include "factories.hpp"

#include <asyncio/exceptions.hpp>
#include <asyncio/log.hpp>

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

// In an environment that is the same for many machines a wish is no order; a name in the program
// is.
static std::unique_ptr<Proactor> make_io_uring_or_epoll() {
    try {
        return make_io_uring_proactor();
    } catch (const OSError& error) {
        detail::log(Level::debug,
                    "ASYNCIO_PROACTOR: epoll instead of " + std::string(error.what()));
        return make_epoll_proactor();
    }
}

std::unique_ptr<Proactor> make_system_proactor(std::string_view name) {
    const bool by_environment = name.empty();
    if (by_environment) {
        const char* const chosen = std::getenv("ASYNCIO_PROACTOR");
        name = chosen != nullptr ? chosen : "";
    }
    if (name.empty() || name == "epoll") {
        return make_epoll_proactor();
    }
    if (name == "io_uring") {
        return by_environment ? make_io_uring_or_epoll() : make_io_uring_proactor();
    }
    throw std::invalid_argument(std::string(by_environment ? "ASYNCIO_PROACTOR" : "proactor") +
                                ": there is no '" + std::string(name) +
                                "'; available: epoll, io_uring");
}

}  // namespace asyncio::lowlevel
