// isolated.cpp - a measurement in a process of its own: fork, a pipe, a limit, and the end.
//
// SPDX-License-Identifier: MIT
#include "isolated.hpp"

#include "unit_process.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace compare {
namespace {

using Clock = std::chrono::steady_clock;

enum class Kind : std::uint64_t { values, error };

/// What is in front of the values, or of the text of an error.
struct Header {
    Kind kind = Kind::error;
    std::uint64_t bytes = 0;
};

void send(int fd, Kind kind, std::string_view bytes) {
    const Header header{kind, bytes.size()};
    std::string message(reinterpret_cast<const char*>(&header), sizeof header);
    message += bytes;
    std::string_view rest = message;
    while (!rest.empty()) {
        const ssize_t written = ::write(fd, rest.data(), rest.size());
        if (written < 0 && errno != EINTR) {
            return;  // nobody is there to be told
        }
        rest.remove_prefix(static_cast<std::size_t>(written < 0 ? 0 : written));
    }
}

/// The child's whole life, from its birth to the end of the measurement.
void measure_and_send(const std::function<Values()>& measure, int fd) {
    try {
        const Values values = measure();
        send(fd, Kind::values,
             {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double)});
    } catch (const std::exception& error) {
        send(fd, Kind::error, error.what());
    } catch (...) {
        send(fd, Kind::error, "an exception without a text");
    }
}

std::optional<Header> header_of(std::string_view message) {
    Header header;
    if (message.size() < sizeof header) {
        return std::nullopt;
    }
    std::memcpy(&header, message.data(), sizeof header);
    return header;
}

/// What the child sends, whole. (The end of the pipe does not tell: processes that the child has
/// started have it, too.)
std::string receive(int fd, std::chrono::milliseconds limit) {
    const Clock::time_point deadline = Clock::now() + limit;
    std::string message;
    std::array<char, 4096> buffer;
    while (true) {
        const std::optional<Header> header = header_of(message);
        if (header && message.size() >= sizeof(Header) + header->bytes) {
            return message;
        }
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
        pollfd readable{fd, POLLIN, 0};
        if (left.count() <= 0) {
            throw std::runtime_error("not done after " + std::to_string(limit.count()) + " ms");
        }
        const int ready = ::poll(&readable, 1, static_cast<int>(left.count()));
        const ssize_t got = ready > 0 ? ::read(fd, buffer.data(), buffer.size()) : -1;
        if (got == 0) {
            throw std::runtime_error("its process has ended without a result");
        }
        message.append(buffer.data(), static_cast<std::size_t>(got < 0 ? 0 : got));
    }
}

Values values_of(std::string_view message) {
    const std::string_view bytes = message.substr(sizeof(Header));
    if (header_of(message)->kind == Kind::error) {
        throw std::runtime_error(std::string(bytes));
    }
    Values values(bytes.size() / sizeof(double));
    if (!values.empty()) {
        std::memcpy(values.data(), bytes.data(), values.size() * sizeof(double));
    }
    return values;
}

}  // namespace

Values isolated(const std::function<Values()>& measure, std::chrono::milliseconds limit) {
    Pipe pipe;
    const UnitProcess child([&] {
        ::setpgid(0, 0);  // a group of its own, which its children belong to
        measure_and_send(measure, pipe.write_end());
    });
    pipe.close_write_end();
    ::setpgid(child.pid(), child.pid());  // here as well, for whoever is first

    /// All of the group; what becomes of the child itself is UnitProcess's matter.
    struct KillGroup {
        pid_t group;
        ~KillGroup() { ::kill(-group, SIGKILL); }
    } const at_the_end{child.pid()};

    return values_of(receive(pipe.read_end(), limit));
}

}  // namespace compare
