// loop_resource.hpp - what is open as long as its loop is, and is told when the loop closes.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/lowlevel/intrusive.hpp>

namespace asyncio::lowlevel {

/// Something that lives on a loop without a task that owns it, and ends with the loop: what a
/// module keeps open for all of a loop, a connection, a server. It is in the list of its loop
/// (EventLoop::resources()), or in the list of another resource, which passes the call on before it
/// ends itself. Destroyed, it is in no list any more.
class LoopResource : public ListHook<LoopResource> {
public:
    LoopResource(const LoopResource&) = delete;
    LoopResource& operator=(const LoopResource&) = delete;

    /// EventLoop::close() has come here; called once, of all resources in the order in which they
    /// were added. All operations have been aborted and the functions of handles dropped. Tasks and
    /// futures still exist; their frames are destroyed next.
    ///
    /// Must: take callbacks, timers and operations of its own out of whatever list they may still
    /// be in, and give up what these kept, for they never run; close its descriptors (the proactor
    /// still closes them). May destroy itself and other resources.
    /// Must not: start operations, arm timers, add resources, wait for anything but what another
    /// thread has begun and will end by itself, or wake tasks (no harm is done: they do not run).
    virtual void loop_closing() noexcept = 0;

protected:
    LoopResource() = default;
    ~LoopResource() {
        if (linked()) {
            unlink();
        }
    }
};

using LoopResourceList = List<LoopResource, LoopResource>;

}  // namespace asyncio::lowlevel
