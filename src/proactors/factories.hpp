// factories.hpp - what default.cpp chooses from.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/lowlevel/proactor.hpp>

#include <memory>

namespace asyncio::lowlevel {

/// Throws OSError where the system refuses.
[[nodiscard]] std::unique_ptr<Proactor> make_epoll_proactor();
[[nodiscard]] std::unique_ptr<Proactor> make_io_uring_proactor();

}  // namespace asyncio::lowlevel
