// io_uring.cpp - waiting, and what has happened.
//
// One system call for each turn that has to wait: it hands over what was queued, waits, and has the
// kernel put completions into memory that is read without another. A turn that need not wait makes
// none at all unless there is something to hand over or to take in.
//
// SPDX-License-Identifier: MIT
#include "io_uring.hpp"

#include "factories.hpp"
#include "posix.hpp"

#include <asyncio/detail/config.hpp>
#include <asyncio/exceptions.hpp>

#include <atomic>
#include <cerrno>
#include <new>
#include <optional>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace asyncio::lowlevel {

// ------------------------------------------------------------------------------------------ tags

// What a completion is of: a poll, by the number and the generation of its descriptor; an operation
// on a file, by its address; one of these.
static constexpr std::uint64_t ignored = 0;  // what ends another request
static constexpr std::uint64_t wake_up = 1;
static constexpr std::uint64_t is_poll = std::uint64_t{1} << 63;
static constexpr std::uint32_t generations = 0x7fffffff;

static std::uint64_t poll_tag(int fd, const Descriptor& descriptor) noexcept {
    return is_poll | std::uint64_t{descriptor.generation & generations} << 32 |
           static_cast<unsigned>(fd);
}

// A poll that has been armed completes with what its wake-up says has happened, which for input is
// all of POLLIN | POLLPRI | POLLRDNORM | POLLRDBAND, whatever came; only if several wake-ups met,
// and when it is armed, does the kernel look at the file. POLLRDBAND tells these apart: no socket
// has it, but all wake-ups have.
static constexpr std::uint32_t watch_input = POLLIN | POLLPRI | POLLRDBAND | POLLRDHUP;
static constexpr std::uint32_t watch_output = watch_input | POLLOUT;

// ------------------------------------------------------------------------------ rings and threads

// A number that no other thread has, nor will have when this one has ended.
std::uint64_t IoUring::this_thread() noexcept {
    static constinit std::atomic<std::uint64_t> last{0};
    static constinit thread_local std::uint64_t number = 0;
    if (number == 0) [[unlikely]] {
        number = last.fetch_add(1, std::memory_order_relaxed) + 1;
    }
    return number;
}

IoUring::IoUring(const RingOptions& options)
    : options_(options), ring_(std::make_unique<Ring>(options)) {}

// Files whose polls are armed are kept open by them, and the kernel takes a ring apart some time
// after it was closed. So they are ended first.
IoUring::~IoUring() {
    ASYNCIO_ASSERT(on_files_.empty());
    if (notified_ >= 0) {
        ::close(notified_);
    }
    if (in_child_process() || thread_ != this_thread()) {
        return;
    }
    descriptors_.for_each_number([&](int fd, Descriptor& descriptor) noexcept {
        if (descriptor.watched != 0) {
            disarm(poll_tag(fd, descriptor));
        }
    });
    static_cast<void>(ring_->enter());
}

// The ring belongs to the thread that used it first, which need not have made it. A loop that goes
// on in another one gets another ring. 0 or -errno.
int IoUring::use() noexcept {
    if (thread_ == this_thread()) [[likely]] {
        return 0;
    }
    if (thread_ != 0) {
        const int error = renew();
        if (error < 0) {
            return error;
        }
    }
    const int error = ring_->enable();
    if (error < 0) {
        return error;
    }
    thread_ = this_thread();
    wake_armed_ = arm_wake();
    descriptors_.for_each_number([&](int fd, Descriptor& descriptor) noexcept {
        if (descriptor.watched != 0 && !arm(fd, descriptor, descriptor.watched)) {
            lose_poll(descriptor, -ENOMEM, finished_);
        }
    });
    return 0;
}

int IoUring::renew() noexcept {
    // A thread that has ended has completed everything. The polls are made anew.
    while (const std::optional<Completion> completion = ring_->take()) {
        if ((completion->tag & is_poll) == 0 && completion->tag > wake_up) {
            complete_on_file(*completion, finished_);
        }
    }
    if (!on_files_.empty()) {
        return -EBUSY;  // their memory is the kernel's until the other thread asks for them
    }
    try {
        ring_ = std::make_unique<Ring>(options_);
    } catch (const OSError& error) {
        return -error.code().value();
    } catch (const std::bad_alloc&) {
        return -ENOMEM;
    }
    if (notified_ >= 0) {
        static_cast<void>(ring_->notify(notified_));
    }
    return 0;
}

