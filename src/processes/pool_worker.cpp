// pool_worker.cpp - sends calls to a worker process and receives its replies.
//
// SPDX-License-Identifier: MIT
#include "pool_worker.hpp"

#include "send_descriptors.hpp"

#include <asyncio/exceptions.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace asyncio::detail {

void complete_header(Message& message, std::uint64_t number) noexcept {
    CallHeader header;
    std::memcpy(&header, message.bytes.data(), sizeof header);
    header.size = message.bytes.size() - sizeof header;
    header.number = number;
    header.descriptors = message.descriptors.size();
    std::memcpy(message.bytes.data(), &header, sizeof header);
}

PoolWorker::PoolWorker(int id, const Message& first) : id_(id), first_(first) {
    std::array<int, 2> sockets{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) != 0) {
        raise_os_error(errno, "make the socket of a worker process");
    }
    socket_ = FileDescriptor(sockets[0]);
    socket_of_process_ = FileDescriptor(sockets[1]);
    page_of_process_ = FileDescriptor(::memfd_create("asyncio-worker", MFD_CLOEXEC));
    void* memory = MAP_FAILED;
    if (page_of_process_ && ::ftruncate(page_of_process_.fileno(), sizeof(WorkerPage)) == 0) {
        memory = ::mmap(nullptr, sizeof(WorkerPage), PROT_READ | PROT_WRITE, MAP_SHARED,
                        page_of_process_.fileno(), 0);
    }
    if (memory == MAP_FAILED) {
        raise_os_error(errno, "make the page of a worker process");
    }
    page_ = ::new (memory) WorkerPage();
}

PoolWorker::~PoolWorker() {
    if (page_ != nullptr) {
        ::munmap(page_, sizeof(WorkerPage));
    }
}

void PoolWorker::close_those_of_process() noexcept {
    socket_of_process_.close();
    page_of_process_.close();
}

// ----------------------------------------------------------------------------------- sending

void PoolWorker::add(std::shared_ptr<RemoteCall> call) {
    call->number_ = ++given_;
    call->worker_ = this;
    call->state_ = RemoteCall::State::sent;
    complete_header(call->request, given_);
    page_->queue(given_);
    if (unsent_ == nullptr) {
        unsent_ = call.get();
    }
    calls_.push_back(std::move(call));
}

std::size_t PoolWorker::room() const noexcept {
    const std::uint64_t words_in_use = calls_.empty() ? 0 : given_ + 1 - calls_.front().number_;
    return WorkerPage::slots - words_in_use;
}

// The message that is to be sent first, from where it has been sent to.
const Message& PoolWorker::next_message() const noexcept {
    if (!first_sent_) {
        return first_;
    }
    return rest_.bytes.empty() ? unsent_->request : rest_;
}

void PoolWorker::next_is_sent() noexcept {
    if (!first_sent_) {
        first_sent_ = true;
    } else if (!rest_.bytes.empty()) {
        rest_ = {};
    } else {
        unsent_ = CallList::after(*unsent_);
    }
}

// Several at once; but descriptors go with the first byte of the one that they belong to, alone.
std::size_t PoolWorker::gather(std::span<iovec> parts) const noexcept {
    std::size_t count = 0;
    const auto add_part = [&parts, &count](const Message& message, std::size_t from) {
        parts[count++] = {const_cast<char*>(message.bytes.data()) + from,
                          message.bytes.size() - from};
    };
    add_part(next_message(), sent_of_next_);
    if (!next_message().descriptors.empty()) {
        return count;
    }
    const bool is_of_call = first_sent_ && rest_.bytes.empty();
    const RemoteCall* next = is_of_call ? CallList::after(*unsent_) : unsent_;
    while (next != nullptr && count < parts.size() && next->request.descriptors.empty()) {
        add_part(next->request, 0);
        next = CallList::after(*next);
    }
    return count;
}

