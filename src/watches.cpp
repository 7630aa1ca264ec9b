// watches.cpp - calling functions when descriptors are ready, as long as they are.
//
// SPDX-License-Identifier: MIT
#include "watches.hpp"

#include <asyncio/log.hpp>

#include "loop_io.hpp"
#include "report.hpp"

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace asyncio::detail {

using lowlevel::Callback;
using lowlevel::Opcode;
using lowlevel::Operation;

/// One function, and the operation that waits until it is to be called. The operation is started
/// anew when the function has returned, so that what is still ready is reported again. Once removed
/// it goes when its operation has completed and its function has returned.
class Watch final : public Operation, public lowlevel::ListHook<AllWatches> {
public:
    Watch(Watches& watches, EventLoop& loop, int fd, Watched what, UniqueFunction<void()> function,
          const Context* context)
        : Operation(&on_ready, what == Watched::input ? Opcode::poll_in : Opcode::poll_out, fd),
          what(what),
          watches_(watches),
          loop_(loop),
          function_(std::move(function)) {
        capture_context(context_, context);
    }
    ~Watch() {
        if (auto& hook = static_cast<ListHook<AllWatches>&>(*this); hook.linked()) {
            hook.unlink();
        }
        if (Callback& callback = *this; callback.linked()) {
            callback.unlink();
        }
    }

    void start() noexcept {
        under_way_ = true;
        loop_.start(*this);
    }

    /// It is not called any more.
    void remove() noexcept {
        removed_ = true;
        if (under_way_) {
            loop_.cancel(*this);
        } else if (!running_) {
            delete this;
        }
    }

    const Watched what;

private:
    // What is to be done when the function has returned, or has left the loop.
    struct Running {
        explicit Running(Watch& watch) noexcept : watch(watch) { watch.running_ = true; }
        ~Running() {
            watch.running_ = false;
            if (watch.removed_) {
                delete &watch;
            } else {
                watch.start();
            }
        }
        Watch& watch;
    };

    static void on_ready(Callback& callback) {
        auto& self = static_cast<Watch&>(static_cast<Operation&>(callback));
        self.under_way_ = false;
        if (self.removed_) {
            delete &self;
            return;
        }
        if (self.result < 0) {
            self.give_up();
            return;
        }
        const Running running(self);
        try {
            const ContextScope scope(self.context_);
            self.function_();
        } catch (...) {
            const std::exception_ptr error = std::current_exception();
            if (leaves_the_loop(error)) {
                throw;
            }
            self.report(error);
        }
    }

    void report(std::exception_ptr error) const {
        ExceptionContext context;
        set_message(context, [] { return "Exception in callback"; });
        context.exception = std::move(error);
        loop_.call_exception_handler(context);
    }

    // The descriptor was closed: by its Socket, or behind the loop's back.
    void give_up() noexcept {
        if (result != -ECANCELED) {
            try {
                log(Level::warning,
                    "descriptor " + std::to_string(fd) +
                        " cannot be watched any more; was it closed before " +
                        (what == Watched::input ? "remove_reader()?" : "remove_writer()?"));
            } catch (const std::bad_alloc&) {
                log(Level::warning, "a descriptor cannot be watched any more");
            }
        }
        watches_.forget(*this);
        delete this;
    }

    Watches& watches_;
    EventLoop& loop_;
    UniqueFunction<void()> function_;
    ContextSlot context_;
    bool under_way_ = false;
    bool running_ = false;
    bool removed_ = false;
};

Watches::~Watches() {
    while (!all_.empty()) {
        delete &all_.front();
    }
}

// Does epoll know how to wait for it? Of files, directories and the like of /dev/null it does not:
// they are always ready, so whoever watches one would be called all the time.
static int cannot_be_watched(int fd) noexcept {
    struct ::stat status{};
    if (::fstat(fd, &status) != 0) {
        return errno;
    }
    if (S_ISSOCK(status.st_mode) || S_ISFIFO(status.st_mode)) {
        return 0;
    }
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) {
        return errno;
    }
    epoll_event event{};
    const int error = ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
    ::close(epoll);
    return error;
}

void Watches::check(int fd) const {
    if (fd < 0) {
        const std::string text = "Invalid file descriptor: " + std::to_string(fd);
        raise_value_error(text.c_str());
    }
    if (io_.claimed(fd)) {
        throw RuntimeError("File descriptor " + std::to_string(fd) + " is used by a transport");
    }
}

// Where there was a function already, all begins anew: the number may have been closed meanwhile
// and stand for another descriptor.
void Watches::add(int fd, Watched what, UniqueFunction<void()> function, const Context* context) {
    check(fd);
    if (const int error = cannot_be_watched(fd); error != 0) {
        raise_os_error(error, (what == Watched::input ? "add_reader(" : "add_writer(") +
                                  std::to_string(fd) + ")");
    }
    auto made = std::make_unique<Watch>(*this, *io_.loop(), fd, what, std::move(function), context);
    remove(fd, what);
    Watch*& here = place(watches_[fd], what);
    Watch& watch = *made.release();
    here = &watch;
    all_.push_back(watch);
    watch.start();
}

bool Watches::remove(int fd, Watched what) {
    check(fd);
    const auto found = watches_.find(fd);
    Watch* const watch = found != watches_.end() ? place(found->second, what) : nullptr;
    if (watch == nullptr) {
        return false;
    }
    forget(*watch);
    watch->remove();
    // Nothing of it is left in the proactor, so that whoever closes the descriptor need not say so.
    // An operation that somebody else awaits on it is not to be ended, though.
    if (!watches_.contains(fd) && !io_.has_operations(fd)) {
        Operation operation(&run_nothing, Opcode::forget, fd);
        io_.loop()->call(operation);
    }
    return true;
}

void Watches::forget(Watch& watch) noexcept {
    const auto found = watches_.find(watch.fd);
    Pair& pair = found->second;
    place(pair, watch.what) = nullptr;
    if (pair.input == nullptr && pair.output == nullptr) {
        watches_.erase(found);
    }
}

void add_watch(int fd, Watched what, UniqueFunction<void()> function, const Context* context) {
    LoopIO::of(get_running_loop()).watches().add(fd, what, std::move(function), context);
}

bool remove_watch(int fd, Watched what) {
    return LoopIO::of(get_running_loop()).watches().remove(fd, what);
}

}  // namespace asyncio::detail
