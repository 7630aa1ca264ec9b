// repr.hpp - futures, tasks and handles as reports write them.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/task_base.hpp>

#include <source_location>
#include <string>
#include <vector>

namespace asyncio {
class BaseProtocol;
class BaseTransport;
}  // namespace asyncio

namespace asyncio::detail {

/// "<Task pending name='reader' coro=<app::fetch() running at app.cpp:12> wait_for=lock created at
/// app.cpp:30 in app::amain()>", "<Future finished exception=RuntimeError('bad')>"
[[nodiscard]] std::string repr(FutureBase& future);

/// "<Handle app::amain()::{lambda()#1} created after app.cpp:30 in app::amain()>"
[[nodiscard]] std::string repr(const HandleNode& node,
                               const std::vector<std::source_location>& made_at);

/// "<_SelectorSocketTransport fd=7 read=polling write=<idle, bufsize=0>>"
[[nodiscard]] std::string repr(const BaseTransport& transport);
/// "<app::Echo>"
[[nodiscard]] std::string repr(const BaseProtocol& protocol);

/// The awaits that a task is in, the outermost first.
[[nodiscard]] std::vector<std::source_location> stack_of(const TaskBase& task);

}  // namespace asyncio::detail
