// io_uring_test.cpp - what is particular to io_uring: memory that the kernel uses meanwhile, queues
// that are full, rings that belong to a thread, kernels that refuse or know less.
//
// What it has in common with the others is in proactor_test.cpp.
//
// SPDX-License-Identifier: MIT
#include "proactors/io_uring.hpp"

#include <asyncio/files.hpp>
#include <asyncio/log.hpp>
#include <asyncio/runners.hpp>

#include "support/hostile_ring.hpp"
#include "support/hostile_system.hpp"
#include "support/proactors.hpp"
#include "testing/proactor_driver.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace asyncio::testing;
using asyncio::lowlevel::FileRequest;
using asyncio::lowlevel::IoUring;
using asyncio::lowlevel::make_proactor;
using asyncio::lowlevel::make_system_proactor;
using asyncio::lowlevel::RingOptions;
using asyncio::lowlevel::try_io_uring;
using asyncio::OSError;
using asyncio::TimePoint;

namespace {

/// Skips where there is no io_uring.
class IoUringTest : public testing::Test {
protected:
    void SetUp() override {
        if (!asyncio::testing::has_io_uring()) {
            GTEST_SKIP() << "no io_uring";
        }
    }
};

std::unique_ptr<IoUring> ring(const RingOptions& options = {}) {
    return std::make_unique<IoUring>(options);
}

/// An operation on a file, with memory of its own that is gone as soon as it has completed: whoever
/// touches it afterwards is caught by the address sanitizer.
class FileProbe final : public Operation {
public:
    FileProbe(Opcode opcode, int fd, std::size_t buffer_size = 64)
        : Operation(&ran, opcode, fd), buffer_(new char[buffer_size]) {
        request_ = std::make_unique<FileRequest>();
        request_->buffer = buffer_.get();
        data = request_.get();
        size = buffer_size;
    }

    FileRequest& request() { return *request_; }
    [[nodiscard]] std::string text() const { return text_; }
    int runs = 0;

private:
    static void ran(Callback& callback) {
        auto& self = static_cast<FileProbe&>(callback);
        ++self.runs;
        if (self.opcode == Opcode::read_at && self.result > 0) {
            self.text_.assign(self.buffer_.get(), static_cast<std::size_t>(self.result));
        }
        self.buffer_.reset();
        self.request_.reset();
    }

    std::unique_ptr<char[]> buffer_;
    std::unique_ptr<FileRequest> request_;
    std::string text_;
};

/// A proactor and the part of the loop that operations on files need.
class Files {
public:
    explicit Files(std::unique_ptr<IoUring> proactor = ring()) : proactor_(std::move(proactor)) {}
    Files(const Files&) = delete;
    Files& operator=(const Files&) = delete;
    ~Files() {
        proactor_->abort_all(ready_);
        run_ready();
    }

