// io_uring_probe.cpp - whether this system has an io_uring that can be used.
//
// Versions say little: vendors disable it, containers refuse it, and what is compiled in need not
// be what runs. So it is tried out, in a few system calls.
//
// SPDX-License-Identifier: MIT
#include "factories.hpp"
#include "io_uring.hpp"

#include <asyncio/exceptions.hpp>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <optional>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace asyncio::lowlevel {

static std::optional<Completion> completion_of(Ring& ring, std::uint64_t tag) noexcept {
    while (const std::optional<Completion> completion = ring.take()) {
        if (completion->tag == tag) {
            return completion;
        }
    }
    return std::nullopt;
}

// A poll that stays armed tells of each change, a wait ends in time, a poll can be ended.
static int try_out(Ring& ring) {
    constexpr std::uint64_t tag = 1;
    constexpr std::uint64_t one = 1;

    const OwnDescriptor counter(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
    int result = ring.enable();
    if (result < 0) {
        return -result;
    }
    io_uring_sqe* entry = ring.next();
    io_uring_prep_poll_multishot(entry, counter.get(), POLLIN);
    io_uring_sqe_set_data64(entry, tag);
    result = ring.wait(1);
    if (const std::optional<Completion> early = completion_of(ring, tag)) {
        return early->result < 0 ? -early->result : EOPNOTSUPP;
    }
    if (result < 0 && result != -ETIME) {
        return -result;
    }
    for (int i = 0; i < 2; ++i) {
        if (::write(counter.get(), &one, sizeof one) != sizeof one) {
            return errno;
        }
        result = ring.wait(std::chrono::nanoseconds(std::chrono::seconds(1)).count());
        const std::optional<Completion> completion = completion_of(ring, tag);
        if (result < 0 || !completion || completion->result < 0 ||
            (completion->flags & IORING_CQE_F_MORE) == 0) {
            return EOPNOTSUPP;
        }
    }
    entry = ring.next();
    io_uring_prep_cancel64(entry, tag, 0);
    io_uring_sqe_set_data64(entry, 0);
    if (result = ring.enter(); result < 0) {
        return -result;
    }
    const std::optional<Completion> completion = completion_of(ring, tag);
    return completion && completion->result == -ECANCELED ? 0 : EOPNOTSUPP;
}

int try_io_uring() noexcept {
    try {
        Ring ring({.submissions = 4, .completions = 8});
        return try_out(ring);
    } catch (const OSError& error) {
        return error.code().value();
    } catch (...) {
        return ENOMEM;
    }
}

int io_uring_refusal() noexcept {
    static constinit std::atomic<int> known{-1};
    int refusal = known.load(std::memory_order_relaxed);
    if (refusal >= 0) {
        return refusal;
    }
    refusal = try_io_uring();
    // Memory and descriptors may be there the next time.
    if (refusal != ENOMEM && refusal != EMFILE && refusal != ENFILE && refusal != EAGAIN) {
        known.store(refusal, std::memory_order_relaxed);
    }
    return refusal;
}

std::unique_ptr<Proactor> make_io_uring_proactor() {
    if (const int refusal = io_uring_refusal(); refusal != 0) {
        detail::raise_os_error(refusal, "io_uring");
    }
    return std::make_unique<IoUring>();
}

}  // namespace asyncio::lowlevel
