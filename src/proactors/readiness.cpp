// readiness.cpp - operations that are tried, queued, and tried again.
//
// SPDX-License-Identifier: MIT
#include "readiness.hpp"

#include "posix.hpp"

#include <asyncio/detail/config.hpp>
#include <asyncio/exceptions.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

namespace asyncio::lowlevel {

static_assert(POLLRDHUP != 0);

static constexpr std::uint64_t bit(Opcode opcode) {
    return std::uint64_t{1} << static_cast<unsigned>(opcode);
}

static constexpr std::uint64_t inputs = bit(Opcode::accept) | bit(Opcode::recv) |
                                        bit(Opcode::recv_from) | bit(Opcode::read) |
                                        bit(Opcode::poll_in) | bit(Opcode::recv_message);
static constexpr std::uint64_t readiness = bit(Opcode::poll_in) | bit(Opcode::poll_out);

static Side& side_of(Descriptor& descriptor, const Operation& operation) noexcept {
    return (bit(operation.opcode) & inputs) != 0 ? descriptor.input : descriptor.output;
}

Readiness::Readiness()
    : Proactor(&attempt_in_place),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd"),
      process_(::getpid()) {
    while (::getrandom(&random_state_, sizeof random_state_, 0) != sizeof random_state_) {
        if (errno != EINTR) {  // by a signal, while the system that has just started gathers some
            detail::raise_os_error(errno, "getrandom");
        }
    }
}

Readiness::~Readiness() {
    ASYNCIO_ASSERT(waiting_ == 0 && finished_.empty());
}

bool Readiness::in_child_process() const noexcept {
    return ::getpid() != process_;
}

void Readiness::start_all(CallbackList& pending, CallbackList& ready) noexcept {
    ++turn_;
    attempts_ = 0;
    while (!pending.empty()) {
        auto& operation = static_cast<Operation&>(pending.pop_front());
        if (is_on_file(operation.opcode)) [[unlikely]] {
            start_on_file(operation, ready);
        } else {
            start(operation, ready);
        }
    }
}

void Readiness::start_on_file(Operation& operation, CallbackList& ready) noexcept {
    ASYNCIO_ASSERT(false);  // performs() has said no
    finish(operation, -ENOSYS, ready);
}

void Readiness::report(Descriptor& descriptor, std::uint32_t events, Level level,
                       CallbackList& ready) noexcept {
    if ((events & (POLLRDHUP | POLLHUP | POLLERR)) != 0) {
        descriptor.ended = true;
    }
    if ((events & POLLPRI) != 0) {
        descriptor.kind = Kind::other;
    }
    if ((events & (POLLIN | POLLRDHUP | POLLHUP | POLLERR)) != 0) {
        descriptor.input.ready = true;
        run_waiting(descriptor, descriptor.input, events & (POLLIN | POLLHUP | POLLERR), level,
                    ready);
    }
    if ((events & (POLLOUT | POLLHUP | POLLERR)) != 0) {
        descriptor.output.ready = true;
        run_waiting(descriptor, descriptor.output, events & (POLLOUT | POLLHUP | POLLERR), level,
                    ready);
    }
}

// Each waiting operation completes at most once in a poll(), so the work is bounded. `events` is
// what the kernel has just said: as long as nothing was consumed, it answers poll_in and poll_out;
// but what was the case need not be any more, and is the answer only for those who try anyway.
void Readiness::run_waiting(Descriptor& descriptor, Side& side, std::uint32_t events, Level level,
                            CallbackList& ready) noexcept {
    while (side.ready && !side.waiting.empty()) {
        auto& operation = static_cast<Operation&>(side.waiting.front());
        std::int64_t result = events;
        if (events == 0 || (bit(operation.opcode) & readiness) == 0 ||
            (level == Level::perhaps && operation.argument != poll_tries_anyway)) {
            events = 0;
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

void Readiness::finish(Operation& operation, std::int64_t result, CallbackList& ready) noexcept {
    operation.result = result;
    operation.started = false;
    operation.completed = true;
    ready.push_back(operation);
}

// Most attempts end here: to read what has not come yet. Hence so short.
bool Readiness::attempt_in_place(Proactor& self, Operation& operation) noexcept {
    auto& proactor = static_cast<Readiness&>(self);
    Descriptor* descriptor = proactor.descriptors_.find(operation.fd);
    if (descriptor == nullptr) [[unlikely]] {
        return proactor.attempt_on_new(operation);
    }
    Side& side = side_of(*descriptor, operation);
    return side.ready && proactor.attempt_on_ready(*descriptor, side, operation);
}

bool Readiness::attempt_on_new(Operation& operation) noexcept {
    Descriptor* descriptor = descriptors_.add(operation.fd);
    // Where there is none, start() knows where to put the error.
    return descriptor != nullptr &&
           attempt_on_ready(*descriptor, side_of(*descriptor, operation), operation);
}

bool Readiness::attempt_on_ready(Descriptor& descriptor, Side& side,
                                 Operation& operation) noexcept {
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
        if (&side == &descriptor.input) {
            operation.result = -EAGAIN;
        }
        return false;
    }
    operation.result = result;
    operation.completed = true;
    return true;
}

void Readiness::start(Operation& operation, CallbackList& ready) noexcept {
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
    // Input in any case: it also tells of the end.
    const std::uint8_t sides =
        &side == &descriptor->input ? directions::input : directions::input | directions::output;
    if ((descriptor->watched & sides) != sides) {
        const bool is_new = descriptor->watched == 0;
        const int error = watch(*descriptor, operation.fd, sides);
        if (error != 0) {
            finish(operation, -error, ready);
            return;
        }
        descriptor->watched = sides;
        watched_ += is_new ? 1 : 0;
    }
    operation.started = true;
    ++waiting_;
    side.waiting.push_back(operation);
}

// Tries `operation`, and takes note of what that says about the descriptor.
std::int64_t Readiness::perform(Descriptor& descriptor, Side& side, Operation& operation) noexcept {
    const std::int64_t result = posix::perform(operation);
    if (result == posix::would_block) {
        side.ready = false;
        if (operation.opcode == Opcode::connect) {
            descriptor.input.ready = false;  // nor is there anything to read yet
        } else if (operation.opcode == Opcode::recv && descriptor.watched != 0) {
            found_nothing(descriptor, operation.fd);
        }
    } else if (exhausts(descriptor, operation, result)) {
        side.ready = false;
    } else if (operation.opcode == Opcode::accept && result >= 0) {
        know_accepted(descriptor, operation, static_cast<int>(result));
    }
    return result;
}

void Readiness::know_accepted(Descriptor& listener, const Operation& operation, int fd) noexcept {
    Descriptor* accepted = descriptors_.find(fd);
    if (accepted == nullptr) {
        accepted = descriptors_.add(fd);
    }
    if (accepted != nullptr) {
        reset(*accepted, fd, -EBADF);  // what still waits was closed behind the proactor's back
        accepted->kind = is_tcp(listener, operation.fd) ? Kind::tcp : Kind::other;
    }
}

// Whether the operation has taken all there was (or filled all the room), so that the next one
// would get EAGAIN. That system call, one for each message, is what this saves.
//
// Only TCP says so by a short count. Datagrams, terminals and Unix sockets (at messages that carry
// descriptors or credentials) stop at boundaries with more behind them, for which there will be no
// new event. TCP stops at urgent data, too, but that makes POLLPRI, from where on the socket
// counts as one of the others. While a side is not watched any short count will do: watching it
// reports what it has missed.
//
// After a hang-up or error the end is still to be read, and nothing will announce it again.
bool Readiness::exhausts(Descriptor& descriptor, const Operation& operation,
                         std::int64_t result) noexcept {
    std::size_t size = operation.size;
    std::uint8_t direction = directions::output;
    switch (operation.opcode) {
        case Opcode::recv:
            if (result == 0) {
                return false;  // the end, which stays
            }
            direction = directions::input;
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
           ((descriptor.watched & direction) == 0 || is_tcp(descriptor, operation.fd));
}

bool Readiness::is_tcp(Descriptor& descriptor, int fd) noexcept {
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
void Readiness::cancel(Operation& operation, CallbackList& ready) noexcept {
    if (operation.completed || !operation.linked()) {
        return;
    }
    operation.unlink();
    waiting_ -= operation.started ? 1 : 0;
    finish(operation, -ECANCELED, ready);
}

void Readiness::abort_all(CallbackList& ready) noexcept {
    descriptors_.for_each(
        [&](Descriptor& descriptor) noexcept { abort(descriptor, -ECANCELED, ready); });
    ready.splice_back(finished_);
}

// Completes what waits at the descriptor.
void Readiness::abort(Descriptor& descriptor, std::int64_t result, CallbackList& ready) noexcept {
    for (Side* side : {&descriptor.input, &descriptor.output}) {
        while (!side->waiting.empty()) {
            auto& operation = static_cast<Operation&>(side->waiting.pop_front());
            --waiting_;
            finish(operation, result, ready);
        }
    }
}

// From here on the number stands for another descriptor.
void Readiness::reset(Descriptor& descriptor, int fd, std::int64_t result) noexcept {
    // Closing is not enough: as long as a duplicate lives, in a child process say, so does the
    // registration. In a child process that registration is the parent's.
    if (descriptor.watched != 0 && !in_child_process()) {
        unwatch(descriptor, fd);
    }
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

void Readiness::forget(int fd) noexcept {
    Descriptor* descriptor = descriptors_.find(fd);
    if (descriptor == nullptr) {
        return;
    }
    reset(*descriptor, fd, -ECANCELED);
}

std::int64_t Readiness::call(Operation& operation) noexcept {
    switch (operation.opcode) {
        case Opcode::forget:
            forget(operation.fd);
            return 0;
        case Opcode::close:
            forget(operation.fd);
            return posix::call(operation);
        case Opcode::accept:
        case Opcode::socket: {
            const std::int64_t fd = posix::call(operation);
            Descriptor* descriptor = fd < 0 ? nullptr : descriptors_.find(static_cast<int>(fd));
            if (descriptor != nullptr) {
                reset(*descriptor, static_cast<int>(fd), -EBADF);  // as for an accepted one
            }
            return fd;
        }
        default:
            return posix::call(operation);
    }
}

TimePoint Readiness::now() const noexcept {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return TimePoint(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

void Readiness::wake() noexcept {
    if (!woken_.exchange(true, std::memory_order_acq_rel)) {
        const int error = errno;  // of what a signal handler has interrupted
        const std::uint64_t one = 1;
        // Fails only after 2^64 - 2 wakes that nobody has read, which takes some thousand years.
        [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
        errno = error;
    }
}

// splitmix64: every seed is as good as any other.
std::uint64_t Readiness::random() noexcept {
    random_state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t mixed = random_state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31);
}

}  // namespace asyncio::lowlevel
