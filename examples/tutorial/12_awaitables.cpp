// 12_awaitables.cpp - chapter 12 of docs/tutorial: awaitables of one's own.
//
// Its Python twin, 12_awaitables.py, prints the same.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>
#include <asyncio/lowlevel/waiter.hpp>

#include <cerrno>
#include <coroutine>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include <sys/eventfd.h>

using namespace asyncio;
using namespace std::chrono_literals;

// [tickets]
/// As many tasks go on as tickets are issued, in the order in which they came.
class Tickets {
public:
    class Awaiter;
    class Take;

    void issue() noexcept;
    Take take() noexcept;
    int left() const noexcept { return left_; }

private:
    int left_ = 0;
    lowlevel::WaitList waiting_;
};
// [/tickets]

// [awaiter]
class Tickets::Awaiter final : public lowlevel::ListWaiter {
public:
    explicit Awaiter(Tickets& tickets) noexcept : tickets_(tickets) {}

    bool await_ready() noexcept {
        if (tickets_.left_ == 0) {
            return false;
        }
        --tickets_.left_;
        return true;
    }
    template <class P>
        requires std::derived_from<P, detail::PromiseBase>
    void await_suspend(std::coroutine_handle<P>) noexcept {
        suspended_ = true;
        tickets_.waiting_.park(lowlevel::running_task(), *this);
    }
    void await_resume() {
        if (suspended_) {
            pass_on();
            lowlevel::running_task().throw_if_interrupted();
        }
    }
    /// For as_result(): the same without a throw.
    Result<void> await_result() {
        if (suspended_) {
            pass_on();
            if (std::exception_ptr error = lowlevel::running_task().take_interrupt()) {
                return Result<void>(error);
            }
        }
        return Result<void>(std::in_place);
    }
    const char* reason() const noexcept override { return "ticket"; }

private:
    friend Tickets;

    /// A ticket that was given to a task which has been cancelled since goes to the next one.
    void pass_on() noexcept {
        if (granted_ && lowlevel::running_task().interrupted()) {
            tickets_.issue();
        }
    }

    Tickets& tickets_;
    bool suspended_ = false;
    bool granted_ = false;
};

void Tickets::issue() noexcept {
    if (lowlevel::Waiter* first = waiting_.wake_first()) {
        static_cast<Awaiter*>(first)->granted_ = true;
    } else {
        ++left_;
    }
}
// [/awaiter]

// [descriptor]
/// What take() gives: may be copied, kept, passed to wait_for() or create_task(), and only makes
/// an awaiter where it is awaited.
class [[nodiscard]] Tickets::Take {
public:
    static constexpr bool awaited_by_value = true;

    explicit Take(Tickets& tickets) noexcept : tickets_(&tickets) {}
    Awaiter operator co_await() const noexcept { return Awaiter(*tickets_); }

private:
    Tickets* tickets_;
};

Tickets::Take Tickets::take() noexcept {
    return Take(*this);
}
// [/descriptor]

// [use]
Coroutine<> ride(Tickets& tickets, std::string name) {
    co_await tickets.take();
    std::printf("%s has a ticket\n", name.c_str());
}

Coroutine<> tickets() {
    Tickets office;
    std::vector<Task<>> riders;
    for (const char* name : {"Ann", "Ben", "Cleo"}) {
        riders.push_back(create_task(ride(office, name)));
    }
    co_await sleep(0);

    riders[0].cancel();  // while it waits
    office.issue();      // so this one is for Ben ...
    riders[1].cancel();  // ... who is cancelled before he has run: it goes to Cleo
    co_await wait(riders);
    const char* separator = "[";
    for (const Task<>& rider : riders) {
        std::printf("%s%s", separator, rider.cancelled() ? "True" : "False");
        separator = ", ";
    }
    std::printf("] %d\n", office.left());
}
// [/use]

// [eventfd]
/// A counter of the kernel's: any thread adds to it, a task awaits the sum so far.
class EventFd {
public:
    class Awaiter final : public lowlevel::OperationWaiter {
    public:
        Awaiter(EventLoop& loop, int fd) noexcept
            : OperationWaiter(loop, lowlevel::Opcode::read, fd) {
            data = &count_;
            size = sizeof count_;
        }
        std::uint64_t await_resume() {
            std::int64_t answer = OperationWaiter::await_resume();  // throws, if it was cancelled
            if (answer < 0) {
                throw OSError(static_cast<int>(-answer), "read from an eventfd");
            }
            return count_;
        }
        const char* reason() const noexcept override { return "eventfd"; }

    private:
        std::uint64_t count_ = 0;  // the kernel writes here, so it is where the awaiter is
    };
    class [[nodiscard]] Count {
    public:
        static constexpr bool awaited_by_value = true;

        explicit Count(int fd) noexcept : fd_(fd) {}
        Awaiter operator co_await() const { return Awaiter(get_running_loop(), fd_); }

    private:
        int fd_;
    };

    EventFd() : loop_(get_running_loop()), fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
        if (fd_ < 0) {
            throw OSError(errno, "eventfd");
        }
    }
    EventFd(const EventFd&) = delete;
    EventFd& operator=(const EventFd&) = delete;
    ~EventFd() {
        // Not ::close(): the proactor has to forget the descriptor, too.
        lowlevel::Operation close([](lowlevel::Callback&) {}, lowlevel::Opcode::close, fd_);
        loop_.call(close);
    }

    void add(std::uint64_t number) const noexcept { ::eventfd_write(fd_, number); }
    Count count() const noexcept { return Count(fd_); }

private:
    EventLoop& loop_;
    int fd_;
};
// [/eventfd]

// [counting]
Coroutine<> counting() {
    EventFd counter;
    auto waiting = create_task(counter.count());
    co_await sleep(10ms);
    waiting.cancel();
    auto result = co_await as_result(waiting);
    std::printf("cancelled: %s\n", result.cancelled() ? "True" : "False");

    counter.add(2);
    counter.add(3);
    std::uint64_t sum = co_await counter.count();
    std::printf("sum: %llu\n", static_cast<unsigned long long>(sum));

    std::jthread thread([&counter] { counter.add(7); });
    sum = co_await counter.count();
    std::printf("from a thread: %llu\n", static_cast<unsigned long long>(sum));
}
// [/counting]

Coroutine<> amain() {
    std::puts("-- tickets");
    co_await tickets();
    std::puts("-- counting");
    co_await counting();
}

int main() {
    run(amain());
}
