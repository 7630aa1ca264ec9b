// file_calls.hpp - FileCall: one request to do with files, wherever it is carried out.
//
// A call has one step for each system call that it takes. The proactor carries the steps out if it
// can; otherwise one job of a thread does them all, so that it is one way there and back. Either
// way the same advance() looks at each result, and the memory that the system reads and writes is
// the call's own: a task that is cancelled leaves at once, whatever is still going on.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/lowlevel/waiter.hpp>
#include <asyncio/result.hpp>

#include <atomic>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace asyncio {

class Executor;

namespace detail {

class FileCallAwaiter;
class FileCore;
class FileIO;
class FileWork;

struct FileQueue {};      // tags
struct FilesUnderWay {};  //

/// One request. Counted: by the coroutine that awaits it, by the queue of its file, by the loop
/// while it is under way and by the thread that has it.
class FileCall : public lowlevel::Operation,
                 public lowlevel::ListHook<FileQueue>,
                 public lowlevel::ListHook<FilesUnderWay> {
public:
    /// Of a file's, which does its calls one after another; or of nobody's.
    FileCall(FileCore& file, lowlevel::Opcode first) noexcept;
    FileCall(FileIO& io, lowlevel::Opcode first) noexcept;

    void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
    void release() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            delete this;
        }
    }

    /// Begins, or waits in the queue of its file. Once.
    void submit();
    [[nodiscard]] bool ended() const noexcept { return ended_; }
    /// Nobody waits for it any more. What was not begun never is, unless it has to be; what was is
    /// carried to its end, or to the end of its step.
    void abandon() noexcept;

    /// It has begun, or might, and nobody waits for it.
    [[nodiscard]] bool abandoned() const noexcept {
        return abandoned_.load(std::memory_order_relaxed);
    }

    /// Throws if it has failed; `doing` and the name of the file say what.
    void check(const char* doing, const std::string& name) const;

protected:
    virtual ~FileCall();

    // What a call is made of, in the order in which it happens.

    /// On the loop, when its turn has come: aims the first step. False if there is nothing to ask
    /// the system for.
    virtual bool begin() noexcept { return true; }
    /// Where it is carried out: result is that of a step. True if it was the last, otherwise the
    /// next one has been aimed.
    virtual bool advance() noexcept { return true; }
    /// On the loop.
    virtual void finish() noexcept {}

    /// Must it be carried through once it has begun, because somebody would see a part of it?
    [[nodiscard]] virtual bool goes_through() const noexcept { return false; }
    /// And if it has not begun yet?
    [[nodiscard]] virtual bool cannot_be_revoked() const noexcept { return false; }
    /// Does it wait until nobody uses the file?
    [[nodiscard]] virtual bool exclusive() const noexcept { return false; }
    /// Is it in no order with the other calls of its file?
    [[nodiscard]] virtual bool beside() const noexcept { return false; }
    /// Is it nothing that a proactor could do?
    [[nodiscard]] virtual bool needs_thread() const noexcept { return false; }
    /// It has ended, and whoever waited is cancelled before he looks: nobody will get what it
    /// gives. False if that would be lost: then it is delivered.
    virtual bool take_back() noexcept { return true; }
    /// All steps, in a thread.
    virtual void perform() noexcept;

    void aim(lowlevel::Opcode step) noexcept;
    /// At a transfer: of a regular file at `offset`; of others, which have no offsets, as of any
    /// pipe.
    void aim(bool output, void* buffer, std::size_t size, std::int64_t offset) noexcept;

    [[nodiscard]] FileCore& file() const noexcept { return *file_; }
    [[nodiscard]] FileIO& io() const noexcept { return io_; }
    /// Of what nobody waits for.
    void log_failure(const char* what) const noexcept;
    [[nodiscard]] bool stopped() const noexcept { return abandoned() && !goes_through(); }

    lowlevel::FileRequest request_;
    std::exception_ptr error_;  // what it failed with, if that is not in result

private:
    friend class FileCallAwaiter;
    friend class FileCore;
    friend class FileIO;
    friend class FileWork;

    static void run_step_done(lowlevel::Callback& callback);
    static void run_conclude(lowlevel::Callback& callback);
    void start() noexcept;
    void go_on() noexcept;
    bool attempt() noexcept;
    [[nodiscard]] bool too_many_opens() const noexcept;
    void opened() noexcept;
    void give_to_thread() noexcept;
    void thread_is_done(bool cancelled) noexcept;
    void conclude() noexcept;
    void end_with_loop() noexcept;
    void drop() noexcept;
    void leave_file() noexcept;

    FileIO& io_;      // counted
    FileCore* file_;  // while it is queued or under way, counted
    FileCallAwaiter* waiter_ = nullptr;
    std::atomic<std::uint32_t> references_{0};
    std::atomic<bool> abandoned_{false};
    /// Opening a FIFO takes as long as nobody opens its other end: in a thread of its own.
    enum class Patience : std::uint8_t { usual, needed, given };

    bool begun_ = false;
    bool ended_ = false;
    bool in_thread_ = false;
    bool opening_ = false;  // by the proactor
    Patience patience_ = Patience::usual;
};

/// A counted reference to a call.
template <class Call>
class FileCallRef {
public:
    explicit FileCallRef(Call* call) noexcept : call_(call) { call_->retain(); }
    FileCallRef(const FileCallRef&) = delete;
    FileCallRef& operator=(const FileCallRef&) = delete;
    ~FileCallRef() { call_->release(); }
    Call* operator->() const noexcept { return call_; }
    Call& operator*() const noexcept { return *call_; }

private:
    Call* call_;
};

/// Waits for the end of a call; submits it.
///
/// Cancellation: leaves the call to itself. If that has ended already it takes back what it gives;
/// if it cannot, that is delivered and the CancelledError comes at the next await.
class [[nodiscard]] FileCallAwaiter final : public lowlevel::Waiter {
public:
    explicit FileCallAwaiter(FileCall& call) noexcept : call_(call) {}
    FileCallAwaiter(const FileCallAwaiter&) = delete;
    FileCallAwaiter& operator=(const FileCallAwaiter&) = delete;
    ~FileCallAwaiter();

    [[nodiscard]] bool await_ready() {
        call_.submit();
        return call_.ended();
    }
    template <class P>
        requires std::derived_from<P, PromiseBase>
    void await_suspend(std::coroutine_handle<P>) noexcept {
        suspend();
    }
    void await_resume();

    bool abort(TaskBase& task, CancelMessage message) noexcept override;
    [[nodiscard]] const char* reason() const noexcept override { return "file"; }

private:
    friend class FileCall;

    void suspend() noexcept;

    FileCall& call_;
    TaskBase* task_ = nullptr;
    bool left_ = false;
};

/// What is awaited: submits a call, and waits for its end.
class [[nodiscard]] FileCallEnd {
public:
    static constexpr bool awaited_by_value = true;

    explicit FileCallEnd(FileCall& call) noexcept : call_(call) {}
    FileCallAwaiter operator co_await() const noexcept { return FileCallAwaiter(call_); }

private:
    FileCall& call_;
};
[[nodiscard]] inline FileCallEnd end_of(FileCall& call) noexcept {
    return FileCallEnd(call);
}

}  // namespace detail

}  // namespace asyncio
