// epoll.cpp - the Proactor on epoll: completion made out of readiness.
//
// An operation is tried where it stands; only what would have to wait is queued at its descriptor
// and tried again when epoll reports the descriptor ready. Descriptors are watched edge-triggered,
// so epoll says once that something has changed, and whether a descriptor is ready is remembered
// here (Side::ready). The one rule all of this rests on:
//
//     A side that is watched may only be marked not ready by what shows that the kernel's buffer
//     was exhausted after the last event. Then the next change makes a new event.
//
// The kernel computes the bits of an event when epoll_wait() returns it, not when the change
// happens. So an event of which everything has been consumed already does no harm: its bits no
// longer say "readable".
//
// A child process of fork() shares the epoll instance with its parent. It may close descriptors and
// destroy the proactor without disturbing the parent's; it must not poll.
//
// SPDX-License-Identifier: MIT
#include "factories.hpp"
#include "posix.hpp"

#include <asyncio/detail/config.hpp>
#include <asyncio/exceptions.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <limits>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace asyncio::lowlevel {

namespace {

using std::chrono::nanoseconds;

// What to watch a descriptor for. Writability is added only when an operation has to wait for it:
// for Unix sockets and pipes each read at the other end is a change of it, and wakes. Closing is
// reported in any case. EPOLLPRI: see Epoll::exhausts().
constexpr std::uint32_t watch_input = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET;
constexpr std::uint32_t watch_output = watch_input | EPOLLOUT;

constexpr std::uint64_t bit(Opcode opcode) {
    return std::uint64_t{1} << static_cast<unsigned>(opcode);
}

constexpr std::uint64_t inputs = bit(Opcode::accept) | bit(Opcode::recv) | bit(Opcode::recv_from) |
                                 bit(Opcode::read) | bit(Opcode::poll_in) |
                                 bit(Opcode::recv_message);
constexpr std::uint64_t readiness = bit(Opcode::poll_in) | bit(Opcode::poll_out);

/// One direction of a descriptor.
struct Side {
    CallbackList waiting;  // Operations, in the order in which they are to be tried
    bool ready = true;     // worth trying, as a new descriptor is; then nothing waits
};

enum class Kind : std::uint8_t { unknown, tcp, other };

/// What is known of one descriptor: a cache line.
struct Descriptor {
    Side input;
    Side output;
    std::uint32_t generation = 1;  // of the descriptor: tells it from earlier ones of that number
    std::uint32_t watched = 0;     // the epoll bits; 0: not registered
    std::uint32_t turn = 0;        // when `attempts` was counted
    std::uint8_t attempts = 0;     // in place, since that poll()
    bool ended = false;            // hang-up or error seen: there is an end to be read
    Kind kind = Kind::unknown;
};
static_assert(sizeof(Descriptor) <= 64);

/// The descriptors by number. They never move, and a large number costs one block, not all below.
class DescriptorTable {
public:
    /// Null if `fd` was never seen.
    [[nodiscard]] Descriptor* find(int fd) const noexcept {
        const std::size_t block = static_cast<unsigned>(fd) / block_size;
        if (block >= blocks_.size() || blocks_[block] == nullptr) {
            return nullptr;
        }
        return &(*blocks_[block])[static_cast<unsigned>(fd) % block_size];
    }

    /// Makes room for `fd`; null, and errno, if it is not open or there is no memory.
    [[nodiscard]] Descriptor* add(int fd) noexcept {
        if (::fcntl(fd, F_GETFD) < 0) {  // before gigabytes are spent on a number that is garbage
            return nullptr;
        }
        const std::size_t block = static_cast<unsigned>(fd) / block_size;
        try {
            if (block >= blocks_.size()) {
                blocks_.resize(block + 1);
            }
            blocks_[block] = std::make_unique<Block>();
        } catch (const std::bad_alloc&) {
            errno = ENOMEM;
            return nullptr;
        }
        return find(fd);
    }

    template <class Visit>
    void for_each(Visit visit) noexcept {
        for (const std::unique_ptr<Block>& block : blocks_) {
            if (block != nullptr) {
                std::for_each(block->begin(), block->end(), visit);
            }
        }
    }

private:
    static constexpr std::size_t block_size = 256;
    using Block = std::array<Descriptor, block_size>;

