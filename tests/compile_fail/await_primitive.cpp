// expect: no matching (member )?function for call to .*await_transform
// await_primitive.cpp - a lock is not awaited itself, but lock.acquire(); so with all of its kind.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

template <class T>
concept Awaitable = asyncio::detail::Awaitable<T>;
static_assert(!Awaitable<asyncio::Lock&> && !Awaitable<asyncio::Condition&>);
static_assert(!Awaitable<asyncio::Semaphore&> && !Awaitable<asyncio::BoundedSemaphore&>);
static_assert(!Awaitable<asyncio::Barrier&> && !Awaitable<asyncio::Event&>);

asyncio::Coroutine<> amain() {
    asyncio::Lock lock;
    co_await lock;
}
