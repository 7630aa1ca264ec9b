// expect: entering this resource gives nothing: the body takes no argument
// body_takes_nothing.cpp - a body cannot take what was not entered.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

struct Resource {
    void aenter() {}
    bool aexit(const std::exception_ptr&) { return false; }
};

asyncio::Coroutine<> amain() {
    Resource resource;
    co_await asyncio::with(resource, [](auto& entered) { entered.use(); });
}
