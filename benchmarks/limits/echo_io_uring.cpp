// echo_io_uring.cpp - the least that a TCP echo server on io_uring can do; the limit for those on
// it.
//
//     echo_io_uring PORT [MODE]    PORT 0: the kernel chooses one. The port is printed on stdout.
//
// One thread, completions made when they are asked for (SINGLE_ISSUER, DEFER_TASKRUN), one system
// call for each batch, a multishot accept. The modes are the ways to receive and send:
//
//     poll      A poll that stays armed tells of data; recv and send are system calls. What the
//               library does.
//     single    One entry receives into a buffer of the connection's, another one sends it back.
//     linked    The same, with the next receive linked behind the send: one turn less.
//     buffers   A receive that stays armed takes buffers from a ring that all connections share; an
//               entry sends each of them back, and then it is given back.
//
// What is not sent at once is waited for: by MSG_WAITALL, in mode poll by poll(2), with which
// nobody else is served meanwhile. Listens on 127.0.0.1 only and runs until it is killed. Needs
// Linux 6.1.
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
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

enum class Mode { poll, single, linked, buffers };

/// What a completion is of.
enum class Event : std::uint8_t { accepted, readable, received, sent, ended };

struct Tag {
    Event event;
    std::uint16_t buffer = 0;
    int fd = 0;

    [[nodiscard]] std::uint64_t packed() const {
        return std::uint64_t{static_cast<std::uint8_t>(event)} << 56 | std::uint64_t{buffer} << 32 |
               static_cast<std::uint32_t>(fd);
    }
    static Tag unpacked(std::uint64_t packed) {
        return {static_cast<Event>(packed >> 56), static_cast<std::uint16_t>(packed >> 32),
                static_cast<int>(packed & 0xffffffffU)};
    }
};

[[noreturn]] void fail(const char* what, int error) {
    std::fprintf(stderr, "%s: %s\n", what, std::strerror(error));
    std::exit(1);
}

int check(int result, const char* what) {
    if (result < 0) {
        fail(what, errno);
    }
    return result;
}

/// Aligned, because the kernel copies into and out of whole cache lines faster.
struct Memory {
    explicit Memory(std::size_t size)
        : bytes(static_cast<char*>(std::aligned_alloc(4096, size)), &std::free) {}
    std::unique_ptr<char, void (*)(void*)> bytes;
};

class EchoServer {
public:
    EchoServer(int port, Mode mode) : mode_(mode), own_(raise_descriptor_limit()) {
        io_uring_params parameters{};
        parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                           IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
        parameters.cq_entries = 16384;
        if (const int error = io_uring_queue_init_params(4096, &ring_, &parameters); error < 0) {
            fail("io_uring_setup", -error);
        }
        io_uring_register_ring_fd(&ring_);
        if (mode == Mode::buffers) {
            make_buffers();
        }
        listen(port);
    }

    int port() const {
        sockaddr_in address{};
        socklen_t size = sizeof address;
        check(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size),
              "getsockname");
        return ntohs(address.sin_port);
    }

    [[noreturn]] void serve() {
        accept();
        for (;;) {
            io_uring_submit_and_wait(&ring_, 1);
            unsigned head = 0;
            unsigned count = 0;
            io_uring_cqe* completion = nullptr;
            io_uring_for_each_cqe(&ring_, head, completion) {
                handle(*completion);
                ++count;
            }
            io_uring_cq_advance(&ring_, count);
        }
    }

