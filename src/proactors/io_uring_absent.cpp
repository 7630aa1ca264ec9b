// io_uring_absent.cpp - in place of io_uring*.cpp where this was built without liburing.
//
// SPDX-License-Identifier: MIT
#include "factories.hpp"

#include <asyncio/exceptions.hpp>

#include <cerrno>

namespace asyncio::lowlevel {

std::unique_ptr<Proactor> make_io_uring_proactor() {
    detail::raise_os_error(EOPNOTSUPP, "io_uring: built without liburing");
}

}  // namespace asyncio::lowlevel
