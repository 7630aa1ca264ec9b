// worker.cpp - a worker process: makes one call after the other.
//
// SPDX-License-Identifier: MIT
#include "protocol.hpp"
#include "send_descriptors.hpp"
#include "server.hpp"
#include "trace.hpp"

#include <asyncio/detail/processes/call.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <deque>
#include <iostream>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace asyncio::detail {

namespace {

std::int64_t now() noexcept {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    constexpr std::int64_t second = 1'000'000'000;
    return time.tv_sec * second + time.tv_nsec;
}

class Worker {
public:
    Worker(int socket, WorkerPage& page) noexcept : socket_(socket), page_(page) {}

    [[noreturn]] void run() {
        CallHeader header;
        receive(header);
        initialise(header);
        for (;;) {
            const bool complete = receive(header);
            DescriptorsOfCall descriptors = take_descriptors(header);
            begun_ = now();
            page_.begun.store(begun_, std::memory_order_relaxed);  // before it counts as begun
            if (page_.claim(header.number, WorkerPage::running)) {
                make_call(header, complete, descriptors);
            }
            // What it has been given is gone before it waits for more.
            take(complete ? header.size : 0);
        }
    }

private:
    using DescriptorsOfCall = std::vector<FileDescriptor>;

    [[noreturn]] static void end() {
        std::cout.flush();
        std::fflush(nullptr);
        ::_exit(0);
    }

    // Until `size` bytes are there. The pool has closed its end if they do not come.
    void receive_bytes(std::size_t size) {
        while (buffer_.size() - at_ < size) {
            constexpr std::size_t step = std::size_t{64} * 1024;
            buffer_.erase(0, at_);
            at_ = 0;
            const std::size_t before = buffer_.size();
            const std::size_t room = std::max(step, std::min(size - before, 16 * step));
            buffer_.resize(before + room);
            ReceivedDescriptors received;
            const ssize_t got =
                receive_with_descriptors(socket_, buffer_.data() + before, room, received, 0);
            buffer_.resize(before + (got > 0 ? static_cast<std::size_t>(got) : 0));
            if (got <= 0) {
                end();
            }
            if (received.some_are_missing || !received.all.empty()) {
                descriptors_.push_back(std::move(received.all));
            }
        }
    }

    // False if there is no memory for it: then it has been received, and thrown away.
    bool receive(CallHeader& header) {
        receive_bytes(sizeof header);
        std::memcpy(&header, buffer_.data() + at_, sizeof header);
        at_ += sizeof header;
        try {
            receive_bytes(header.size);
            return true;
        } catch (const std::bad_alloc&) {
        } catch (const std::length_error&) {}
        std::uint64_t left = header.size - (buffer_.size() - at_);
        std::string().swap(buffer_);
        at_ = 0;
        while (left > 0) {
            constexpr std::uint64_t step = std::uint64_t{64} * 1024;
            const auto some = static_cast<std::size_t>(std::min(left, step));
            receive_bytes(some);
            at_ += some;
            left -= some;
        }
        return false;
    }

    void take(std::size_t size) {
        at_ += size;
        constexpr std::size_t kept = std::size_t{1} << 20;
        if (at_ == buffer_.size() && buffer_.capacity() > kept) {
            std::string().swap(buffer_);
            at_ = 0;
        }
    }

    void initialise(const CallHeader& header) {
        const ReplyHeader::Kind failed = ReplyHeader::Kind::failed;
        DescriptorsOfCall descriptors = take_descriptors(header);
        const bool ready = header.size == 0 || perform(header, true, descriptors);
        take(header.size);
        if (ready) {
            reply_.assign(sizeof(ReplyHeader), '\0');
            send_reply({.kind = ReplyHeader::Kind::ready});
        } else {
            send_reply({.kind = failed});
            end();
        }
    }

    void make_call(const CallHeader& header, bool complete, DescriptorsOfCall& descriptors) {
        const bool good = perform(header, complete, descriptors);
        ReplyHeader reply;
        reply.kind = good ? ReplyHeader::Kind::value : ReplyHeader::Kind::error;
        reply.number = header.number;
        reply.nanoseconds = now() - begun_;
        send_reply(reply);
    }

    /// The reply, with place for its header: what the function gives, or throws. Was it the former?
    bool perform(const CallHeader& header, bool complete, DescriptorsOfCall& descriptors) {
        const ReplyHeader place;
        WireWriter writer;
        writer.written() = std::move(reply_);
        writer.written().assign(reinterpret_cast<const char*>(&place), sizeof place);
        std::string trace;
        const std::exception_ptr error = catch_with_trace(trace, [&] {
            if (!complete) {
                throw std::bad_alloc();
            }
            call(header, descriptors, writer);
            if (!writer.descriptors().empty()) {
                throw RuntimeError("a descriptor cannot be sent back from a worker process");
            }
        });
        if (error != nullptr) {
            writer.written().resize(sizeof place);
            write_exception(writer, error, trace);
        }
        reply_ = std::move(writer.written());
        return error == nullptr;
    }

    void call(const CallHeader& header, DescriptorsOfCall& descriptors, WireWriter& writer) {
        if (descriptors.size() != header.descriptors) {
            descriptors.clear();  // whoever tells of it may need one
            throw OSError(EMFILE, "receive the descriptors of a call");
        }
        const WireDescriptors here(std::move(descriptors));
        if (header.module_size > header.size) {
            throw RuntimeError("a call whose module is longer than the call");
        }
        const std::string_view all(buffer_.data() + at_, header.size);
        const AnyFunction entry = resolve(all.substr(0, header.module_size), header.entry);
        const WireDocument document(all.substr(header.module_size));
        reinterpret_cast<Entry>(entry)(document.value(), writer);
    }

    // They come with the first byte of their call, those of one call at a time, if perhaps not all.
    DescriptorsOfCall take_descriptors(const CallHeader& header) {
        DescriptorsOfCall taken;
        if (header.descriptors != 0 && !descriptors_.empty()) {
            taken = std::move(descriptors_.front());
            descriptors_.pop_front();
        }
        return taken;
    }

    void send_reply(ReplyHeader header) {
        header.size = reply_.size() - sizeof header;
        std::memcpy(reply_.data(), &header, sizeof header);
        for (std::size_t sent = 0; sent < reply_.size();) {
            const ssize_t size =
                ::send(socket_, reply_.data() + sent, reply_.size() - sent, MSG_NOSIGNAL);
            if (size < 0 && errno != EINTR) {
                end();
            }
            sent += size > 0 ? static_cast<std::size_t>(size) : 0;
        }
        constexpr std::size_t kept = std::size_t{1} << 20;
        if (reply_.capacity() > kept) {
            std::string().swap(reply_);
        }
    }

    int socket_;
    WorkerPage& page_;
    std::string buffer_;                         // what has been received
    std::size_t at_ = 0;                         // how much of it is done with
    std::deque<DescriptorsOfCall> descriptors_;  // of the calls in buffer_ that have any
    std::string reply_;
    std::int64_t begun_ = 0;
};

}  // namespace

void run_worker(int socket, int page) noexcept {
    void* const memory =
        ::mmap(nullptr, sizeof(WorkerPage), PROT_READ | PROT_WRITE, MAP_SHARED, page, 0);
    ::close(page);
    if (memory == MAP_FAILED) {
        ::_exit(1);
    }
    Worker(socket, *static_cast<WorkerPage*>(memory)).run();
}

}  // namespace asyncio::detail
