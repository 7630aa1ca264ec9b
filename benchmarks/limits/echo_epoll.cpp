// echo_epoll.cpp - the least that a TCP echo server on epoll can do; the limit for echo servers.
//
//     echo_epoll PORT [lt|et]      PORT 0: the kernel chooses one. The port is printed on stdout.
//
// One thread, one buffer for all connections, no library and nothing on the heap per connection. A
// descriptor is registered once; what arrives is sent back straight away, and only what the kernel
// does not take is kept until it does.
//
//     lt   level-triggered: one recv per readiness; the interest changes only for a short send.
//     et   edge-triggered: one recv, and another one only if the buffer was filled. Reading on
//     until
//          EAGAIN, as many libraries do, would cost one more system call per message.
//
// Listens on 127.0.0.1 only and runs until it is killed.
//
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

/// What one connection owes its peer because the kernel did not take it yet.
struct Unsent {
    std::unique_ptr<char[]> bytes;
    std::size_t offset = 0;
    std::size_t size = 0;
};

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::exit(1);
}

class EchoServer {
public:
    EchoServer(int port, bool edge_triggered)
        : edge_triggered_(edge_triggered),
          unsent_(raise_descriptor_limit()),
          listener_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
          epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
        const int on = 1;
        ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
            ::listen(listener_, 4096) != 0) {
            fail("listen");
        }
        control(EPOLL_CTL_ADD, listener_, EPOLLIN);
    }

    int port() const {
        sockaddr_in address{};
        socklen_t size = sizeof address;
        if (::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
            fail("getsockname");
        }
        return ntohs(address.sin_port);
    }

    [[noreturn]] void serve() {
        std::array<epoll_event, 256> events;
        for (;;) {
            const int count =
                ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
            for (int i = 0; i < count; ++i) {
                const int fd = events[static_cast<std::size_t>(i)].data.fd;
                if (fd == listener_) {
                    accept_all();
                } else {
                    handle(fd, events[static_cast<std::size_t>(i)].events);
                }
            }
        }
    }

private:
    // Descriptors index the table of unsent bytes. The limit may be a thousand million where nobody
    // set one, hence the cap.
    static std::size_t raise_descriptor_limit() {
        rlimit limit{};
        ::getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 1 << 17);
        ::setrlimit(RLIMIT_NOFILE, &limit);
        return limit.rlim_cur;
    }

    void control(int action, int fd, std::uint32_t events) {
        epoll_event interest{};
        interest.events = events;
        interest.data.fd = fd;
        if (::epoll_ctl(epoll_, action, fd, &interest) != 0) {
            fail("epoll_ctl");
        }
    }

    void accept_all() {
        const std::uint32_t events =
            edge_triggered_ ? EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET : EPOLLIN;
        const int on = 1;
        for (;;) {
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) {
                return;
            }
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            control(EPOLL_CTL_ADD, fd, events);
        }
    }

    void handle(int fd, std::uint32_t events) {
        Unsent& unsent = unsent_[static_cast<std::size_t>(fd)];
        if (unsent.bytes != nullptr) {
            if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) == 0 || !send_rest(fd, unsent)) {
                return;
            }
        } else if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) {
            return;  // edge-triggered: writable, and nothing to write
        }
        // Data and end of stream may have come as one edge, and there will be no other.
        echo(fd, unsent, edge_triggered_ && (events & EPOLLRDHUP) != 0);
    }

    // True if everything is sent and the connection may be read again.
    bool send_rest(int fd, Unsent& unsent) {
        const ssize_t sent = ::send(fd, unsent.bytes.get() + unsent.offset,
                                    unsent.size - unsent.offset, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN) {
                drop(fd, unsent);
            }
            return false;
        }
        unsent.offset += static_cast<std::size_t>(sent);
        if (unsent.offset < unsent.size) {
            return false;
        }
        unsent = {};
        if (!edge_triggered_) {
            control(EPOLL_CTL_MOD, fd, EPOLLIN);
        }
        return true;
    }

    void echo(int fd, Unsent& unsent, bool until_end) {
        for (;;) {
            const ssize_t received = ::recv(fd, buffer_.data(), buffer_.size(), 0);
            if (received <= 0) {
                if (received == 0 || errno != EAGAIN) {
                    drop(fd, unsent);
                }
                return;
            }
            const auto size = static_cast<std::size_t>(received);
            const ssize_t result = ::send(fd, buffer_.data(), size, MSG_NOSIGNAL);
            if (result < 0 && errno != EAGAIN) {
                drop(fd, unsent);
                return;
            }
            const std::size_t sent = result < 0 ? 0 : static_cast<std::size_t>(result);
            if (sent < size) {
                keep(fd, unsent, buffer_.data() + sent, size - sent);
                return;
            }
            if (!until_end && (!edge_triggered_ || size < buffer_.size())) {
                return;
            }
        }
    }

    void keep(int fd, Unsent& unsent, const char* bytes, std::size_t size) {
        unsent = {std::make_unique<char[]>(size), 0, size};
        std::memcpy(unsent.bytes.get(), bytes, size);
        if (!edge_triggered_) {
            control(EPOLL_CTL_MOD, fd, EPOLLOUT);
        }
    }

    void drop(int fd, Unsent& unsent) {
        unsent = {};
        ::close(fd);
    }

    bool edge_triggered_;
    std::vector<Unsent> unsent_;  // by descriptor
    int listener_;
    int epoll_;
    // Aligned, because the kernel copies into and out of a page faster than across two.
    alignas(4096) std::array<char, 65536> buffer_;
};

}  // namespace

int main(int argc, char** argv) {
    const std::string_view mode = argc > 2 ? argv[2] : "lt";
    if (argc < 2 || (mode != "lt" && mode != "et")) {
        std::fprintf(stderr, "usage: echo_epoll PORT [lt|et]\n");
        return 2;
    }
    static EchoServer server(std::atoi(argv[1]), mode == "et");
    std::printf("%d\n", server.port());
    std::fflush(stdout);
    server.serve();
}
