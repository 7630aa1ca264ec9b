// tasks.hpp - tasks: Task<T>, create_task, sleep, gather, wait, wait_for, shield; the table of
// contents of asyncio.tasks.
//
// Mirrors asyncio.tasks; differences: docs/parity.md#tasks.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/gather.hpp>
#include <asyncio/detail/shield.hpp>
#include <asyncio/detail/sleep.hpp>
#include <asyncio/detail/task.hpp>
#include <asyncio/detail/wait.hpp>