// ---------------------------------------------------------------------------------------- waiting

void IoUring::poll(CallbackList& pending, CallbackList& ready, TimePoint deadline) {
    if (const int error = use(); error != 0) [[unlikely]] {
        detail::raise_os_error(-error, "io_uring");
    }
    start_all(pending, ready);
    if (untold_) [[unlikely]] {
        tell_the_rest();
    }
    if (!wake_armed_) [[unlikely]] {
        wake_armed_ = arm_wake();
    }
    // Who could not be woken does not sleep.
    const bool may_wait = ready.empty() && finished_.empty() && wake_armed_;
    wait(may_wait ? deadline : TimePoint::min());
    take_completions(ready);
    ready.splice_back(finished_);
    if (notified_ >= 0) [[unlikely]] {
        settle_descriptor();
    }
}

// Not the ring's own descriptor: with deferred work that says so when it is asked, but does not
// wake who has asked before. The kernel counts up an eventfd for work that was deferred, too. That
// costs something with each completion, so only those loops have it that somebody watches.
int IoUring::descriptor() const noexcept {
    if (notified_ < 0) {
        notified_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (notified_ >= 0 && ring_->notify(notified_) < 0) {
            ::close(std::exchange(notified_, -1));
        }
        if (notified_ < 0) {
            return ring_->descriptor();
        }
        settle_descriptor();
    }
    return notified_;
}

// Readable if there is something to do, and only then.
void IoUring::settle_descriptor() const noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] ssize_t size = ::read(notified_, &count, sizeof count);
    if (ring_->has_work() || ring_->has_completions() || !finished_.empty()) {
        count = 1;
        size = ::write(notified_, &count, sizeof count);
    }
}

void IoUring::wait(TimePoint deadline) {
    int result = 0;
    if (deadline == TimePoint::max()) {
        result = ring_->wait();
    } else {
        const TimePoint start = deadline == TimePoint::min() ? deadline : now();
        if (deadline > start) {
            result = ring_->wait((deadline - start).count());
        } else if (ring_->has_work()) {
            result = ring_->enter();
        }  // else nothing could be reported: there was no wake-up since the last time
    }
    // Of no account: the time is over; a signal; the queue of completions was full, or there was no
    // memory to start everything: what is left is handed over the next time.
    if (result < 0 && result != -ETIME && result != -EINTR && result != -EAGAIN &&
        result != -EBUSY) {
        detail::raise_os_error(-result, "io_uring_enter");
    }
}

// Unless it is made to wait for more the kernel makes about twenty completions at a time. A turn
// takes all there are, as from epoll, within reason.
void IoUring::take_completions(CallbackList& ready) noexcept {
    constexpr int most = 256;
    constexpr int batch = 20;
    int count = 0;
    int before = 0;
    do {
        before = count;
        std::optional<Completion> completion;
        while (count < most && (completion = ring_->take())) {
            ++count;
            dispatch(*completion, ready);
        }
    } while (count - before >= batch && count < most && ring_->has_work() && ring_->enter() == 0);
}

void IoUring::dispatch(const Completion& completion, CallbackList& ready) noexcept {
    if ((completion.tag & is_poll) != 0) {
        dispatch_poll(completion, ready);
    } else if (completion.tag == wake_up) {
        woken();
        if ((completion.flags & IORING_CQE_F_MORE) == 0) {
            wake_armed_ = arm_wake();
        }
    } else if (completion.tag != ignored) {
        complete_on_file(completion, ready);
    }
}