    std::vector<std::unique_ptr<Block>> blocks_;
};

/// A descriptor of the proactor's own.
class OwnDescriptor {
public:
    OwnDescriptor(int fd, const char* what) : fd_(fd) {
        if (fd < 0) {
            detail::raise_os_error(errno, what);
        }
    }
    OwnDescriptor(const OwnDescriptor&) = delete;
    OwnDescriptor& operator=(const OwnDescriptor&) = delete;
    ~OwnDescriptor() { ::close(fd_); }
    [[nodiscard]] int get() const noexcept { return fd_; }

private:
    int fd_;
};

class Epoll final : public Proactor {
public:
    Epoll();
    ~Epoll() override { ASYNCIO_ASSERT(waiting_ == 0 && finished_.empty()); }

    void poll(CallbackList& pending, CallbackList& ready, TimePoint deadline) override;
    void cancel(Operation& operation, CallbackList& ready) noexcept override;
    void abort_all(CallbackList& ready) noexcept override;
    std::int64_t call(Operation& operation) noexcept override;
    [[nodiscard]] TimePoint now() const noexcept override;
    void wake() noexcept override;
    [[nodiscard]] int descriptor() const noexcept override { return epoll_.get(); }
    [[nodiscard]] std::uint64_t random() noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "epoll"; }

private:
    static bool attempt_in_place(Proactor& self, Operation& operation) noexcept;

    static Side& side_of(Descriptor& descriptor, const Operation& operation) noexcept {
        return (bit(operation.opcode) & inputs) != 0 ? descriptor.input : descriptor.output;
    }

    bool attempt_on_new(Operation& operation) noexcept;
    bool attempt_on_ready(Descriptor& descriptor, Side& side, Operation& operation) noexcept;
    void start(Operation& operation, CallbackList& ready) noexcept;
    int watch(Descriptor& descriptor, int fd, std::uint32_t events) noexcept;
    std::int64_t perform(Descriptor& descriptor, Side& side, Operation& operation) noexcept;
    void know_accepted(Descriptor& listener, const Operation& operation, int fd) noexcept;
    bool exhausts(Descriptor& descriptor, const Operation& operation, std::int64_t result) noexcept;
    bool is_tcp(Descriptor& descriptor, int fd) noexcept;
    void run_waiting(Descriptor& descriptor, Side& side, std::uint32_t level,
                     CallbackList& ready) noexcept;
    void finish(Operation& operation, std::int64_t result, CallbackList& ready) noexcept;
    int wait(TimePoint deadline);
    int wait_for(nanoseconds time) noexcept;
    void dispatch(const epoll_event& event, CallbackList& ready) noexcept;
    void abort(Descriptor& descriptor, std::int64_t result, CallbackList& ready) noexcept;
    void reset(Descriptor& descriptor, std::int64_t result) noexcept;
    void forget(int fd) noexcept;

    // How many attempts may succeed in place between two polls: as many on one descriptor, so that
    // a task that never has to wait for it lets the others run after about a tenth of a
    // millisecond; as many on all of them, so that one that walks over many does so after a few.
    // The latter allows for four on each of the descriptors that one poll can report.
    static constexpr std::uint8_t attempts_per_descriptor = 32;
    static constexpr std::uint32_t attempts_per_poll = 1024;

    static constexpr std::uint64_t wake_event = ~std::uint64_t{0};

    DescriptorTable descriptors_;
    std::uint32_t turn_ = 1;
    std::uint32_t attempts_ = 0;  // in place, since the last poll()
    std::size_t waiting_ = 0;     // Operations queued at descriptors
    std::size_t watched_ = 0;     // registered descriptors
    CallbackList finished_;       // completed where there was no ready list
    OwnDescriptor epoll_;
    OwnDescriptor wake_;
    std::atomic<bool> woken_{false};  // wake_ was written to and not yet seen
    bool exact_waits_ = true;         // epoll_pwait2() is there
    pid_t process_ = ::getpid();
    std::uint64_t random_state_ = 0;
    std::array<epoll_event, 256> events_;
};

