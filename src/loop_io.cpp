// loop_io.cpp - the beginning and the end of what a loop has open.
//
// SPDX-License-Identifier: MIT
#include "loop_io.hpp"

#include <asyncio/detail/socket_operations.hpp>

#include "watches.hpp"

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

LoopIO::LoopIO(EventLoop& loop) noexcept : loop_(&loop) {}

LoopIO::~LoopIO() = default;

void LoopIO::loop_closing() noexcept {
    while (!resources_.empty()) {
        resources_.pop_front().loop_closing();
    }
    watches_.reset();
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

bool LoopIO::has_operations(int fd) const noexcept {
    const auto found = operations_.find(fd);
    return found != operations_.end() && !found->second.empty();
}

void LoopIO::claim(int fd) {
    const auto place = static_cast<unsigned>(fd);
    if (place >= claimed_.size()) {
        claimed_.resize(place + 1);
    }
    claimed_[place] = true;
}

void LoopIO::disclaim(int fd) noexcept {
    if (claimed(fd)) {
        claimed_[static_cast<unsigned>(fd)] = false;
    }
}

Watches& LoopIO::watches() {
    if (watches_ == nullptr) {
        watches_ = std::make_unique<Watches>(*this);
    }
    return *watches_;
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

// What others have made for themselves meanwhile is given up.
LoopIO::Kept::~Kept() {
    if (scratch_ != nullptr) {
        io_.scratch_ = std::move(scratch_);
    }
    if (plaintext_ != nullptr) {
        io_.plaintext_ = std::move(plaintext_);
    }
}

void LoopIO::close(int fd) noexcept {
    disclaim(fd);
    if (loop_ != nullptr) {
        Operation operation(&run_nothing, Opcode::close, fd);
        loop_->call(operation);
    } else {
        ::close(fd);
    }
}

}  // namespace asyncio::detail
