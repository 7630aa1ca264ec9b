// file_calls.cpp - the way of a call: from its turn, through the proactor or a thread, to its end.
//
// SPDX-License-Identifier: MIT
#include "file_calls.hpp"

#include <asyncio/log.hpp>
#include <asyncio/threads.hpp>

#include "file_core.hpp"
#include "file_io.hpp"

#include <cerrno>
#include <condition_variable>
#include <mutex>

#include <fcntl.h>
#include <sys/stat.h>

namespace asyncio::detail {

using lowlevel::Callback;
using lowlevel::Opcode;

// ----------------------------------------------------------------------------------- FileIO

namespace {

/// How many calls are in threads that are awaited when the loop closes.
struct Awaited {
    std::mutex mutex;
    std::condition_variable fewer;
    std::size_t count = 0;
};

}  // namespace

struct FileIO::Threads {
    // Of its own: neither do calls of to_thread() that hang hold up files, nor the other way round.
    ThreadPoolExecutor pool{{.max_workers = 32, .thread_name_prefix = "asyncio_file"}};
    // For those who open a FIFO, each of whom may wait for the next.
    ThreadPoolExecutor patient{{.max_workers = 1024, .thread_name_prefix = "asyncio_fifo"}};
    std::shared_ptr<Awaited> awaited = std::make_shared<Awaited>();

    Threads() {
        pool.detach();
        patient.detach();
    }
};

/// The way of a call to a thread and back.
class FileWork final : public Work {
public:
    FileWork(EventLoop& loop, FileCall& call, std::shared_ptr<void> awaited)
        : Work(loop), call_(call), awaited_(std::static_pointer_cast<Awaited>(awaited)) {
        set_quiet();
        call_.retain();
        if (awaited_ != nullptr) {
            const std::lock_guard lock(awaited_->mutex);
            ++awaited_->count;
        }
    }

private:
    ~FileWork() override {
        leave();
        call_.release();
    }
    void call() noexcept override {
        call_.perform();
        leave();
    }
    void leave() noexcept {
        if (const std::shared_ptr<Awaited> awaited = std::exchange(awaited_, nullptr)) {
            const std::lock_guard lock(awaited->mutex);
            --awaited->count;
            awaited->fewer.notify_all();
        }
    }
    void deliver(bool cancelled) override { call_.thread_is_done(cancelled); }
    void disown() noexcept override {}
    [[nodiscard]] const std::exception_ptr& error() const noexcept override {
        static const std::exception_ptr none;
        return none;
    }