Epoll::Epoll()
    : Proactor(&attempt_in_place),
      epoll_(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1"),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd") {
    epoll_event event{};
    // Edge-triggered: each write is an event of its own, and the counter need never be read.
    event.events = EPOLLIN | EPOLLET;
    event.data.u64 = wake_event;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0) {
        detail::raise_os_error(errno, "epoll_ctl");
    }
    while (::getrandom(&random_state_, sizeof random_state_, 0) != sizeof random_state_) {
        if (errno != EINTR) {  // by a signal, while the system that has just started gathers some
            detail::raise_os_error(errno, "getrandom");
        }
    }
}

void Epoll::poll(CallbackList& pending, CallbackList& ready, TimePoint deadline) {
    ++turn_;
    attempts_ = 0;
    while (!pending.empty()) {
        start(static_cast<Operation&>(pending.pop_front()), ready);
    }
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
        } else if (watched_ > 0 || woken_.load(std::memory_order_acquire)) {
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
        // Whoever found it set did not write; this reads what they did before.
        woken_.exchange(false, std::memory_order_acq_rel);
        return;
    }
    Descriptor* descriptor = descriptors_.find(static_cast<int>(event.data.u64 & 0xffffffffU));
    if (descriptor == nullptr || descriptor->generation != event.data.u64 >> 32) {
        // Of a descriptor that was closed without `close` or `forget`, while a duplicate of it
        // lives on.
        return;
    }
    if ((event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        descriptor->ended = true;
    }
    if ((event.events & EPOLLPRI) != 0) {
        descriptor->kind = Kind::other;
    }
    if ((event.events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        descriptor->input.ready = true;
        run_waiting(*descriptor, descriptor->input, event.events & (EPOLLIN | EPOLLHUP | EPOLLERR),
                    ready);
    }
    if ((event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) {
        descriptor->output.ready = true;
        run_waiting(*descriptor, descriptor->output,
                    event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR), ready);
    }
}

// Each waiting operation completes at most once in a poll(), so the work is bounded. `level` is
// what epoll has just said: as long as nothing was consumed, it answers poll_in and poll_out.
void Epoll::run_waiting(Descriptor& descriptor, Side& side, std::uint32_t level,
                        CallbackList& ready) noexcept {
    while (side.ready && !side.waiting.empty()) {
        auto& operation = static_cast<Operation&>(side.waiting.front());
        std::int64_t result = level;
        if (level == 0 || (bit(operation.opcode) & readiness) == 0) {
            level = 0;
            result = perform(descriptor, side, operation);
            if (result == posix::would_block) {
                return;
            }
        }
        operation.unlink();
        --waiting_;
        finish(operation, result, ready);
    }
}

void Epoll::finish(Operation& operation, std::int64_t result, CallbackList& ready) noexcept {
    operation.result = result;
    operation.started = false;
    operation.completed = true;
    ready.push_back(operation);
}

// Most attempts end here: to read what has not come yet. Hence so short.
bool Epoll::attempt_in_place(Proactor& self, Operation& operation) noexcept {
    auto& epoll = static_cast<Epoll&>(self);
    Descriptor* descriptor = epoll.descriptors_.find(operation.fd);
    if (descriptor == nullptr) [[unlikely]] {
        return epoll.attempt_on_new(operation);
    }
    Side& side = side_of(*descriptor, operation);
    return side.ready && epoll.attempt_on_ready(*descriptor, side, operation);
}

bool Epoll::attempt_on_new(Operation& operation) noexcept {
    Descriptor* descriptor = descriptors_.add(operation.fd);
    // Where there is none, start() knows where to put the error.
    return descriptor != nullptr &&
           attempt_on_ready(*descriptor, side_of(*descriptor, operation), operation);
}

bool Epoll::attempt_on_ready(Descriptor& descriptor, Side& side, Operation& operation) noexcept {
    if (descriptor.turn != turn_) {
        descriptor.turn = turn_;
        descriptor.attempts = 0;
    }
    // Until the next poll() every attempt on this descriptor fails now, so none overtakes another.
    if (descriptor.attempts == attempts_per_descriptor || attempts_ == attempts_per_poll) {
        return false;
    }
    ++descriptor.attempts;
    ++attempts_;
    const std::int64_t result = perform(descriptor, side, operation);
    if (result == posix::would_block) {
        return false;
    }
    operation.result = result;
    operation.completed = true;
    return true;
}

void Epoll::start(Operation& operation, CallbackList& ready) noexcept {
    Descriptor* descriptor = descriptors_.find(operation.fd);
    if (descriptor == nullptr) [[unlikely]] {
        descriptor = descriptors_.add(operation.fd);
        if (descriptor == nullptr) {
            finish(operation, -errno, ready);
            return;
        }
    }
    Side& side = side_of(*descriptor, operation);
    if (side.ready) {
        const std::int64_t result = perform(*descriptor, side, operation);
        if (result != posix::would_block) {
            finish(operation, result, ready);
            return;
        }
    }
    const std::uint32_t events = &side == &descriptor->input ? watch_input : watch_output;
    if ((descriptor->watched & events) != events) {
        const int error = watch(*descriptor, operation.fd, events);
        if (error != 0) {
            finish(operation, -error, ready);
            return;
        }
    }
    operation.started = true;
    ++waiting_;
    side.waiting.push_back(operation);
}

// Registers a descriptor, or adds to what it is watched for: once or twice in its life. epoll then
// reports what is the case already, so nothing can be missed. EPERM stands for what cannot be
// waited for, such as files; but these are always ready and do not come here.
int Epoll::watch(Descriptor& descriptor, int fd, std::uint32_t events) noexcept {
    epoll_event event{};
    event.events = events;
    event.data.u64 = std::uint64_t{descriptor.generation} << 32 | static_cast<unsigned>(fd);
    int action = descriptor.watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    int result = ::epoll_ctl(epoll_.get(), action, fd, &event);
    if (result != 0 && (errno == EEXIST || errno == ENOENT)) {
        // The number was closed, and opened again, without `close` or `forget`.
        action = action == EPOLL_CTL_ADD ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
        result = ::epoll_ctl(epoll_.get(), action, fd, &event);
    }
    if (result != 0) {
        return errno;
    }
    watched_ += descriptor.watched == 0 ? 1 : 0;
    descriptor.watched = events;
    return 0;
}

// Tries `operation`, and takes note of what that says about the descriptor.
std::int64_t Epoll::perform(Descriptor& descriptor, Side& side, Operation& operation) noexcept {
    const std::int64_t result = posix::perform(operation);
    if (result == posix::would_block) {
        side.ready = false;
        if (operation.opcode == Opcode::connect) {
            descriptor.input.ready = false;  // nor is there anything to read yet
        }
    } else if (exhausts(descriptor, operation, result)) {
        side.ready = false;
    } else if (operation.opcode == Opcode::accept && result >= 0) {
        know_accepted(descriptor, operation, static_cast<int>(result));
    }
    return result;
}

void Epoll::know_accepted(Descriptor& listener, const Operation& operation, int fd) noexcept {
    Descriptor* accepted = descriptors_.find(fd);
    if (accepted == nullptr) {
        accepted = descriptors_.add(fd);
    }
    if (accepted != nullptr) {
        reset(*accepted, -EBADF);  // what still waits was closed behind the proactor's back
        accepted->kind = is_tcp(listener, operation.fd) ? Kind::tcp : Kind::other;
    }
}

// Whether the operation has taken all there was (or filled all the room), so that the next one
// would get EAGAIN. That system call, one for each message, is what this saves.
//
// Only TCP says so by a short count. Datagrams, terminals and Unix sockets (at messages that carry
// descriptors or credentials) stop at boundaries with more behind them, for which there will be no
// new event. TCP stops at urgent data, too, but that makes EPOLLPRI, from where on the socket
// counts as one of the others. While a side is not watched any short count will do: watching it
// reports what it has missed.
//
// After a hang-up or error the end is still to be read, and nothing will announce it again.
bool Epoll::exhausts(Descriptor& descriptor, const Operation& operation,
                     std::int64_t result) noexcept {
    std::size_t size = operation.size;
    std::uint32_t event = EPOLLOUT;
    switch (operation.opcode) {
        case Opcode::recv:
            if (result == 0) {
                return false;  // the end, which stays
            }
            event = EPOLLIN;
            break;
        case Opcode::send:
            break;
        case Opcode::send_vector: {
            const auto* buffers = static_cast<const Buffer*>(operation.data);
            size = 0;
            for (std::size_t i = 0; i < std::min(operation.size, posix::most_buffers); ++i) {
                size += buffers[i].size;
            }
            break;
        }
        default:
            return false;
    }
    return result >= 0 && static_cast<std::size_t>(result) < size && !descriptor.ended &&
           ((descriptor.watched & event) == 0 || is_tcp(descriptor, operation.fd));
}

bool Epoll::is_tcp(Descriptor& descriptor, int fd) noexcept {
    if (descriptor.kind == Kind::unknown) {
        int protocol = 0;
        socklen_t size = sizeof protocol;
        descriptor.kind = ::getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 &&
                                  protocol == IPPROTO_TCP
                              ? Kind::tcp
                              : Kind::other;
    }
    return descriptor.kind == Kind::tcp;
}

// All lists are alike: an operation that is linked and not completed is either in the loop's list
// of pending ones or waits at its descriptor.
void Epoll::cancel(Operation& operation, CallbackList& ready) noexcept {
    if (operation.completed || !operation.linked()) {
        return;
    }
    operation.unlink();
    waiting_ -= operation.started ? 1 : 0;
    finish(operation, -ECANCELED, ready);
}

void Epoll::abort_all(CallbackList& ready) noexcept {
    descriptors_.for_each(
        [&](Descriptor& descriptor) noexcept { abort(descriptor, -ECANCELED, ready); });
    ready.splice_back(finished_);
}

// Completes what waits at the descriptor.
void Epoll::abort(Descriptor& descriptor, std::int64_t result, CallbackList& ready) noexcept {
    for (Side* side : {&descriptor.input, &descriptor.output}) {
        while (!side->waiting.empty()) {
            auto& operation = static_cast<Operation&>(side->waiting.pop_front());
            --waiting_;
            finish(operation, result, ready);
        }
    }
}

// From here on the number stands for another descriptor.
void Epoll::reset(Descriptor& descriptor, std::int64_t result) noexcept {
    abort(descriptor, result, finished_);
    if (!finished_.empty()) {
        wake();  // for those who watch descriptor()
    }
    watched_ -= descriptor.watched != 0 ? 1 : 0;
    ++descriptor.generation;
    descriptor.watched = 0;
    descriptor.attempts = 0;
    descriptor.input.ready = true;
    descriptor.output.ready = true;
    descriptor.ended = false;
    descriptor.kind = Kind::unknown;
}

void Epoll::forget(int fd) noexcept {
    Descriptor* descriptor = descriptors_.find(fd);
    if (descriptor == nullptr) {
        return;
    }
    // Closing is not enough: as long as a duplicate lives, in a child process say, so does the
    // registration. In a child process that registration is the parent's.
    if (descriptor->watched != 0 && ::getpid() == process_) {
        epoll_event unused{};
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, &unused);
    }
    reset(*descriptor, -ECANCELED);
}