    IoUring& proactor() { return *proactor_; }
    void start(FileProbe& probe) {
        probe.completed = false;
        pending_.push_back(probe);
    }
    void poll(TimePoint deadline = TimePoint::min()) {
        proactor_->poll(pending_, ready_, deadline);
    }
    void cancel(FileProbe& probe) { proactor_->cancel(probe, ready_); }
    void run_ready() {
        CallbackList batch(std::move(ready_));
        while (!batch.empty()) {
            batch.pop_front().run();
        }
    }
    void abort_all() { proactor_->abort_all(ready_); }
    bool finished(const FileProbe& probe) {
        const auto patience = std::chrono::steady_clock::now() + 20s;
        while (probe.runs == 0 && std::chrono::steady_clock::now() < patience) {
            poll(proactor_->now() + 20ms);
            run_ready();
        }
        return probe.runs > 0;
    }

private:
    std::unique_ptr<IoUring> proactor_;
    CallbackList pending_;
    CallbackList ready_;
};

/// A directory for the time of a test.
class Directory {
public:
    Directory() {
        std::string pattern = (std::filesystem::temp_directory_path() / "io_uring.XXXXXX").string();
        EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
        path_ = pattern;
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    ~Directory() { std::filesystem::remove_all(path_); }
    [[nodiscard]] std::string operator/(const char* name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

Pipe blocking_pipe() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
    return {Fd(fds[0]), Fd(fds[1])};
}

std::size_t open_descriptors() {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// Threads of the kernel that work for this process.
std::size_t kernel_workers() {
    std::size_t count = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
        std::ifstream comm(task.path() / "comm");
        std::string name;
        comm >> name;
        count += name.rfind("iou-wrk", 0) == 0 ? 1 : 0;
    }
    return count;
}

/// From now on this process gets `error` from that system call.
void refuse(long call, int error) {
    std::array<sock_filter, 4> program = {{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    const sock_fprog filter{program.size(), program.data()};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        ::_exit(100);
    }
}

/// What `check` returns in a child process.
int in_child(const std::function<int()>& check) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::_exit(check());
    }
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

// ---------------------------------------------------------------------- memory the kernel uses

TEST_F(IoUringTest, cancels_before_the_kernel_knows_of_it) {
    Files files;
    Pipe pipe = blocking_pipe();
    FileProbe probe(Opcode::read_at, pipe.read_end);
    files.start(probe);

    files.cancel(probe);
    files.run_ready();

    EXPECT_EQ(probe.runs, 1);
    EXPECT_EQ(probe.result, -ECANCELED);
    put(pipe.write_end, "kept");
    EXPECT_EQ(take(pipe.read_end), "kept");
}

TEST_F(IoUringTest, gives_memory_back_only_when_the_kernel_has_done_with_it) {
    Files files;
    Pipe pipe = blocking_pipe();
    FileProbe probe(Opcode::read_at, pipe.read_end);
    files.start(probe);
    files.poll();
    EXPECT_TRUE(probe.started);

    files.cancel(probe);
    EXPECT_FALSE(probe.completed);  // that is for the kernel to say
    files.cancel(probe);            // twice as once

    EXPECT_TRUE(files.finished(probe));
    EXPECT_EQ(probe.result, -ECANCELED);
    put(pipe.write_end, "kept");
    files.poll();
    files.run_ready();
    EXPECT_EQ(probe.runs, 1);
    EXPECT_EQ(take(pipe.read_end), "kept");
}

TEST_F(IoUringTest, completes_once_whoever_wins_when_it_is_cancelled_while_it_completes) {
    Files files;
    for (int i = 0; i < 50; ++i) {
        Pipe pipe = blocking_pipe();
        FileProbe probe(Opcode::read_at, pipe.read_end);
        files.start(probe);
        files.poll();

        put(pipe.write_end, "data");
        if (i % 2 == 0) {
            ::usleep(100);  // either order is right
        }
        files.cancel(probe);

        EXPECT_TRUE(files.finished(probe));
        EXPECT_EQ(probe.runs, 1);
        if (probe.result == -ECANCELED) {
            EXPECT_EQ(take(pipe.read_end), "data");
        } else {
            EXPECT_EQ(probe.text(), "data");
        }
    }
}

TEST_F(IoUringTest, leaves_alone_what_has_completed) {
    Files files;
    Pipe pipe = blocking_pipe();
    put(pipe.write_end, "data");
    FileProbe probe(Opcode::read_at, pipe.read_end);
    files.start(probe);
    while (!probe.completed) {
        files.poll(files.proactor().now() + 20ms);
    }

    files.cancel(probe);  // completed, and its callback has not run yet
    files.run_ready();

    EXPECT_EQ(probe.text(), "data");
    EXPECT_EQ(probe.runs, 1);
}

TEST_F(IoUringTest, starts_an_operation_again_that_was_cancelled) {
    Files files;
    Pipe pipe = blocking_pipe();
    FileProbe first(Opcode::read_at, pipe.read_end);
    files.start(first);
    files.poll();
    files.cancel(first);
    EXPECT_TRUE(files.finished(first));

    FileProbe again(Opcode::read_at, pipe.read_end);
    files.start(again);
    put(pipe.write_end, "data");

    EXPECT_TRUE(files.finished(again));
    EXPECT_EQ(again.text(), "data");
}

TEST_F(IoUringTest, aborts_only_when_the_kernel_has_done_with_everything) {
    Files files;
    Pipe pipe = blocking_pipe();
    std::vector<std::unique_ptr<FileProbe>> probes;
    for (int i = 0; i < 100; ++i) {
        probes.push_back(std::make_unique<FileProbe>(Opcode::read_at, pipe.read_end));
        files.start(*probes.back());
    }
    files.poll();

    files.abort_all();
    files.run_ready();

    for (const auto& probe : probes) {
        EXPECT_EQ(probe->runs, 1);
        EXPECT_EQ(probe->result, -ECANCELED);
    }
}

TEST_F(IoUringTest, interrupts_a_thread_of_the_kernel_that_waits) {
    Files files;
    const Directory directory;
    const std::string path = directory / "fifo";
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    FileProbe opener(Opcode::open_file, -1);
    opener.request().path = path.c_str();
    opener.request().flags = O_RDONLY;
    files.start(opener);
    files.poll();

    files.cancel(opener);

    EXPECT_TRUE(files.finished(opener));
    EXPECT_EQ(opener.result, -ECANCELED);
}

// As in a thread, and unlike an open that io_uring tries without waiting.
TEST_F(IoUringTest, opens_a_fifo_when_the_other_end_is_opened) {
    Files files;
    const Directory directory;
    const std::string path = directory / "fifo";
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    FileProbe opener(Opcode::open_file, -1);
    opener.request().path = path.c_str();
    opener.request().flags = O_RDONLY;
    files.start(opener);
    files.poll(files.proactor().now() + 5ms);
    files.run_ready();
    EXPECT_EQ(opener.runs, 0);

    Fd writer(::open(path.c_str(), O_WRONLY | O_CLOEXEC));  // waits for it in turn

    EXPECT_TRUE(files.finished(opener));
    Fd reader(opener.result);
    EXPECT_TRUE(close_on_exec(reader));
    EXPECT_FALSE(non_blocking(reader));
}

TEST_F(IoUringTest, bounds_the_threads_of_the_kernel) {
    const Directory directory;
    const std::string path = directory / "fifo";
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    std::vector<std::unique_ptr<FileProbe>> openers;
    {
        Files files;
        for (int i = 0; i < 100; ++i) {
            openers.push_back(std::make_unique<FileProbe>(Opcode::open_file, -1));
            openers.back()->request().path = path.c_str();
            openers.back()->request().flags = O_RDONLY;
            files.start(*openers.back());
        }
        for (int i = 0; i < 5; ++i) {
            files.poll(files.proactor().now() + 10ms);
        }

        EXPECT_GT(kernel_workers(), 0U);
        EXPECT_LE(kernel_workers(), 32U);
    }
    for (const auto& opener : openers) {
        EXPECT_EQ(opener->result, -ECANCELED);
    }
}

// ------------------------------------------------------------------------------- full queues

TEST_F(IoUringTest, starts_and_cancels_more_than_its_queue_takes) {
    Files files(ring({.submissions = 1, .completions = 2}));
    Pipe pipe = blocking_pipe();
    std::vector<std::unique_ptr<FileProbe>> probes;
    for (int i = 0; i < 64; ++i) {
        probes.push_back(std::make_unique<FileProbe>(Opcode::read_at, pipe.read_end));
        files.start(*probes.back());
    }
    files.poll();
    for (const auto& probe : probes) {
        EXPECT_TRUE(probe->started);
        files.cancel(*probe);
    }

    for (const auto& probe : probes) {
        EXPECT_TRUE(files.finished(*probe));
        EXPECT_EQ(probe->result, -ECANCELED);
        EXPECT_EQ(probe->runs, 1);
    }
}

TEST_F(IoUringTest, loses_no_event_when_they_are_more_than_its_queue_takes) {
    Driver driver(ring({.submissions = 2, .completions = 4}));
    std::vector<Pair> pairs;
    std::vector<Probe*> receivers;
    for (int i = 0; i < 100; ++i) {
        pairs.push_back(unix_pair());
        receivers.push_back(&driver.wait_with(driver.make_receiver(pairs.back().ours)));
    }

    for (int round = 0; round < 3; ++round) {
        for (Pair& pair : pairs) {
            put(pair.theirs, "x");
        }
        for (Probe* receiver : receivers) {
            EXPECT_TRUE(driver.until([&] { return receiver->runs == round + 1; }));
            EXPECT_EQ(receiver->text(), "x");
        }
        for (Probe* receiver : receivers) {
            driver.start(*receiver);
        }
    }
}

TEST_F(IoUringTest, watches_both_directions_with_the_smallest_queue) {
    Driver driver(ring({.submissions = 1, .completions = 2}));
    Pair pair = tcp_pair();
    const std::size_t filled = fill(pair.ours);
    Probe& receiver = driver.wait_with(driver.make_receiver(pair.ours));
    Probe& sender = driver.wait_with(driver.make_sender(pair.ours, "end"));

    put(pair.theirs, "x");
    EXPECT_TRUE(driver.finished(receiver));
    std::size_t taken = 0;
    EXPECT_TRUE(driver.until([&] {
        taken += take(pair.theirs).size();
        return sender.runs > 0 && taken == filled + 3;
    }));
}

TEST_F(IoUringTest, notices_a_wake_when_its_queue_has_overflown) {
    Driver driver(ring({.submissions = 2, .completions = 2}));
    std::vector<Pair> pairs;
    for (int i = 0; i < 20; ++i) {
        pairs.push_back(unix_pair());
        driver.wait_with(driver.make_receiver(pairs.back().ours));
        put(pairs.back().theirs, "x");
    }
    for (int round = 0; round < 10; ++round) {
        driver.proactor().wake();
        driver.turn(TimePoint::max());
    }
}

namespace {

/// No entry is handed over by that call.
Hostility refusing(std::string_view call) {
    return {.call = call, .nth = 1, .times = 1'000'000, .error = EAGAIN};
}

}  // namespace

// One poll takes the place of another, and there is no entry left for it.
TEST_F(IoUringTest, tells_those_who_wait_when_it_cannot_watch_for_them_any_more) {
    Driver driver(ring({.submissions = 1, .completions = 8}));
    Pair pair = unix_pair();
    fill(pair.ours);
    Probe& receiver = driver.wait_with(driver.make_receiver(pair.ours));
    Probe& sender = driver.send(pair.ours, "x");
    {
        const HostileSystem refuses(refusing("io_uring_submit"));
        driver.turn();
        EXPECT_TRUE(refuses.failed());
    }
    EXPECT_TRUE(driver.finished(sender));
    EXPECT_EQ(sender.result, -ENOMEM);
    EXPECT_TRUE(driver.finished(receiver));
    EXPECT_EQ(receiver.result, -ENOMEM);

    Probe& again = driver.wait_with(driver.make_receiver(pair.ours));
    put(pair.theirs, "in");
    EXPECT_TRUE(driver.finished(again));
    EXPECT_EQ(again.text(), "in");
}

TEST_F(IoUringTest, is_woken_though_there_was_no_entry_to_ask_for_it) {
    Driver driver(ring({.submissions = 1, .completions = 2}));
    std::vector<Pair> pairs;
    for (int i = 0; i < 20; ++i) {
        pairs.push_back(unix_pair());
        driver.wait_with(driver.make_receiver(pairs.back().ours));
    }
    for (int round = 0; round < 10; ++round) {
        {
            const HostileSystem refuses(refusing("io_uring_submit"));
            for (Pair& pair : pairs) {
                put(pair.theirs, "x");
            }
            driver.proactor().wake();
            for (int turn = 0; turn < 5; ++turn) {
                driver.turn();
            }
        }
        driver.settle();
        driver.proactor().wake();
        driver.turn(TimePoint::max());
    }
}

TEST_F(IoUringTest, cancels_later_what_there_was_no_entry_to_cancel_with) {
    for (const bool at_the_end : {false, true}) {
        Pipe first = blocking_pipe();
        Pipe second = blocking_pipe();
        FileProbe waiting(Opcode::read_at, first.read_end);
        FileProbe queued(Opcode::read_at, second.read_end);
        Files files(ring({.submissions = 1, .completions = 8}));
        files.start(waiting);
        files.poll();
        files.start(queued);
        {
            const HostileSystem refuses(refusing("io_uring_submit_and_get_events"));
            files.poll();
            EXPECT_TRUE(refuses.failed());
        }
        {
            const HostileSystem refuses(refusing("io_uring_submit"));
            files.cancel(waiting);
            EXPECT_TRUE(refuses.failed());
            EXPECT_FALSE(waiting.completed);
        }
        if (at_the_end) {
            files.abort_all();
            files.run_ready();
        }
        EXPECT_TRUE(files.finished(waiting));
        EXPECT_EQ(waiting.result, -ECANCELED);
        EXPECT_EQ(waiting.runs, 1);
    }
}

// A number is free as soon as the kernel has begun to close it, and may be another's by now.
TEST_F(IoUringTest, closes_once_though_it_was_interrupted) {
    Files files;
    Fd first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const int number = first.release();
    FileProbe closing(Opcode::close_file, number);
    files.start(closing);
    {
        const HostileRing hostile(1);
        files.poll();
        while (::fcntl(number, F_GETFD) >= 0) {
            files.poll();
        }
        const Fd second(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        EXPECT_EQ(second, number);
        EXPECT_TRUE(files.finished(closing));
        EXPECT_EQ(closing.result, 0);
        EXPECT_GE(::fcntl(second, F_GETFD), 0);
    }
}

TEST_F(IoUringTest, makes_again_what_a_signal_has_interrupted) {
    Files files;
    const Directory directory;
    const Fd file(::open((directory / "a").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    put(file, "content");
    FileProbe reading(Opcode::read_at, file);
    reading.request().offset = 0;
    HostileRing hostile(2);
    for (int i = 0; i < 2; ++i) {
        FileProbe syncing(Opcode::sync, file);
        files.start(syncing);
        EXPECT_TRUE(files.finished(syncing));
        EXPECT_EQ(syncing.result, 0);
    }
    files.start(reading);
    EXPECT_TRUE(files.finished(reading));
    EXPECT_EQ(reading.text(), "content");
    EXPECT_GT(hostile.lies(), 1);
}

namespace {

asyncio::Coroutine<> use_files(const std::string path) {
    const std::string text(50'000, 'x');
    {
        asyncio::files::File file = co_await asyncio::files::open(path, "w+");
        for (std::size_t size = 1; size < 5'000; size += 1 + size / 2) {
            co_await file.write(text.substr(0, size));
        }
        co_await file.sync();
        const std::int64_t end = co_await file.tell();
        co_await file.seek(0);
        const std::string all = co_await file.read();
        EXPECT_TRUE(all == text.substr(0, static_cast<std::size_t>(end)));
        co_await file.pwrite(text, 3);
        const std::string middle = co_await file.pread(20'000, 10'000);
        EXPECT_TRUE(middle == text.substr(0, 20'000));
        co_await file.close();
    }
    const std::string whole = co_await asyncio::files::read_file(path);
    EXPECT_TRUE(whole == "xxx" + text);
    const asyncio::files::Stat status = co_await asyncio::files::stat(path);
    EXPECT_EQ(status.st_size, 50'003);
}

}  // namespace

TEST_F(IoUringTest, loses_nothing_of_files_to_interruptions_and_short_counts) {
    const Directory directory;
    const std::size_t before = open_descriptors();
    for (const int interrupted : {0, 2, 3}) {
        for (const std::int32_t most : {0, 1, 97, 4'096}) {
            if (most == 1 && interrupted != 2) {
                continue;  // that takes its time
            }
            const HostileRing hostile(interrupted, most);
            asyncio::run(use_files(directory / "file"), {.proactor = "io_uring"});
            EXPECT_EQ(hostile.lies() > 0, interrupted > 0 || most > 0);
        }
    }
    EXPECT_EQ(open_descriptors(), before);
}

// ------------------------------------------------------------------------ descriptors that end

// The poll holds the file: closing the number alone would end nothing.
TEST_F(IoUringTest, tells_the_peer_of_the_end_at_once_when_it_closes_what_is_waited_for) {
    Driver driver(ring());
    Pair pair = tcp_pair();
    Probe& receiver = driver.wait_with(driver.make_receiver(pair.ours));

    EXPECT_EQ(driver.close(pair.ours), 0);

    char byte = 0;
    pollfd entry{pair.theirs, POLLIN, 0};
    EXPECT_EQ(::poll(&entry, 1, 10'000), 1);
    EXPECT_EQ(::recv(pair.theirs, &byte, 1, 0), 0);
    EXPECT_TRUE(driver.finished(receiver));
    EXPECT_EQ(receiver.result, -ECANCELED);
}

// The poll has been woken, and nobody has looked since: such a one is not to be missed.
TEST_F(IoUringTest, tells_the_peer_of_the_end_when_it_closes_what_has_just_become_ready) {
    for (int round = 0; round < 10; ++round) {
        Driver driver(ring());
        Pair pair = tcp_pair();
        Probe& receiver = driver.wait_with(driver.make_receiver(pair.ours));
        put(pair.theirs, "x");

        EXPECT_EQ(driver.call(Opcode::close, pair.ours.release()), 0);

        pollfd entry{pair.theirs, POLLIN, 0};
        EXPECT_EQ(::poll(&entry, 1, 10'000), 1);
        EXPECT_TRUE(driver.finished(receiver));
        EXPECT_EQ(receiver.result, -ECANCELED);
    }
}

TEST_F(IoUringTest, frees_the_address_of_a_server_at_once_when_it_closes_it) {
    Driver driver(ring());
    for (int i = 0; i < 10; ++i) {
        Fd listener = listening_socket();
        const SocketAddress address = name_of(listener);
        driver.wait_with(driver.make(Opcode::accept, listener));

        EXPECT_EQ(driver.close(listener), 0);

        Fd next(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        EXPECT_EQ(::bind(next, reinterpret_cast<const sockaddr*>(address.storage), address.size),
                  0);
        EXPECT_EQ(::listen(next, 1), 0);
    }
}

TEST_F(IoUringTest, keeps_nothing_open_when_it_is_destroyed) {
    const std::size_t before = open_descriptors();
    Pair pair = tcp_pair();
    Fd listener = listening_socket();
    const SocketAddress address = name_of(listener);
    {
        Driver driver(ring());
        driver.wait_with(driver.make_receiver(pair.ours));
        driver.wait_with(driver.make(Opcode::accept, listener));
    }
    pair.ours.reset();
    listener.reset();

    char byte = 0;
    EXPECT_EQ(::recv(pair.theirs, &byte, 1, 0), 0);  // does not wait, but is there
    Fd next(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(next, reinterpret_cast<const sockaddr*>(address.storage), address.size), 0);
    next.reset();
    pair.theirs.reset();
    EXPECT_EQ(open_descriptors(), before);
}

// ------------------------------------------------------------------------- what an event says

// That something came is all that the event says; somebody else may have had it.
TEST_F(IoUringTest, does_not_report_readiness_that_is_over) {
    Driver driver(ring());
    Pair pair = unix_pair();
    Probe& readable = driver.wait_with(driver.make(Opcode::poll_in, pair.ours));

    put(pair.theirs, "x");
    EXPECT_EQ(take(pair.ours), "x");
    driver.settle();

    EXPECT_EQ(readable.runs, 0);
    put(pair.theirs, "y");
    EXPECT_TRUE(driver.finished(readable));
}

TEST_F(IoUringTest, may_report_readiness_that_is_over_to_those_who_try_anyway) {
    Driver driver(ring());
    Pair pair = unix_pair();
    Probe& readable = driver.make(Opcode::poll_in, pair.ours);
    readable.argument = asyncio::lowlevel::poll_tries_anyway;
    driver.wait_with(readable);
    Probe& receiver = driver.make_receiver(pair.ours);

    put(pair.theirs, "x");
    EXPECT_EQ(take(pair.ours), "x");
    EXPECT_TRUE(driver.finished(readable));

    EXPECT_FALSE(driver.proactor().attempt(receiver));
    EXPECT_EQ(receiver.result, -EAGAIN);
}

TEST_F(IoUringTest, reads_on_behind_urgent_data_whatever_order_it_comes_in) {
    for (const int pause : {0, 1, 2, 3}) {  // after which of the steps the proactor looks
        Driver driver(ring());
        Pair pair = tcp_pair();
        Probe& receiver = driver.wait_with(driver.make_receiver(pair.ours));
        std::string received;
        const auto take_all = [&] {
            if (receiver.runs > 0) {
                received += receiver.text();
                receiver.runs = 0;
                driver.start(receiver);
            }
            return received == "beforeafter";
        };

        put(pair.theirs, "before");
        if (pause == 1) {
            driver.settle();
            take_all();
        }
        EXPECT_EQ(::send(pair.theirs, "!", 1, MSG_OOB), 1);
        if (pause == 2) {
            driver.settle();
            take_all();
        }
        put(pair.theirs, "after");
        if (pause == 3) {
            driver.settle();
            take_all();
        }

        EXPECT_TRUE(driver.until(take_all)) << pause << ": " << received;
    }
}

TEST_F(IoUringTest, makes_no_system_call_when_there_is_nothing_to_report) {
    Driver driver(ring());
    Pair pair = tcp_pair();
    driver.wait_with(driver.make_receiver(pair.ours));
    driver.settle();

    EXPECT_FALSE(static_cast<IoUring&>(driver.proactor()).ring().has_work());
    put(pair.theirs, "x");
    pollfd entry{driver.proactor().descriptor(), POLLIN, 0};
    EXPECT_EQ(::poll(&entry, 1, 10'000), 1);
    EXPECT_TRUE(static_cast<IoUring&>(driver.proactor()).ring().has_work());
}

// ------------------------------------------------------------------------------------ threads

TEST_F(IoUringTest, is_used_by_another_thread_than_the_one_that_made_it) {
    auto proactor = ring();
    Pair pair = tcp_pair();

    std::thread([&] {
        Driver driver(std::move(proactor));
        Probe& receiver = driver.wait_with(driver.make_receiver(pair.ours));
        put(pair.theirs, "data");
        EXPECT_TRUE(driver.finished(receiver));
        EXPECT_EQ(receiver.text(), "data");
    }).join();
}

TEST_F(IoUringTest, goes_on_in_another_thread_when_the_first_has_ended) {
    Driver driver(ring());
    Pair pair = tcp_pair();
    Probe& receiver = driver.make_receiver(pair.ours);
    std::thread([&] { driver.wait_with(receiver); }).join();

    put(pair.theirs, "data");
    EXPECT_TRUE(driver.finished(receiver));
    EXPECT_EQ(receiver.text(), "data");

    Probe& next = driver.make_receiver(pair.ours);
    std::thread([&] {
        driver.wait_with(next);
        driver.proactor().wake();
        driver.turn(TimePoint::max());
    }).join();
    EXPECT_EQ(driver.close(pair.ours), 0);
    EXPECT_TRUE(driver.finished(next));
    char byte = 0;
    pollfd entry{pair.theirs, POLLIN, 0};
    EXPECT_EQ(::poll(&entry, 1, 10'000), 1);
    EXPECT_EQ(::recv(pair.theirs, &byte, 1, 0), 0);
}

TEST_F(IoUringTest, says_so_when_another_thread_takes_over_while_the_kernel_works_on_files) {
    Pipe pipe = blocking_pipe();
    Files files;
    FileProbe probe(Opcode::read_at, pipe.read_end);
    files.start(probe);
    files.poll();

    std::thread([&] { EXPECT_THROW(files.poll(), OSError); }).join();

    put(pipe.write_end, "data");
    EXPECT_TRUE(files.finished(probe));
    EXPECT_EQ(probe.text(), "data");
}

// The child has the descriptor of the ring, but not the memory.
TEST_F(IoUringTest, is_destroyed_in_a_child_process_without_harm) {
    auto driver = std::make_unique<Driver>(ring());
    Pair pair = tcp_pair();
    Pair other = tcp_pair();
    Probe& receiver = driver->wait_with(driver->make_receiver(pair.ours));

    EXPECT_EQ(in_child([&] {
                  Fd copy(::dup(other.ours));
                  const bool closed = driver->call(Opcode::close, pair.ours) == 0 &&
                                      driver->call(Opcode::close, copy.release()) == 0;
                  driver->proactor().wake();
                  driver.reset();
                  return closed ? 0 : 1;
              }),
              0);

    put(pair.theirs, "still here");
    EXPECT_TRUE(driver->finished(receiver));
    EXPECT_EQ(receiver.text(), "still here");
}

// ---------------------------------------------------------------------- kernels that know less

TEST_F(IoUringTest, does_without_each_of_the_flags_it_would_like) {
    const unsigned flags[] = {
        0,
        IORING_SETUP_DEFER_TASKRUN,                              // as before Linux 6.1
        IORING_SETUP_SINGLE_ISSUER,                              // 6.0
        IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SINGLE_ISSUER,  // 5.19
        IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER,    // 5.18
    };
    for (const unsigned refused : flags) {
        SCOPED_TRACE(refused);
        auto proactor = ring({.refused_flags = refused});
        EXPECT_EQ(proactor->ring().setup_flags() & refused, 0U);
        Driver driver(std::move(proactor));
        Pair pair = tcp_pair();
        for (int i = 0; i < 10; ++i) {
            Probe& receiver = driver.wait_with(driver.make_receiver(pair.ours));
            put(pair.theirs, "data");
            EXPECT_TRUE(driver.finished(receiver));
            EXPECT_EQ(receiver.text(), "data");
            Probe& readable = driver.wait_with(driver.make(Opcode::poll_in, pair.ours));
            put(pair.theirs, "more");
            EXPECT_TRUE(driver.finished(readable));
            EXPECT_EQ(take(pair.ours), "more");
        }
        driver.proactor().wake();
        driver.turn(TimePoint::max());
        EXPECT_EQ(driver.close(pair.ours), 0);
    }
}

TEST_F(IoUringTest, does_not_do_without_what_it_needs) {
    for (const unsigned refused : {IORING_FEAT_NODROP, IORING_FEAT_EXT_ARG}) {
        EXPECT_THROW(static_cast<void>(ring({.refused_features = refused})), OSError);
    }
    EXPECT_THROW(static_cast<void>(ring({.refused_flags = ~0U, .refused_features = ~0U})), OSError);
}

TEST_F(IoUringTest, leaves_files_to_threads_where_the_kernel_does_not_perform_them) {
    Driver driver(ring({.restricted = true}));
    Pair pair = tcp_pair();

    EXPECT_FALSE(driver.proactor().performs(Opcode::open_file));
    EXPECT_FALSE(driver.proactor().performs(Opcode::recv));
    EXPECT_TRUE(ring()->performs(Opcode::open_file));
    EXPECT_FALSE(ring()->performs(Opcode::recv));

    Probe& receiver = driver.wait_with(driver.make_receiver(pair.ours));
    put(pair.theirs, "data");
    EXPECT_TRUE(driver.finished(receiver));
    EXPECT_EQ(driver.close(pair.ours), 0);
}

TEST_F(IoUringTest, is_replaced_by_epoll_where_the_environment_asks_and_the_system_refuses) {
    for (const int error : {EPERM, ENOSYS, ENOMEM, EOPNOTSUPP, EMFILE}) {
        EXPECT_EQ(in_child([&] {
                      static int lines = 0;
                      refuse(SYS_io_uring_setup, error);
                      ::setenv("ASYNCIO_PROACTOR", "io_uring", 1);
                      asyncio::set_logger([](asyncio::Level level, std::string_view) {
                          lines += level == asyncio::Level::debug ? 1 : 100;
                      });
                      if (make_proactor()->name() != "epoll") {
                          return 1;
                      }
                      return lines == 1 ? 0 : 2;
                  }),
                  0)
            << error;
    }
}

// A filter may let a ring be made, and refuse what it is driven with: that is found out before.
TEST_F(IoUringTest, is_tried_out_with_all_that_it_needs) {
    EXPECT_EQ(try_io_uring(), 0);
    std::set<std::string> refused;
    for (const asyncio::testing::SystemCall& call : asyncio::testing::system_calls()) {
        for (const int error : call.errors) {
            for (int nth = 1; call.name.starts_with("io_uring_") && nth < 100; ++nth) {
                const HostileSystem refuses({.call = call.name, .nth = nth, .error = error});
                const int refusal = try_io_uring();
                if (!refuses.failed()) {
                    break;
                }
                EXPECT_TRUE(refusal == error || refusal == EOPNOTSUPP || refusal == 0)
                    << call.name << " " << nth << ": " << std::strerror(refusal);
                if (refusal != 0) {
                    refused.emplace(call.name);
                }
            }
        }
    }
    EXPECT_TRUE(refused.contains("io_uring_register"));
    EXPECT_TRUE(refused.contains("io_uring_queue_init_params"));
    EXPECT_TRUE(refused.contains("io_uring_submit_and_wait_timeout"));
    EXPECT_TRUE(refused.contains("io_uring_submit_and_get_events"));
}

// The thread that polls is the first to know; the next poll begins anew.
TEST_F(IoUringTest, says_so_when_it_cannot_be_enabled) {
    Driver driver(ring());
    for (const int error : {EPERM, ENOMEM}) {
        const HostileSystem refuses({.call = "io_uring_register", .nth = 1, .error = error});
        try {
            driver.turn();
            ADD_FAILURE() << "no error";
        } catch (const OSError& refusal) {
            EXPECT_EQ(refusal.error_number(), error);
        }
    }
    Pair pair = tcp_pair();
    Probe& receiver = driver.wait_with(driver.make_receiver(pair.ours));
    put(pair.theirs, "in");
    EXPECT_TRUE(driver.finished(receiver));
    EXPECT_EQ(receiver.text(), "in");
}

TEST_F(IoUringTest, fails_where_the_program_asks_and_the_system_refuses) {
    for (const int error : {EPERM, ENOSYS, ENOMEM}) {
        EXPECT_EQ(in_child([&] {
                      refuse(SYS_io_uring_setup, error);
                      try {
                          static_cast<void>(make_system_proactor("io_uring"));
                      } catch (const OSError& refusal) {
                          return refusal.code().value() == error ? 0 : 2;
                      }
                      return 1;
                  }),
                  0)
            << error;
    }
}

// A filter may also let a ring be made and refuse to use it.
TEST_F(IoUringTest, fails_where_the_ring_cannot_be_used) {
    for (const long call : {SYS_io_uring_enter, SYS_io_uring_register}) {
        EXPECT_EQ(in_child([&] {
                      refuse(call, EPERM);
                      try {
                          Driver driver(ring());
                          driver.turn();
                      } catch (const OSError& refusal) {
                          return refusal.code().value() == EPERM ? 0 : 2;
                      }
                      return 1;
                  }),
                  0)
            << call;
    }
}
