// proactor.hpp - the seam to the operating system: the only thing it is behind.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/lowlevel/operation.hpp>
#include <asyncio/time.hpp>

#include <cstdint>
#include <memory>
#include <string_view>

namespace asyncio::lowlevel {

/// Turns Operations into ready Callbacks, and tells the time.
///
/// Virtual once per turn of the loop, a function pointer per callback, inline per byte. Everything
/// that is not deterministic (time, I/O, its order, random numbers) enters through it, so a program
/// under test can be given another one. Threads enter through Executor and wake().
///
/// Threads: one loop's thread, but for wake().
class Proactor {
public:
    virtual ~Proactor() = default;
    Proactor(const Proactor&) = delete;
    Proactor& operator=(const Proactor&) = delete;

    /// Starts every Operation in `pending`, moves whatever has finished to `ready`; blocks until
    /// something has finished, until `deadline` (TimePoint::min(): does not block; max(): for
    /// ever), or until wake() is called. May return early with nothing.
    virtual void poll(CallbackList& pending, CallbackList& ready, TimePoint deadline) = 0;

    /// Asks for the end of a started `operation`, which still completes, once; on a backend that
    /// can do so at once, by moving it to `ready`. Does nothing when it has already completed.
    virtual void cancel(Operation& operation, CallbackList& ready) noexcept = 0;

    /// Cancels everything that is started and waits until it has completed, to `ready`.
    virtual void abort_all(CallbackList& ready) noexcept = 0;

    /// Carries out a cold `operation` at once; returns its result (at least 0, or -errno).
    virtual std::int64_t call(Operation& operation) noexcept = 0;

    [[nodiscard]] virtual TimePoint now() const noexcept = 0;

    /// Makes a poll() that blocks, or the next one, return soon. From any thread and from signal
    /// handlers.
    virtual void wake() noexcept = 0;

    /// A descriptor that is readable when poll() has something to do, timers not included.
    [[nodiscard]] virtual int descriptor() const noexcept = 0;

    /// Every random decision of the library, so that a seed can replay it.
    [[nodiscard]] virtual std::uint64_t random() noexcept = 0;

    /// Can an operation on a file of that kind be started here? Otherwise it is carried out in a
    /// thread, by perform_on_file().
    [[nodiscard]] virtual bool performs(Opcode on_file) const noexcept {
        static_cast<void>(on_file);
        return false;
    }

    /// Work handed to other threads is under way until it has been given back; a clock that jumps
    /// must not while it is. Called in pairs on the loop's thread.
    virtual void outside_work(bool begins) noexcept { static_cast<void>(begins); }

    /// "epoll", "io_uring", ...
    [[nodiscard]] virtual std::string_view name() const noexcept = 0;

    /// Tries `operation` in place; true if it has completed (its result is set, it is in no list).
    /// A recv or read that was tried in vain has the result -EAGAIN.
    bool attempt(Operation& operation) noexcept {
        return attempt_ != nullptr && attempt_(*this, operation);
    }

protected:
    using Attempt = bool (*)(Proactor&, Operation&) noexcept;

    /// `in_place` is null where queueing is the quick way.
    explicit Proactor(Attempt in_place = nullptr) noexcept : attempt_(in_place) {}

private:
    Attempt attempt_;
};

/// Carries out an operation on a file in this thread, which may have to wait for a disk; its
/// result, or -errno. From any thread; leaves the Operation as it is.
std::int64_t perform_on_file(Operation& operation) noexcept;
/// The same of a read_at as far as it takes no disk, because what it reads is in the page cache:
/// -EAGAIN if nothing is, or the file system cannot tell.
std::int64_t read_cached(Operation& operation) noexcept;

/// A proactor of the kind that is named: "epoll", "io_uring"; or of the kind that is best for most
/// programs (""), which is epoll.
///
/// ASYNCIO_PROACTOR in the environment decides where `name` is empty. There "io_uring" is a wish:
/// where the system refuses, as many containers do, it is epoll, and the log says so at level
/// debug. Named here it is an order.
/// Throws std::invalid_argument for an unknown name, OSError where the system refuses.
[[nodiscard]] std::unique_ptr<Proactor> make_proactor(std::string_view name = {});

using ProactorFactory = std::unique_ptr<Proactor> (*)(std::string_view name);

/// Decides what make_proactor() gives from now on; null: the library's own choice again. For tests
/// that put another clock or network under programs that know nothing of it. Returns the one
/// before.
ProactorFactory set_proactor_factory(ProactorFactory factory) noexcept;

/// The library's own choice, whatever set_proactor_factory() was given: what a decorator wraps.
[[nodiscard]] std::unique_ptr<Proactor> make_system_proactor(std::string_view name = {});

}  // namespace asyncio::lowlevel