std::int64_t Epoll::call(Operation& operation) noexcept {
    switch (operation.opcode) {
        case Opcode::forget:
            forget(operation.fd);
            return 0;
        case Opcode::close:
            forget(operation.fd);
            return posix::call(operation);
        case Opcode::socket: {
            const std::int64_t fd = posix::call(operation);
            Descriptor* descriptor = fd < 0 ? nullptr : descriptors_.find(static_cast<int>(fd));
            if (descriptor != nullptr) {
                reset(*descriptor, -EBADF);  // as for an accepted one
            }
            return fd;
        }
        default:
            return posix::call(operation);
    }
}

TimePoint Epoll::now() const noexcept {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return TimePoint(std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec));
}

void Epoll::wake() noexcept {
    if (!woken_.exchange(true, std::memory_order_acq_rel)) {
        const int error = errno;  // of what a signal handler has interrupted
        const std::uint64_t one = 1;
        // Fails only after 2^64 - 2 wakes that nobody has read, which takes some thousand years.
        [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
        errno = error;
    }
}

// splitmix64: every seed is as good as any other.
std::uint64_t Epoll::random() noexcept {
    random_state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t mixed = random_state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31);
}

}  // namespace

std::unique_ptr<Proactor> make_epoll_proactor() {
    return std::make_unique<Epoll>();
}

}  // namespace asyncio::lowlevel
