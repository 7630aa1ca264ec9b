// loop_io.cpp - the beginning and the end of what a loop has open.
//
// SPDX-License-Identifier: MIT
#include "loop_io.hpp"

#include <asyncio/detail/socket_operations.hpp>

#include <new>

#include <unistd.h>

namespace asyncio::detail {

using lowlevel::Opcode;
using lowlevel::Operation;

LoopIO& LoopIO::of(EventLoop& loop) {
    loop.check_usable();
    for (LoopResource& resource : loop.resources()) {
        if (auto* const io = dynamic_cast<LoopIO*>(&resource)) {
            return *io;
        }
    }
    auto* const io = new LoopIO(loop);
    loop.resources().push_back(*io);
    return *io;
}

void LoopIO::loop_closing() noexcept {
    while (!resources_.empty()) {
        resources_.pop_front().loop_closing();
    }
    loop_ = nullptr;
    scratch_.reset();
    plaintext_.reset();
    release();
}

void LoopIO::end_operations(int fd) noexcept {
    const auto found = operations_.find(fd);
    if (found == operations_.end()) {
        return;
    }
    while (!found->second.empty()) {
        found->second.pop_front().end();
    }
    operations_.erase(found);
}

void LoopIO::FreeScratch::operator()(char* memory) const noexcept {
    ::operator delete(memory, std::align_val_t(4096));
}

// Aligned to a page: the kernel copies faster into whole cache lines. Only what is used of it is
// ever backed by memory.
char* LoopIO::scratch() {
    if (scratch_ == nullptr) {
        scratch_.reset(static_cast<char*>(::operator new(scratch_size, std::align_val_t(4096))));
    }
    return scratch_.get();
}

std::span<char> LoopIO::plaintext() {
    constexpr std::size_t size = std::size_t{64} * 1024;
    if (plaintext_ == nullptr) {
        plaintext_.reset(new char[size]);
    }
    return {plaintext_.get(), size};
}

void LoopIO::close(int fd) noexcept {
    if (loop_ != nullptr) {
        Operation operation(&run_nothing, Opcode::close, fd);
        loop_->call(operation);
    } else {
        ::close(fd);
    }
}

}  // namespace asyncio::detail