private:
    static constexpr std::size_t buffer_size = 16384;
    // A small ring stays in the cache: the kernel hands out first what came back first.
    static constexpr unsigned buffers = 256;

    static std::size_t raise_descriptor_limit() {
        rlimit limit{};
        ::getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 1 << 17);
        ::setrlimit(RLIMIT_NOFILE, &limit);
        return limit.rlim_cur;
    }

    void listen(int port) {
        const int on = 1;
        listener_ = check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
        ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        check(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), "bind");
        check(::listen(listener_, 4096), "listen");
    }

    // io_uring_setup_buf_ring() came with liburing 2.4.
    void make_buffers() {
        buffer_ring_ = static_cast<io_uring_buf_ring*>(
            std::aligned_alloc(4096, std::max<std::size_t>(4096, buffers * sizeof(io_uring_buf))));
        io_uring_buf_reg request{};
        request.ring_addr = reinterpret_cast<std::uintptr_t>(buffer_ring_);
        request.ring_entries = buffers;
        if (const int error = io_uring_register_buf_ring(&ring_, &request, 0); error < 0) {
            fail("io_uring_register_buf_ring", -error);
        }
        io_uring_buf_ring_init(buffer_ring_);
        for (unsigned i = 0; i < buffers; ++i) {
            give_back(static_cast<std::uint16_t>(i));
        }
    }

    void give_back(std::uint16_t buffer) {
        io_uring_buf_ring_add(buffer_ring_, shared_buffer(buffer), buffer_size, buffer,
                              io_uring_buf_ring_mask(buffers), 0);
        io_uring_buf_ring_advance(buffer_ring_, 1);
        if (!starved_.empty()) {
            const int fd = starved_.back();
            starved_.pop_back();
            receive(fd);
        }
    }

    char* shared_buffer(std::uint16_t buffer) {
        return shared_.bytes.get() + std::size_t{buffer} * buffer_size;
    }
    char* own_buffer(int fd) {
        std::unique_ptr<Memory>& own = own_[static_cast<std::size_t>(fd)];
        if (own == nullptr) {
            own = std::make_unique<Memory>(buffer_size);
        }
        return own->bytes.get();
    }

    io_uring_sqe& entry(Tag tag) {
        io_uring_sqe* entry = io_uring_get_sqe(&ring_);
        if (entry == nullptr) {
            io_uring_submit(&ring_);
            entry = io_uring_get_sqe(&ring_);
        }
        // What fills it in clears this: see prepared().
        tag_ = tag.packed();
        return *entry;
    }
    io_uring_sqe& prepared(io_uring_sqe& entry) const {
        io_uring_sqe_set_data64(&entry, tag_);
        return entry;
    }

    void accept() {
        io_uring_sqe& next = entry({Event::accepted});
        io_uring_prep_multishot_accept(&next, listener_, nullptr, nullptr,
                                       mode_ == Mode::poll ? SOCK_NONBLOCK : 0);
        prepared(next);
    }

    void receive(int fd) {
        io_uring_sqe& next = entry({Event::received, 0, fd});
        if (mode_ == Mode::buffers) {
            io_uring_prep_recv_multishot(&next, fd, nullptr, 0, 0);
            next.flags |= IOSQE_BUFFER_SELECT;
        } else {
            io_uring_prep_recv(&next, fd, own_buffer(fd), buffer_size, 0);
        }
        prepared(next);
    }

    io_uring_sqe& send(int fd, const char* bytes, std::size_t size, std::uint16_t buffer) {
        io_uring_sqe& next = entry({Event::sent, buffer, fd});
        io_uring_prep_send(&next, fd, bytes, size, MSG_NOSIGNAL | MSG_WAITALL);
        return prepared(next);
    }

    void handle(const io_uring_cqe& completion) {
        const Tag tag = Tag::unpacked(completion.user_data);
        const int result = completion.res;
        const bool more = (completion.flags & IORING_CQE_F_MORE) != 0;
        switch (tag.event) {
            case Event::accepted:
                if (!more) {
                    accept();
                }
                if (result >= 0) {
                    serve_connection(result);
                }
                break;
            case Event::readable:
                echo(tag.fd);
                break;
            case Event::received:
                received(tag.fd, result, completion.flags);
                break;
            case Event::sent:
                if (mode_ == Mode::buffers) {
                    give_back(tag.buffer);
                } else if (mode_ == Mode::single && result > 0) {
                    receive(tag.fd);
                }
                break;
            case Event::ended:
                break;
        }
    }

    void serve_connection(int fd) {
        const int on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (mode_ != Mode::poll) {
            receive(fd);
            return;
        }
        io_uring_sqe& next = entry({Event::readable, 0, fd});
        io_uring_prep_poll_multishot(&next, fd, POLLIN | POLLRDHUP);
        prepared(next);
    }

    void echo(int fd) {
        const ssize_t size = ::recv(fd, scratch_.bytes.get(), scratch_size, 0);
        if (size < 0 && errno == EAGAIN) {
            return;
        }
        if (size <= 0) {
            io_uring_sqe& next = entry({Event::ended});
            io_uring_prep_cancel64(&next, Tag{Event::readable, 0, fd}.packed(), 0);
            prepared(next);
            io_uring_submit(&ring_);
            ::close(fd);
            return;
        }
        const char* rest = scratch_.bytes.get();
        for (auto left = static_cast<std::size_t>(size); left > 0;) {
            const ssize_t sent = ::send(fd, rest, left, MSG_NOSIGNAL);
            if (sent > 0) {
                rest += sent;
                left -= static_cast<std::size_t>(sent);
            } else if (errno == EAGAIN) {
                pollfd wait{fd, POLLOUT, 0};
                ::poll(&wait, 1, -1);
            } else {
                break;
            }
        }
    }

    void received(int fd, int result, unsigned flags) {
        if (result == -ENOBUFS) {
            starved_.push_back(fd);
            return;
        }
        if (result <= 0) {
            ::close(fd);
            return;
        }
        const auto size = static_cast<std::size_t>(result);
        if (mode_ == Mode::buffers) {
            const auto buffer = static_cast<std::uint16_t>(flags >> IORING_CQE_BUFFER_SHIFT);
            send(fd, shared_buffer(buffer), size, buffer);
            if ((flags & IORING_CQE_F_MORE) == 0) {
                receive(fd);
            }
        } else if (mode_ == Mode::linked) {
            send(fd, own_buffer(fd), size, 0).flags |= IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
            receive(fd);
        } else {
            send(fd, own_buffer(fd), size, 0);
        }
    }

    static constexpr std::size_t scratch_size = 65536;

    Mode mode_;
    std::vector<std::unique_ptr<Memory>> own_;  // by descriptor: of modes single and linked
    Memory scratch_{scratch_size};
    Memory shared_{buffers * buffer_size};
    io_uring_buf_ring* buffer_ring_ = nullptr;
    std::vector<int> starved_;  // descriptors for which there was no buffer
    io_uring ring_{};
    std::uint64_t tag_ = 0;  // of the entry that is being filled in
    int listener_ = -1;
};

}  // namespace

int main(int argc, char** argv) {
    const std::string_view name = argc > 2 ? argv[2] : "poll";
    constexpr std::array<std::string_view, 4> names = {"poll", "single", "linked", "buffers"};
    const auto* const mode = std::find(names.begin(), names.end(), name);
    if (argc < 2 || mode == names.end()) {
        std::fprintf(stderr, "usage: echo_io_uring PORT [poll|single|linked|buffers]\n");
        return 2;
    }
    static EchoServer server(std::atoi(argv[1]), static_cast<Mode>(mode - names.begin()));
    std::printf("%d\n", server.port());
    std::fflush(stdout);
    server.serve();
}
