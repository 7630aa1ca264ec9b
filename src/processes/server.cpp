// server.cpp - a process without threads and loops, which forks workers and reaps them.
//
// SPDX-License-Identifier: MIT
#include "server.hpp"

#include "modules.hpp"
#include "protocol.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace asyncio::detail {

void end_with_parent(long parent) noexcept {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) {  // it was gone before
        ::_exit(0);
    }
}

namespace {

/// Ctrl-C goes to all processes at the terminal. What is to become of the workers the parent
/// decides. (Not SIG_IGN: programs that workers start would inherit that.)
void leave_interrupts_to_parent() noexcept {
    struct sigaction action{};
    action.sa_handler = [](int) {};
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGINT, &action, nullptr);
}

constinit int child_has_ended = -1;  // an eventfd

// A handler, and no signalfd: the program's static objects may have made threads, which get the
// signal as well as this one.
void note_end_of_child(int) {
    const int error = errno;
    const std::uint64_t one = 1;
    static_cast<void>(!::write(child_has_ended, &one, sizeof one));
    errno = error;
}

class Server {
public:
    Server() noexcept {
        ::prctl(PR_SET_NAME, "asyncio-server");
        ::fcntl(server_socket, F_SETFD, FD_CLOEXEC);
        leave_interrupts_to_parent();
        child_has_ended = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (child_has_ended < 0) {
            ::_exit(1);
        }
        struct sigaction action{};
        action.sa_handler = &note_end_of_child;
        action.sa_flags = SA_RESTART;
        ::sigaction(SIGCHLD, &action, nullptr);
    }

    [[noreturn]] void run() {
        say_hello();
        for (;;) {
            std::array<pollfd, 2> polled{
                {{server_socket, POLLIN, 0}, {child_has_ended, POLLIN, 0}}};
            if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) {
                end();
            }
            if (polled[1].revents != 0) {
                reap();
            }
            if (polled[0].revents != 0) {
                receive();
            }
        }
    }

private:
    struct Worker {
        int id;
        pid_t pid;
    };

    void send(const ServerMessage& message) {
        if (::send(server_socket, &message, sizeof message, MSG_NOSIGNAL) < 0) {
            end();
        }
    }

    void say_hello() {
        const ServerMessage message{ServerMessage::Kind::hello, 0, 0};
        std::string text(reinterpret_cast<const char*>(&message), sizeof message);
        text += program_id();
        if (::send(server_socket, text.data(), text.size(), MSG_NOSIGNAL) < 0) {
            end();
        }
    }

    void receive() {
        ServerMessage message;
        iovec part{&message, sizeof message};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(2 * sizeof(int))> control{};
        msghdr header{};
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        const ssize_t size = ::recvmsg(server_socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (size != static_cast<ssize_t>(sizeof message)) {
            end();  // the parent has closed it, or is gone
        }
        std::array<int, 2> descriptors{-1, -1};
        if (const cmsghdr* const rights = CMSG_FIRSTHDR(&header);
            rights != nullptr && rights->cmsg_type == SCM_RIGHTS &&
            rights->cmsg_len == CMSG_LEN(sizeof descriptors)) {
            std::memcpy(descriptors.data(), CMSG_DATA(rights), sizeof descriptors);
        }
        if (message.kind == ServerMessage::Kind::start) {
            start(message.worker, descriptors[0], descriptors[1]);
        } else if (message.kind == ServerMessage::Kind::signal) {
            signal(message.worker, message.value);
        }
    }

    void start(int id, int socket, int page) {
        // Or else both would write what is in there.
        std::fflush(nullptr);
        const pid_t server = ::getpid();
        const pid_t pid = ::fork();
        if (pid == 0) {
            end_with_parent(server);
            ::close(server_socket);
            // By default, whatever the parent's was.
            std::signal(SIGCHLD, SIG_DFL);
            ::close(child_has_ended);
            ::prctl(PR_SET_NAME, "asyncio-worker");
            run_worker(socket, page);
        }
        const int error = errno;
        ::close(socket);
        ::close(page);
        if (pid < 0) {
            send({ServerMessage::Kind::failed, id, error});
            return;
        }
        workers_.push_back({id, pid});
        send({ServerMessage::Kind::started, id, pid});
    }

    // It has not been reaped, so the number is still its own.
    void signal(int id, int number) {
        for (const Worker& worker : workers_) {
            if (worker.id == id) {
                ::kill(worker.pid, number);
            }
        }
    }

    // Those only that it has forked: a static object of the program may have children as well.
    void reap() {
        std::uint64_t count = 0;
        static_cast<void>(!::read(child_has_ended, &count, sizeof count));
        for (std::size_t i = 0; i < workers_.size();) {
            int status = 0;
            if (::waitpid(workers_[i].pid, &status, WNOHANG) != workers_[i].pid) {
                ++i;
                continue;
            }
            const int id = workers_[i].id;
            workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(i));
            send({ServerMessage::Kind::ended, id, status});
        }
    }

    [[noreturn]] void end() {
        for (const Worker& worker : workers_) {
            ::kill(worker.pid, SIGKILL);
        }
        ::_exit(0);
    }

    std::vector<Worker> workers_;
};

}  // namespace

void serve() noexcept {
    Server().run();
}

}  // namespace asyncio::detail
