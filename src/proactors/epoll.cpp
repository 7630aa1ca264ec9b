// epoll.cpp - the Proactor on epoll.
//
// Descriptors are watched edge-triggered and registered once: epoll says once that something has
// changed, after what was exhausted.
//
// The kernel computes the bits of an event when epoll_wait() returns it, not when the change
// happens. So an event of which everything has been consumed already does no harm: its bits no
// longer say "readable".
//
// SPDX-License-Identifier: MIT
#include "factories.hpp"
#include "readiness.hpp"

#include <asyncio/exceptions.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace asyncio::lowlevel {

namespace {

using std::chrono::nanoseconds;

// What to watch a descriptor for. Writability is added only when an operation has to wait for it:
// for Unix sockets and pipes each read at the other end is a change of it, and wakes. Closing is
// reported in any case. EPOLLPRI: see Readiness::exhausts().
constexpr std::uint32_t watch_input = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET;
constexpr std::uint32_t watch_output = watch_input | EPOLLOUT;

static_assert(EPOLLIN == POLLIN && EPOLLPRI == POLLPRI && EPOLLOUT == POLLOUT &&
              EPOLLERR == POLLERR && EPOLLHUP == POLLHUP && EPOLLRDHUP == POLLRDHUP);

class Epoll final : public Readiness {
public:
    Epoll();

    void poll(CallbackList& pending, CallbackList& ready, TimePoint deadline) override;
    [[nodiscard]] int descriptor() const noexcept override { return epoll_.get(); }
    [[nodiscard]] std::string_view name() const noexcept override { return "epoll"; }

private:
    int watch(Descriptor& descriptor, int fd, std::uint8_t sides) noexcept override;
    void unwatch(Descriptor& descriptor, int fd) noexcept override;
    int wait(TimePoint deadline);
    int wait_for(nanoseconds time) noexcept;
    void dispatch(const epoll_event& event, CallbackList& ready) noexcept;

    static constexpr std::uint64_t wake_event = ~std::uint64_t{0};

    OwnDescriptor epoll_;
    bool exact_waits_ = true;  // epoll_pwait2() is there
    std::array<epoll_event, 256> events_;
};

Epoll::Epoll() : epoll_(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1") {
    epoll_event event{};
    // Edge-triggered: each write is an event of its own, and the counter need never be read.
    event.events = EPOLLIN | EPOLLET;
    event.data.u64 = wake_event;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_descriptor(), &event) != 0) {
        detail::raise_os_error(errno, "epoll_ctl");
    }
}

void Epoll::poll(CallbackList& pending, CallbackList& ready, TimePoint deadline) {
    start_all(pending, ready);
    const int count = wait(ready.empty() && finished_.empty() ? deadline : TimePoint::min());
    for (int i = 0; i < count; ++i) {
        dispatch(events_[static_cast<std::size_t>(i)], ready);
    }
    ready.splice_back(finished_);
}

// The number of events; 0 also when a signal ended the wait.
int Epoll::wait(TimePoint deadline) {
    const int size = static_cast<int>(events_.size());
    int count = 0;
    if (deadline == TimePoint::max()) {
        count = ::epoll_wait(epoll_.get(), events_.data(), size, -1);
    } else {
        const TimePoint start = deadline == TimePoint::min() ? deadline : now();
        if (deadline > start) {
            count = wait_for(deadline - start);
        } else if (watches() || is_woken()) {
            count = ::epoll_wait(epoll_.get(), events_.data(), size, 0);
        }  // else nothing could be reported: a program that only computes
    }
    if (count < 0 && errno != EINTR) {
        detail::raise_os_error(errno, "epoll_wait");
    }
    return std::max(count, 0);
}

int Epoll::wait_for(nanoseconds time) noexcept {
    const int size = static_cast<int>(events_.size());
    if (exact_waits_) {
        // To the nanosecond, which costs no more than milliseconds do. Linux 5.11; through
        // syscall(), because the C library may be older than the kernel.
        const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
        timespec timeout{};
        timeout.tv_sec = seconds.count();
        timeout.tv_nsec = (time - seconds).count();
        const long count = ::syscall(SYS_epoll_pwait2, epoll_.get(), events_.data(), size, &timeout,
                                     nullptr, std::size_t{0});
        if (count >= 0 || (errno != ENOSYS && errno != EPERM)) {
            return static_cast<int>(count);
        }
        exact_waits_ = false;
    }
    // Rounded up: a wait that ends before the deadline would be followed by waits of no time at all
    // until it has come.
    const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(time).count();
    const std::int64_t most = std::numeric_limits<int>::max();
    return ::epoll_wait(epoll_.get(), events_.data(), size,
                        static_cast<int>(std::min<std::int64_t>(rounded, most)));
}

void Epoll::dispatch(const epoll_event& event, CallbackList& ready) noexcept {
    if (event.data.u64 == wake_event) {
        woken();
        return;
    }
    Descriptor* descriptor = descriptors_.find(static_cast<int>(event.data.u64 & 0xffffffffU));
    if (descriptor == nullptr || descriptor->generation != event.data.u64 >> 32) {
        // Of a descriptor that was closed without `close` or `forget`, while a duplicate of it
        // lives on.
        return;
    }
    report(*descriptor, event.events, Level::exact, ready);
}

// Once or twice in the life of a descriptor. EPERM stands for what cannot be waited for, such as
// files; but these are always ready and do not come here.
int Epoll::watch(Descriptor& descriptor, int fd, std::uint8_t sides) noexcept {
    epoll_event event{};
    event.events = (sides & directions::output) != 0 ? watch_output : watch_input;
    event.data.u64 = std::uint64_t{descriptor.generation} << 32 | static_cast<unsigned>(fd);
    int action = descriptor.watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    int result = ::epoll_ctl(epoll_.get(), action, fd, &event);
    if (result != 0 && (errno == EEXIST || errno == ENOENT)) {
        // The number was closed, and opened again, without `close` or `forget`.
        action = action == EPOLL_CTL_ADD ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
        result = ::epoll_ctl(epoll_.get(), action, fd, &event);
    }
    return result == 0 ? 0 : errno;
}

void Epoll::unwatch(Descriptor&, int fd) noexcept {
    epoll_event unused{};
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, &unused);
}

}  // namespace

std::unique_ptr<Proactor> make_epoll_proactor() {
    return std::make_unique<Epoll>();
}

}  // namespace asyncio::lowlevel
