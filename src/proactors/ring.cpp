// ring.cpp - setting up an io_uring, and the calls that drive it.
//
// SPDX-License-Identifier: MIT
#include "ring.hpp"

#include <asyncio/exceptions.hpp>

#include <array>
#include <cerrno>
#include <cstdlib>

#include <sys/syscall.h>
#include <unistd.h>

namespace asyncio::lowlevel {

// Completions are made when this thread enters the kernel to get them, and only then (Linux 6.1):
// no interrupts, no task work at the end of other system calls, and they come by the batch.
static constexpr unsigned deferred =
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
// At the next transition to the kernel, without an interrupt (5.19).
static constexpr unsigned cooperative = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;

// What the kernel is asked for, one after the other until it agrees. SUBMIT_ALL: one bad entry does
// not hold up those behind it (5.18).
static constexpr std::array<unsigned, 5> set_ups = {
    IORING_SETUP_SUBMIT_ALL | deferred,
    IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | cooperative,
    IORING_SETUP_SUBMIT_ALL | cooperative,
    IORING_SETUP_SUBMIT_ALL,
    0,
};

// NODROP: completions that find the queue full are kept (5.5). EXT_ARG: a time to wait is an
// argument of the wait, and not an entry of its own (5.11).
static constexpr unsigned needed_features = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG;

// liburing 2.3 declares functions for these, but its library has not got them.
static int tell(const io_uring& ring, unsigned what, const void* argument,
                std::size_t count) noexcept {
    const long result = ::syscall(SYS_io_uring_register, ring.ring_fd, what, argument, count);
    return result < 0 ? -errno : 0;
}

Ring::Ring(const RingOptions& options) : process_(::getpid()) {
    int result = -EINVAL;
    for (std::size_t i = 0; i < set_ups.size() && result == -EINVAL; ++i) {
        result = (set_ups[i] & options.refused_flags) != 0 ? -EINVAL : set_up(options, set_ups[i]);
    }
    if (result < 0) {
        detail::raise_os_error(-result, "io_uring_setup");
    }
}

// Disabled at first: not the thread that makes the ring becomes the one that uses it, but the one
// that enables it.
int Ring::set_up(const RingOptions& options, unsigned flags) noexcept {
    io_uring_params parameters{};
    parameters.flags = flags | IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
    parameters.cq_entries = options.completions;
    int result = io_uring_queue_init_params(options.submissions, &ring_, &parameters);
    if (result < 0) {
        return result;
    }
    const unsigned features = parameters.features & ~options.refused_features;
    if ((features & needed_features) != needed_features) {
        result = -EOPNOTSUPP;
    } else {
        result = io_uring_ring_dontfork(&ring_);
    }
    if (result == 0 && options.restricted) {
        std::array<io_uring_restriction, 3> allowed{};
        const std::array<std::uint8_t, 2> opcodes = {IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL};
        for (std::size_t i = 0; i < opcodes.size(); ++i) {
            allowed[i].opcode = IORING_RESTRICTION_SQE_OP;
            allowed[i].sqe_op = opcodes[i];
        }
        allowed[2].opcode = IORING_RESTRICTION_REGISTER_OP;
        allowed[2].register_op = IORING_REGISTER_ENABLE_RINGS;
        result = tell(ring_, IORING_REGISTER_RESTRICTIONS, allowed.data(), allowed.size());
        for (const std::uint8_t opcode : opcodes) {
            opcodes_ |= std::uint64_t{1} << opcode;
        }
    } else if (io_uring_probe* const probe = io_uring_get_probe_ring(&ring_)) {
        for (unsigned opcode = 0; opcode < 64 && opcode < probe->ops_len; ++opcode) {
            const bool known = (probe->ops[opcode].flags & IO_URING_OP_SUPPORTED) != 0;
            opcodes_ |= std::uint64_t{known} << opcode;
        }
        io_uring_free_probe(probe);
    }
    if (result < 0) {
        io_uring_queue_exit(&ring_);
    }
    return result;
}

// A child process has inherited the descriptor, but not the memory.
Ring::~Ring() {
    if (::getpid() == process_) {
        io_uring_queue_exit(&ring_);
    } else {
        ::close(ring_.ring_fd);
    }
}

int Ring::enable() noexcept {
    const int result = tell(ring_, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
    if (result < 0) {
        return result;
    }
    enabled_ = true;
    // The descriptor is not registered (io_uring_register_ring_fd), which would spare the kernel
    // some nanoseconds to look it up: the thread would keep the ring, and all that it watches,
    // open. As many threads of the kernel as work on slow files at once, of either kind.
    std::array<unsigned, 2> most_workers = {16, 16};
    static_cast<void>(io_uring_register_iowq_max_workers(&ring_, most_workers.data()));
    return 0;
}

int Ring::notify(int eventfd) noexcept {
    return tell(ring_, IORING_REGISTER_EVENTFD, &eventfd, 1);
}

io_uring_sqe* Ring::next() noexcept {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    if (entry == nullptr) [[unlikely]] {
        static_cast<void>(io_uring_submit(&ring_));
        entry = io_uring_get_sqe(&ring_);
    }
    return entry;
}

unsigned Ring::kernel_flags() const noexcept {
    return io_uring_smp_load_acquire(ring_.sq.kflags);
}

bool Ring::has_work() const noexcept {
    return io_uring_sq_ready(&ring_) > 0 ||
           (kernel_flags() & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

int Ring::enter() noexcept {
    const int result = io_uring_submit_and_get_events(&ring_);
    return result < 0 ? result : 0;
}

int Ring::wait() noexcept {
    const int result = io_uring_submit_and_wait(&ring_, 1);
    return result < 0 ? result : 0;
}

int Ring::wait(std::int64_t nanoseconds) noexcept {
    constexpr std::int64_t second = 1'000'000'000;
    __kernel_timespec timeout{};
    timeout.tv_sec = nanoseconds / second;
    timeout.tv_nsec = nanoseconds % second;
    io_uring_cqe* unused = nullptr;
    const int result = io_uring_submit_and_wait_timeout(&ring_, &unused, 1, &timeout, nullptr);
    return result < 0 ? result : 0;
}

std::optional<Completion> Ring::take() noexcept {
    const unsigned head = *ring_.cq.khead;
    if (head == io_uring_smp_load_acquire(ring_.cq.ktail)) {
        return std::nullopt;
    }
    const io_uring_cqe& entry = ring_.cq.cqes[head & *ring_.cq.kring_mask];
    const Completion completion{entry.user_data, entry.res, entry.flags};
    io_uring_smp_store_release(ring_.cq.khead, head + 1);
    return completion;
}

}  // namespace asyncio::lowlevel
