// load.cpp - a client for echo servers: measures a request, or holds idle connections.
//
//     load -p PORT [-c CONNECTIONS] [-s BYTES] [-f BYTES] [-d SECONDS] [-w SECONDS] [-P PID] [-B]
//     load idle N -p PORT [-s BYTES]
//
// The first form is a closed loop: each connection sends one message, waits for the whole echo, and
// only then sends the next. With -f the message is a stream of pieces of so many bytes, each sent
// by a system call of its own. It warms up for -w seconds, measures for -d seconds and prints one
// line of `key=value`. With -P it reads the CPU clock of that process (the server, all its threads)
// at both ends of the measured window, so `server_us`, CPU microseconds per request, is exact. -B
// polls instead of sleeping, to keep the cost of its own wake-ups out of the latency.
//
// The second form opens N connections, has one message echoed on each, prints `ready`, and keeps
// them open until its standard input ends; meanwhile a script looks at the server's memory.
//
// Every byte that comes back is compared. The bytes differ between connections and between
// consecutive messages, so that an echo on the wrong connection or of an old message is found too.
//
// Connects to 127.0.0.1 only. Exit status: 0 if every echo was right, 1 if one was wrong, 2 for
// a failed system call or wrong usage, 3 if the server stalls or hangs up.
//
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "../support/measure.hpp"

namespace {

using bench::cpu_ns;
using bench::wall_ns;

enum ExitStatus { wrong_echo = 1, system_error = 2, server_gone = 3 };

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::exit(system_error);
}

[[noreturn]] void quit(ExitStatus status, const char* what) {
    std::fprintf(stderr, "%s\n", what);
    std::exit(status);
}

struct Options {
    int port = 0;
    int connections = 1;
    std::size_t size = 64;
    std::size_t piece = 0;  // 0: as much as the kernel takes
    double seconds = 2;
    double warm_up = 0.3;
    int server = 0;
    bool busy = false;
    int idle = 0;
};

/// Where the bytes of all messages come from: a message is a window of `size` random bytes, at an
/// offset that depends on the connection and moves with each message.
class Pattern {
public:
    explicit Pattern(std::size_t size) : bytes_(size + offsets) {
        bench::Random random;
        std::ranges::generate(bytes_, [&random] { return static_cast<char>(random() >> 32); });
    }

    const char* message(std::size_t connection, std::uint64_t number) const {
        return bytes_.data() + (connection * 61 + number * 17) % offsets;
    }

private:
    static constexpr std::size_t offsets = 4099;  // prime, so that the steps visit all of them
    std::vector<char> bytes_;
};

int connect_to(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fail("socket");
    }
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        fail("connect");
    }
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

// ---- the closed loop

/// Latencies in buckets of 1/32 of a power of two: 3 % exact, and never grows.
class Histogram {
public:
    void add(std::uint64_t nanoseconds) {
        const int shift = std::bit_width(nanoseconds | 32U) - 6;
        const auto bucket = static_cast<std::size_t>(shift) * 32 + ((nanoseconds >> shift) & 31U);
        ++counts_[bucket];
        ++total_;
    }

    double quantile_us(double quantile) const {
        const auto wanted = static_cast<std::uint64_t>(static_cast<double>(total_) * quantile);
        std::uint64_t seen = 0;
        for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
            seen += counts_[bucket];
            if (seen > wanted) {
                return static_cast<double>((32 + bucket % 32) << (bucket / 32)) / 1000.0;
            }
        }
        return 0;
    }

private:
    std::array<std::uint64_t, 59 * 32> counts_{};
    std::uint64_t total_ = 0;
};

/// CPU time that another process has used.
class ProcessClock {
public:
    explicit ProcessClock(int pid) : known_(pid != 0) {
        if (known_ && ::clock_getcpuclockid(pid, &clock_) != 0) {
            quit(system_error, "there is no process with the number given by -P");
        }
    }
    std::uint64_t now() const { return known_ ? bench::read_clock(clock_) : 0; }

private:
    bool known_;
    clockid_t clock_{};
};

struct Connection {
    int fd = -1;
    std::size_t number = 0;
    std::uint64_t messages = 0;
    const char* message = nullptr;
    std::size_t unsent = 0;
    std::size_t awaited = 0;
    bool waits_to_send = false;
    std::uint64_t started = 0;
};

