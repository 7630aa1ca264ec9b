// asyncio.hpp - everything but what has a library or a target of its own, what Python has not
// (cancel_scope.hpp, channels.hpp, embedding.hpp, file_watch.hpp, portal.hpp, shutdown.hpp,
// thread_queue.hpp: docs/beyond.md), and the extension and test headers.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/contextvars.hpp>
#include <asyncio/coroutines.hpp>
#include <asyncio/datagrams.hpp>
#include <asyncio/descriptors.hpp>
#include <asyncio/events.hpp>
#include <asyncio/exceptions.hpp>
#include <asyncio/files.hpp>
#include <asyncio/futures.hpp>
#include <asyncio/generators.hpp>
#include <asyncio/graph.hpp>
#include <asyncio/locks.hpp>
#include <asyncio/log.hpp>
#include <asyncio/pipes.hpp>
#include <asyncio/protocols.hpp>
#include <asyncio/queues.hpp>
#include <asyncio/result.hpp>
#include <asyncio/runners.hpp>
#include <asyncio/signals.hpp>
#include <asyncio/sockets.hpp>
#include <asyncio/staggered.hpp>
#include <asyncio/stream_protocols.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/subprocess.hpp>
#include <asyncio/taskgroups.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/threads.hpp>
#include <asyncio/time.hpp>
#include <asyncio/timeouts.hpp>
#include <asyncio/transports.hpp>
#include <asyncio/with.hpp>