void IoUring::dispatch_poll(const Completion& completion, CallbackList& ready) noexcept {
    const auto fd = static_cast<int>(completion.tag & 0xffffffffU);
    Descriptor* const descriptor = descriptors_.find(fd);
    if (descriptor == nullptr || poll_tag(fd, *descriptor) != completion.tag ||
        descriptor->watched == 0) {
        return;  // of a poll that was ended
    }
    if (completion.result < 0) {
        lose_poll(*descriptor, completion.result, ready);
        return;
    }
    // Without MORE there was no room for another completion after this one.
    const bool armed =
        (completion.flags & IORING_CQE_F_MORE) != 0 || arm(fd, *descriptor, descriptor->watched);
    auto events = static_cast<std::uint32_t>(completion.result);
    if ((events & POLLRDBAND) != 0) {
        events &= ~static_cast<std::uint32_t>(POLLPRI | POLLRDBAND);
        if (descriptor->input.ready) {
            found_nothing(*descriptor, fd);
        }
    }
    report(*descriptor, events, Level::perhaps, ready);
    if (!armed) {
        lose_poll(*descriptor, -ENOMEM, ready);
    }
}

// Nobody will tell of the descriptor any more: what waits there is told so, and the next one that
// has to wait watches it anew.
void IoUring::lose_poll(Descriptor& descriptor, std::int64_t error, CallbackList& ready) noexcept {
    descriptor.watched = 0;
    --watched_;
    abort(descriptor, error, ready);
}

// Urgent data (see Readiness::exhausts()) makes TCP stop reading with more behind it, for which
// there is no new event. epoll tells that it is there, and a poll here only if its wake-ups met.
// But urgent data makes two of them. If they do not meet there are two events, of which the second
// either comes after what the first one had read, so that more is read; or it comes when the
// descriptor is ready already; or, if the two are of different data, it finds nothing to read. The
// latter two are rare otherwise, and here the file is asked.
void IoUring::found_nothing(Descriptor& descriptor, int fd) noexcept {
    if (descriptor.kind == Kind::other) {
        return;
    }
    pollfd entry{fd, POLLPRI, 0};
    if (::poll(&entry, 1, 0) > 0 && (entry.revents & POLLPRI) != 0) {
        descriptor.kind = Kind::other;
    }
}

// --------------------------------------------------------------------------------------- watching

int IoUring::watch(Descriptor& descriptor, int fd, std::uint8_t sides) noexcept {
    if (descriptor.watched != 0) {
        // The new poll reports what the old one might have.
        if (!disarm(poll_tag(fd, descriptor))) {
            return ENOMEM;
        }
        ++descriptor.generation;
    }
    if (arm(fd, descriptor, sides)) {
        return 0;
    }
    if (descriptor.watched != 0) {
        lose_poll(descriptor, -ENOMEM, finished_);
    }
    return ENOMEM;
}

bool IoUring::arm(int fd, const Descriptor& descriptor, std::uint8_t sides) noexcept {
    io_uring_sqe* const entry = ring_->next();
    if (entry == nullptr) {
        return false;
    }
    const bool output = (sides & directions::output) != 0;
    io_uring_prep_poll_multishot(entry, fd, output ? watch_output : watch_input);
    io_uring_sqe_set_data64(entry, poll_tag(fd, descriptor));
    return true;
}

// Edge-triggered, as all polls that stay armed: the counter need never be read.
bool IoUring::arm_wake() noexcept {
    io_uring_sqe* const entry = ring_->next();
    if (entry == nullptr) {
        return false;
    }
    io_uring_prep_poll_multishot(entry, wake_descriptor(), POLLIN);
    io_uring_sqe_set_data64(entry, wake_up);
    return true;
}

bool IoUring::disarm(std::uint64_t tag) noexcept {
    io_uring_sqe* const entry = ring_->next();
    if (entry == nullptr) {
        return false;
    }
    // Not POLL_REMOVE, which leaves alone what was woken and has not been completed yet.
    io_uring_prep_cancel64(entry, tag, 0);
    io_uring_sqe_set_data64(entry, ignored);
    return true;
}

// At once: the file would stay open, and its peer hear nothing of the end, until the poll has
// ended.
void IoUring::unwatch(Descriptor& descriptor, int fd) noexcept {
    if (use() == 0 && disarm(poll_tag(fd, descriptor))) {
        static_cast<void>(ring_->enter());
    }
}

}  // namespace asyncio::lowlevel