class ClosedLoop {
public:
    explicit ClosedLoop(const Options& options)
        : options_(options),
          pattern_(options.size),
          server_clock_(options.server),
          buffer_(options.size),
          connections_(static_cast<std::size_t>(options.connections)),
          epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

    void run() {
        open_connections();
        const std::uint64_t begin = wall_ns() + nanoseconds(options_.warm_up);
        run_until(begin);
        measuring_ = true;
        const Snapshot first = snapshot();
        run_until(begin + nanoseconds(options_.seconds));
        print(first, snapshot());
    }

private:
    struct Snapshot {
        std::uint64_t wall;
        std::uint64_t server_cpu;
        std::uint64_t own_cpu;
        std::uint64_t requests;
    };

    static std::uint64_t nanoseconds(double seconds) {
        return static_cast<std::uint64_t>(seconds * 1e9);
    }

    Snapshot snapshot() const { return {wall_ns(), server_clock_.now(), cpu_ns(), requests_}; }

    void open_connections() {
        for (std::size_t i = 0; i < connections_.size(); ++i) {
            Connection& connection = connections_[i];
            connection.number = i;
            connection.fd = connect_to(options_.port);
            ::fcntl(connection.fd, F_SETFL, O_NONBLOCK);
            control(EPOLL_CTL_ADD, connection, EPOLLIN);
        }
        for (Connection& connection : connections_) {
            send_next(connection);
        }
    }

    void control(int action, Connection& connection, std::uint32_t events) {
        epoll_event interest{};
        interest.events = events;
        interest.data.ptr = &connection;
        if (::epoll_ctl(epoll_, action, connection.fd, &interest) != 0) {
            fail("epoll_ctl");
        }
    }

    void run_until(std::uint64_t end) {
        constexpr std::uint64_t stalled = 5'000'000'000;
        std::array<epoll_event, 256> events;
        std::uint64_t last_event = wall_ns();
        for (std::uint64_t now = last_event; now < end; now = wall_ns()) {
            const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                                           options_.busy ? 0 : 100);
            if (count < 0 && errno != EINTR) {
                fail("epoll_wait");
            }
            for (int i = 0; i < count; ++i) {
                handle(events[static_cast<std::size_t>(i)]);
            }
            if (count > 0) {
                last_event = now;
            } else if (now - last_event > stalled) {
                quit(server_gone, "stalled: no echo for five seconds");
            }
        }
    }

    void handle(const epoll_event& event) {
        Connection& connection = *static_cast<Connection*>(event.data.ptr);
        if ((event.events & EPOLLOUT) != 0) {
            send_rest(connection);
        }
        if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
            receive(connection);
        }
    }

    void send_next(Connection& connection) {
        connection.message = pattern_.message(connection.number, connection.messages++);
        connection.unsent = connection.awaited = options_.size;
        connection.started = wall_ns();
        send_rest(connection);
    }

    void send_rest(Connection& connection) {
        while (connection.unsent > 0) {
            const std::size_t size = options_.piece == 0
                                         ? connection.unsent
                                         : std::min(options_.piece, connection.unsent);
            const ssize_t sent =
                ::send(connection.fd, connection.message + (options_.size - connection.unsent),
                       size, MSG_NOSIGNAL);
            if (sent < 0) {
                if (errno != EAGAIN) {
                    fail("send");
                }
                break;
            }
            connection.unsent -= static_cast<std::size_t>(sent);
        }
        const bool wait_to_send = connection.unsent > 0;
        if (wait_to_send != connection.waits_to_send) {
            connection.waits_to_send = wait_to_send;
            control(EPOLL_CTL_MOD, connection, wait_to_send ? EPOLLIN | EPOLLOUT : EPOLLIN);
        }
    }

    void receive(Connection& connection) {
        const ssize_t result = ::recv(connection.fd, buffer_.data(), buffer_.size(), 0);
        if (result < 0) {
            if (errno == EAGAIN) {
                return;
            }
            fail("recv");
        }
        if (result == 0) {
            quit(server_gone, "the server closed a connection");
        }
        const auto size = static_cast<std::size_t>(result);
        const char* expected = connection.message + (options_.size - connection.awaited);
        if (size > connection.awaited || std::memcmp(buffer_.data(), expected, size) != 0) {
            quit(wrong_echo, "an echo differs from what was sent");
        }
        connection.awaited -= size;
        if (connection.awaited == 0) {
            ++requests_;
            if (measuring_) {
                latency_.add(wall_ns() - connection.started);
            }
            send_next(connection);
        }
    }

    void print(const Snapshot& first, const Snapshot& last) const {
        const std::uint64_t requests = last.requests - first.requests;
        if (requests == 0) {
            quit(server_gone, "no request was answered in the measured time");
        }
        const auto count = static_cast<double>(requests);
        const auto wall = static_cast<double>(last.wall - first.wall);
        const auto server = static_cast<double>(last.server_cpu - first.server_cpu);
        const auto own = static_cast<double>(last.own_cpu - first.own_cpu);
        std::printf(
            "connections=%d size=%zu seconds=%.3f requests=%llu requests_per_second=%.0f "
            "server_us=%.3f server_load=%.2f client_us=%.3f p50_us=%.1f p99_us=%.1f\n",
            options_.connections, options_.size, wall / 1e9,
            static_cast<unsigned long long>(requests), count * 1e9 / wall, server / 1e3 / count,
            server / wall, own / 1e3 / count, latency_.quantile_us(0.5),
            latency_.quantile_us(0.99));
    }

    Options options_;
    Pattern pattern_;
    ProcessClock server_clock_;
    std::vector<char> buffer_;
    std::vector<Connection> connections_;
    int epoll_;
    Histogram latency_;
    std::uint64_t requests_ = 0;
    bool measuring_ = false;
};