    FileCall& call_;
    std::shared_ptr<Awaited> awaited_;
};

FileIO& FileIO::of(EventLoop& loop) {
    loop.check_usable();
    for (LoopResource& resource : loop.resources()) {
        if (auto* const io = dynamic_cast<FileIO*>(&resource)) {
            return *io;
        }
    }
    auto* const io = new FileIO(loop);
    loop.resources().push_back(*io);
    return *io;
}

FileIO::Threads& FileIO::threads() {
    if (threads_ == nullptr) {
        threads_ = std::make_shared<Threads>();
    }
    return *threads_;
}

// The only wait in the end of a loop besides that for the proactor's operations, and for the same
// reason: what was begun has the descriptors, and what was written is not to be lost. What may take
// for ever, the opening of a FIFO, is not waited for.
void FileIO::loop_closing() noexcept {
    for (FileCall& call : under_way_) {
        call.abandoned_.store(true, std::memory_order_relaxed);  // what may stop does so
    }
    if (threads_ != nullptr) {
        std::unique_lock lock(threads_->awaited->mutex);
        threads_->awaited->fewer.wait(lock, [this] { return threads_->awaited->count == 0; });
    }
    while (!under_way_.empty()) {
        under_way_.pop_front().end_with_loop();
    }
    if (threads_ != nullptr) {
        threads_->pool.shutdown(false);
        threads_->patient.shutdown(false);
        threads_ = nullptr;
    }
    loop_ = nullptr;
    release();
}

// --------------------------------------------------------------------------------- FileCall

FileCall::FileCall(FileCore& file, Opcode first) noexcept
    : Operation(&run_step_done, first, file.fd()), io_(file.io()), file_(&file) {
    data = &request_;
    io_.retain();
    file.retain();
}

FileCall::FileCall(FileIO& io, Opcode first) noexcept
    : Operation(&run_step_done, first, -1), io_(io), file_(nullptr) {
    data = &request_;
    io_.retain();
}

FileCall::~FileCall() {
    leave_file();
    io_.release();
}

void FileCall::leave_file() noexcept {
    if (FileCore* const file = std::exchange(file_, nullptr)) {
        file->release();
    }
}

void FileCall::submit() {
    if (io_.loop() == nullptr) {
        throw RuntimeError("Event loop is closed");
    }
    retain();  // until it has ended, or is revoked
    if (file_ == nullptr) {
        start();
    } else {
        file_->enter(*this);
    }
}

void FileCall::start() noexcept {
    begun_ = true;
    if (begin()) {
        io_.under_way_.push_back(*this);
        go_on();
    } else {
        conclude();
    }
}

void FileCall::aim(Opcode step) noexcept {
    opcode = step;
    data = &request_;
}

void FileCall::aim(bool output, void* buffer, std::size_t bytes, std::int64_t offset) noexcept {
    size = bytes;
    request_.buffer = buffer;
    request_.offset = offset;
    if (file_->waits()) {
        opcode = output ? Opcode::write : Opcode::read;
        data = buffer;
    } else {
        opcode = output ? Opcode::write_at : Opcode::read_at;
    }
}

// The next step, or with a thread all of them.
void FileCall::go_on() noexcept {
    EventLoop& loop = *io_.loop();
    if (needs_thread() || too_many_opens()) {
        give_to_thread();
    } else if (!lowlevel::is_on_file(opcode) || loop.proactor().performs(opcode)) {
        opening_ = opcode == Opcode::open_file;
        io_.opening_ += opening_ ? 1 : 0;
        loop.start(*this);
    } else if (attempt()) {
        // Not at once: whoever reads what is in memory lets the others run in between.
        completed = true;
        set_function(&run_conclude);
        loop.schedule(*this);
    } else {
        give_to_thread();
    }
}

// Most files that are read are in memory: then a thread and back takes ten times as long as the
// reading. No more than what takes a tenth of a millisecond to copy.
bool FileCall::attempt() noexcept {
    std::size_t budget = std::size_t{512} * 1024;
    while (opcode == Opcode::read_at && request_.offset >= 0 && size <= budget) {
        budget -= size;
        result = lowlevel::read_cached(*this);
        if (result == -EAGAIN) {
            return false;
        }
        if (advance()) {
            return true;
        }
    }
    return false;
}

// The kernel has sixteen threads for us, and each open of a FIFO may take one.
bool FileCall::too_many_opens() const noexcept {
    constexpr std::size_t most = 8;
    return opcode == Opcode::open_file && io_.opening_ >= most;
}

void FileCall::opened() noexcept {
    if (std::exchange(opening_, false)) {
        --io_.opening_;
    }
}

void FileCall::give_to_thread() noexcept {
    try {
        FileIO::Threads& threads = io_.threads();
        const bool patient = patience_ == Patience::given;
        const bool awaited = (file_ != nullptr || goes_through()) && !patient;
        Work* const work = new FileWork(*io_.loop(), *this, awaited ? threads.awaited : nullptr);
        in_thread_ = true;
        work->submit(patient ? &threads.patient : &threads.pool);
    } catch (...) {
        in_thread_ = false;
        error_ = std::current_exception();
        result = -EAGAIN;
        conclude();
    }
}

void FileCall::thread_is_done(bool cancelled) noexcept {
    in_thread_ = false;
    if (cancelled) {
        result = -ECANCELED;
    } else if (patience_ == Patience::needed && !stopped()) {
        patience_ = Patience::given;
        give_to_thread();
        return;
    }
    conclude();
}

static bool waits_for_other_end(const lowlevel::FileRequest& request) noexcept {
    constexpr int never_waits = O_NONBLOCK | O_EXCL | O_DIRECTORY | O_PATH;
    struct ::stat status{};
    return (request.flags & never_waits) == 0 && (request.flags & O_ACCMODE) != O_RDWR &&
           ::stat(request.path, &status) == 0 && S_ISFIFO(status.st_mode);
}

void FileCall::perform() noexcept {
    do {
        if (stopped()) {
            result = -ECANCELED;
            return;
        }
        if (opcode == Opcode::open_file && patience_ == Patience::usual &&
            waits_for_other_end(request_)) {
            patience_ = Patience::needed;  // from thread_is_done()
            result = -ECANCELED;
            return;
        }
        result = lowlevel::perform_on_file(*this);
    } while (!advance());
}

void FileCall::run_step_done(Callback& callback) {
    auto& self = static_cast<FileCall&>(static_cast<Operation&>(callback));
    self.opened();
    if (self.advance() || self.stopped()) {
        self.conclude();
    } else {
        self.go_on();
    }
}

void FileCall::run_conclude(Callback& callback) {
    static_cast<FileCall&>(static_cast<Operation&>(callback)).conclude();
}

void FileCall::conclude() noexcept {
    auto& under_way = static_cast<ListHook<FilesUnderWay>&>(*this);
    if (under_way.linked()) {
        under_way.unlink();
    }
    finish();
    ended_ = true;
    if (FileCallAwaiter* const waiter = std::exchange(waiter_, nullptr)) {
        waiter->task_->wake();
    }
    if (file_ != nullptr) {
        file_->ended(*this);
        leave_file();
    }
    release();
}

void FileCall::abandon() noexcept {
    waiter_ = nullptr;
    if (ended_) {
        return;
    }
    abandoned_.store(true, std::memory_order_relaxed);
    if (begun_) {
        if (!in_thread_ && stopped()) {
            io_.loop()->cancel(*this);
        }
    } else if (!cannot_be_revoked()) {
        ended_ = true;
        file_->revoke(*this);
        leave_file();
        release();
    }
}

// The loop closes. No thread has it any more, unless it is one that is not waited for.
void FileCall::end_with_loop() noexcept {
    auto& callback = static_cast<ListHook<>&>(*this);
    if (!in_thread_ && lowlevel::is_on_file(opcode) && function() == &run_step_done) {
        // What the kernel has done is taken, a descriptor for example, though nobody was told. What
        // it has cut short is carried through here, if it is to be.
        const bool cut_short = !completed || result == -ECANCELED;
        if ((cut_short || !advance()) && goes_through()) {
            perform();
        }
    }
    if (callback.linked()) {
        callback.unlink();
    }
    // A thread that is not waited for still has the result, and all else.
    if (goes_through() && !(in_thread_ && patience_ == Patience::given) && result < 0) {
        log_failure("what was done to a file when the event loop was closed has failed");
    }
    if (file_ != nullptr) {
        if (exclusive()) {
            file_->closed();
        }
        auto& queued = static_cast<ListHook<FileQueue>&>(*this);
        if (queued.linked()) {
            queued.unlink();
        }
        file_->drop_queue();
    }
    drop();
}

void FileCall::log_failure(const char* what) const noexcept {
    try {
        log(Level::error, what + (file_ != nullptr ? ": " + file_->name() : std::string()) + ": " +
                              describe(make_os_error(static_cast<int>(-result), "")));
    } catch (...) {}
}

void FileCall::drop() noexcept {
    ended_ = true;
    leave_file();
    release();
}

void FileCall::check(const char* doing, const std::string& name) const {
    if (error_ != nullptr) {
        std::rethrow_exception(error_);
    }
    if (result < 0) {
        raise_os_error(static_cast<int>(-result), std::string(doing) + " '" + name + "'");
    }
}

// -------------------------------------------------------------------------- FileCallAwaiter

void FileCallAwaiter::suspend() noexcept {
    task_ = &lowlevel::running_task();
    task_->park(*this);
    call_.waiter_ = this;
}

void FileCallAwaiter::await_resume() {
    if (task_ != nullptr && task_->interrupted()) {
        if (left_ || call_.take_back()) {
            task_->throw_if_interrupted();
        }
        task_->postpone_interrupt();
    }
}

bool FileCallAwaiter::abort(TaskBase& task, CancelMessage message) noexcept {
    left_ = true;
    call_.abandon();
    task.interrupt(message);
    task.wake();
    return true;
}

// Parked still, if the loop closes.
FileCallAwaiter::~FileCallAwaiter() {
    if (call_.waiter_ == this) {
        call_.abandon();
    }
}

}  // namespace asyncio::detail