void PoolWorker::send() noexcept {
    while (wants_to_send()) {
        constexpr std::size_t most = 32;
        std::array<iovec, most> parts;
        const std::size_t count = gather(parts);
        std::span<const FileDescriptor> descriptors;
        if (sent_of_next_ == 0) {
            descriptors = next_message().descriptors;
        }
        const ssize_t result =
            send_with_descriptors(socket_.fileno(), {parts.data(), count}, descriptors);
        refused_ = result < 0 && errno != EAGAIN && errno != EPIPE && errno != ECONNRESET;
        if (result < 0) {
            return;  // it is full, or its process is dead, as will be seen
        }
        auto sent = static_cast<std::size_t>(result) + sent_of_next_;
        while (wants_to_send() && sent >= next_message().bytes.size()) {
            sent -= next_message().bytes.size();
            next_is_sent();
        }
        sent_of_next_ = sent;
    }
}

void PoolWorker::close_input() noexcept {
    input_closed_ = true;
    ::shutdown(socket_.fileno(), SHUT_WR);
}

// ------------------------------------------------------------------------------ taking back

bool PoolWorker::is_running(const RemoteCall& call) noexcept {
    return page_->is_running(call.number_);
}

bool PoolWorker::is_half_sent(const RemoteCall& call) const noexcept {
    return &call == unsent_ && sent_of_next_ != 0 && first_sent_ && rest_.bytes.empty();
}

// One that is half sent cannot begin, but its rest has to follow.
std::shared_ptr<RemoteCall> PoolWorker::take_back(RemoteCall& call) noexcept {
    const bool half_sent = is_half_sent(call) && death == Death::none;
    Message rest;  // without descriptors: they have gone with the first byte
    if (half_sent) {
        try {
            rest.bytes = call.request.bytes;
        } catch (const std::bad_alloc&) {
            return nullptr;
        }
    }
    if (!page_->claim(call.number_, WorkerPage::revoked)) {
        return nullptr;
    }
    if (&call == unsent_) {
        unsent_ = CallList::after(call);
    }
    if (half_sent) {
        rest_ = std::move(rest);
    }
    call.worker_ = nullptr;
    call.state_ = RemoteCall::State::waiting;
    return calls_.take(call);
}

std::shared_ptr<RemoteCall> PoolWorker::take_last_back() noexcept {
    return calls_.empty() ? nullptr : take_back(calls_.back());
}

std::shared_ptr<RemoteCall> PoolWorker::drop_last() noexcept {
    RemoteCall& call = calls_.back();
    if (&call == unsent_) {
        unsent_ = nullptr;
    }
    call.worker_ = nullptr;
    return calls_.take(call);
}

// --------------------------------------------------------------------------------- receiving

PoolWorker::Received PoolWorker::receive() noexcept {
    constexpr std::size_t step = std::size_t{64} * 1024;
    received_.erase(0, read_);
    read_ = 0;
    const std::size_t before = received_.size();
    try {
        // More at a time where much has come already; never because a size says so.
        received_.resize(before + std::max(step, std::min(before, 64 * step)));
    } catch (...) {
        return Received::end;
    }
    const ssize_t size = ::recv(socket_.fileno(), received_.data() + before,
                                received_.size() - before, MSG_DONTWAIT);
    received_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    if (size > 0) {
        return Received::something;
    }
    return size < 0 && (errno == EAGAIN || errno == EINTR) ? Received::nothing : Received::end;
}

bool PoolWorker::has_unread() const noexcept {
    char first = 0;
    return ::recv(socket_.fileno(), &first, 1, MSG_DONTWAIT | MSG_PEEK) > 0;
}

std::optional<PoolWorker::Reply> PoolWorker::next_reply(bool& broken) noexcept {
    Reply reply;
    const std::size_t there = received_.size() - read_;
    if (there < sizeof reply.header) {
        return std::nullopt;
    }
    std::memcpy(&reply.header, received_.data() + read_, sizeof reply.header);
    if (reply.header.magic != ReplyHeader::right_magic) {
        broken = true;
        return std::nullopt;
    }
    if (there - sizeof reply.header < reply.header.size) {
        return std::nullopt;
    }
    reply.bytes = {received_.data() + read_ + sizeof reply.header, reply.header.size};
    read_ += sizeof reply.header + reply.header.size;
    return reply;
}

std::shared_ptr<RemoteCall> PoolWorker::answered(const ReplyHeader& reply) noexcept {
    if (calls_.empty() || &calls_.front() == unsent_ || calls_.front().number_ != reply.number) {
        return nullptr;
    }
    ++served_;
    calls_.front().worker_ = nullptr;
    return calls_.pop_front();
}

}  // namespace asyncio::detail