// ---- idle connections

void echo_once(int fd, const char* message, std::size_t size) {
    if (::send(fd, message, size, MSG_NOSIGNAL) != static_cast<ssize_t>(size)) {
        fail("send");
    }
    std::vector<char> answer(size);
    for (std::size_t received = 0; received < size;) {
        const ssize_t result = ::recv(fd, answer.data() + received, size - received, 0);
        if (result < 0) {
            fail("recv");
        }
        if (result == 0) {
            quit(server_gone, "the server closed a connection");
        }
        received += static_cast<std::size_t>(result);
    }
    if (std::memcmp(answer.data(), message, size) != 0) {
        quit(wrong_echo, "an echo differs from what was sent");
    }
}

void hold_idle(const Options& options) {
    const Pattern pattern(options.size);
    for (int i = 0; i < options.idle; ++i) {
        const int fd = connect_to(options.port);
        const timeval patience{5, 0};  // a server that does not answer must not hang the script
        ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        echo_once(fd, pattern.message(static_cast<std::size_t>(i), 0), options.size);
    }
    std::puts("ready");
    std::fflush(stdout);
    while (std::getchar() != EOF) {}
}

Options parse(int argc, char** argv) {
    Options options;
    if (argc > 2 && std::string_view(argv[1]) == "idle") {
        options.idle = std::atoi(argv[2]);
        optind = 3;
    }
    for (int option; (option = ::getopt(argc, argv, "p:c:s:f:d:w:P:B")) != -1;) {
        switch (option) {
            case 'p':
                options.port = std::atoi(optarg);
                break;
            case 'c':
                options.connections = std::atoi(optarg);
                break;
            case 's':
                options.size = std::strtoul(optarg, nullptr, 10);
                break;
            case 'f':
                options.piece = std::strtoul(optarg, nullptr, 10);
                break;
            case 'd':
                options.seconds = std::atof(optarg);
                break;
            case 'w':
                options.warm_up = std::atof(optarg);
                break;
            case 'P':
                options.server = std::atoi(optarg);
                break;
            case 'B':
                options.busy = true;
                break;
            default:
                std::exit(system_error);
        }
    }
    if (options.port <= 0 || options.connections <= 0 || options.size == 0 || options.idle < 0 ||
        optind != argc) {
        quit(system_error,
             "usage: load [idle N] -p PORT [-c CONNECTIONS] [-s BYTES] [-f BYTES] "
             "[-d SECONDS] [-w SECONDS] [-P PID] [-B]");
    }
    return options;
}

void raise_descriptor_limit() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
    const Options options = parse(argc, argv);
    raise_descriptor_limit();
    if (options.idle > 0) {
        hold_idle(options);
    } else {
        ClosedLoop(options).run();
    }
    return 0;
}
