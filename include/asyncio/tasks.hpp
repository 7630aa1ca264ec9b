// tasks.hpp - tasks: Task<T>, create_task, sleep, gather, wait, wait_for, as_completed, shield,
// eager tasks; the table of contents of asyncio.tasks.
//
// Mirrors asyncio.tasks; differences: docs/parity.md#tasks.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/as_completed.hpp>
#include <asyncio/detail/gather.hpp>
#include <asyncio/detail/shield.hpp>
#include <asyncio/detail/sleep.hpp>
#include <asyncio/detail/task.hpp>
#include <asyncio/detail/wait.hpp>
