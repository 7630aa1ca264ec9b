// blocking_io.cpp - what threads and processes wait with: the calls.
//
// SPDX-License-Identifier: MIT
#include "blocking_io.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace compare {
namespace {

/// What the call gave; throws if that is an error.
template <class Result>
Result checked(Result result, const char* call) {
    if (result < 0) {
        throw std::system_error(errno, std::generic_category(), call);
    }
    return result;
}

/// Calls `transfer(offset)`, which gives how many bytes it did, until there are `size`.
template <class Transfer>
void transfer_all(std::size_t size, const char* call, Transfer transfer) {
    for (std::size_t done = 0; done < size;) {
        const ssize_t moved = transfer(done);
        if (moved == 0) {
            throw std::runtime_error(std::string(call) + " found the end too early");
        }
        done += static_cast<std::size_t>(checked(moved, call));
    }
}

}  // namespace

Descriptor::Descriptor(int fd, const char* call) : fd_(checked(fd, call)) {}

Descriptor::~Descriptor() {
    ::close(fd_);
}

BlockingConnection::BlockingConnection(std::string_view name)
    : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket") {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (name.size() > sizeof address.sun_path) {
        throw std::length_error("the name of a Unix socket is too long");
    }
    std::copy(name.begin(), name.end(), address.sun_path);
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    checked(::connect(socket_.fd(), reinterpret_cast<const sockaddr*>(&address), length),
            "connect");
}

void BlockingConnection::write(std::string_view bytes) const {
    transfer_all(bytes.size(), "send", [&](std::size_t done) {
        return ::send(socket_.fd(), bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    });
}

void BlockingConnection::read(std::span<char> bytes) const {
    transfer_all(bytes.size(), "recv", [&](std::size_t done) {
        return ::recv(socket_.fd(), bytes.data() + done, bytes.size() - done, 0);
    });
}

BlockingFile::BlockingFile(const char* path) : file_(::open(path, O_RDONLY | O_CLOEXEC), "open") {}

void BlockingFile::read(std::span<char> bytes, std::int64_t offset) const {
    transfer_all(bytes.size(), "pread", [&](std::size_t done) {
        return ::pread(file_.fd(), bytes.data() + done, bytes.size() - done,
                       offset + static_cast<std::int64_t>(done));
    });
}

void sleep_blocking(double seconds) {
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

}  // namespace compare
