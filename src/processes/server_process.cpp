// server_process.cpp - starts the program again as the server of a pool, and talks to it.
//
// SPDX-License-Identifier: MIT
#include "server_process.hpp"

#include "modules.hpp"
#include "server.hpp"

#include <asyncio/detail/processes/function.hpp>
#include <asyncio/exceptions.hpp>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace asyncio::detail {

namespace {

std::string name_of_program() {
    std::array<char, 256> name{};
    const FileDescriptor file(::open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC));
    const ssize_t size = file ? ::read(file.fileno(), name.data(), name.size() - 1) : 0;
    return size > 0 ? name.data() : "program";
}

std::vector<std::string> environment_of_server() {
    std::vector<std::string> environment;
    // What catches it may be in a library that this program has loaded while it ran.
    const std::string module = locate(reinterpret_cast<AnyFunction>(&can_be_caught)).module;
    const std::size_t space = module.find(' ');
    std::string variable = std::string(server_variable) + '=' + std::to_string(::getpid());
    for (char** each = ::environ; *each != nullptr; ++each) {
        // What is no variable is of no use to anybody, and refused by spawn().
        if (std::string_view(*each).find('=', 1) != std::string_view::npos) {
            environment.emplace_back(*each);
        }
    }
    if (space != std::string::npos && module.find_first_of(" :", space + 1) == std::string::npos) {
        std::string preload = "LD_PRELOAD=" + module.substr(space + 1);
        variable += '/';
        if (const char* const before = std::getenv("LD_PRELOAD")) {
            preload += std::string(":") + before;
            variable += before;
        }
        std::erase_if(environment,
                      [](const auto& each) { return each.starts_with("LD_PRELOAD="); });
        environment.push_back(std::move(preload));
    }
    environment.push_back(std::move(variable));
    return environment;
}

}  // namespace

void ServerProcess::start() {
    if (!can_be_caught()) {
        throw RuntimeError("this program cannot be started again for worker processes");
    }
    std::array<int, 2> sockets{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets.data()) != 0) {
        raise_os_error(errno, "make the socket of a server process");
    }
    FileDescriptor ours(sockets[0]);
    const FileDescriptor its(sockets[1]);
    const FileDescriptor null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    SpawnRequest request;
    request.executable = "/proc/self/exe";
    request.arguments = {name_of_program()};
    request.environment = environment_of_server();
    request.fds = {{its.fileno(), server_socket}};
    if (null) {
        request.fds.push_back({null.fileno(), 0});
    }
    child_ = spawn(request);
    socket_ = std::move(ours);
}

int ServerProcess::stop() noexcept {
    if (!socket_) {
        return 0;
    }
    // It may be held by a child of this process as well.
    ::shutdown(socket_.fileno(), SHUT_RDWR);
    socket_.close();
    int status = 0;
    while (child_.reap(status) == ChildProcess::Reaped::running) {
        pollfd polled{child_.pidfd(), POLLIN, 0};
        constexpr int moment = 5;  // milliseconds, without a pidfd
        ::poll(&polled, 1, child_.pidfd() >= 0 ? -1 : moment);
    }
    if (child_.pidfd() >= 0) {
        ::close(child_.pidfd());
    }
    child_ = {};
    return status;
}

int ServerProcess::send(const ServerMessage& message, const PoolWorker* worker) noexcept {
    ServerMessage copy = message;
    iovec part{&copy, sizeof copy};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(2 * sizeof(int))> control{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (worker != nullptr) {
        const std::array<int, 2> descriptors{worker->socket_of_process(),
                                             worker->page_of_process()};
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        cmsghdr* const rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof descriptors);
        std::memcpy(CMSG_DATA(rights), descriptors.data(), sizeof descriptors);
    }
    ssize_t size = 0;
    do {
        size = ::sendmsg(socket_.fileno(), &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (size < 0 && errno == EINTR);
    return size < 0 ? errno : 0;
}

std::optional<ServerMessage> ServerProcess::receive(bool& ended) {
    std::array<char, 512> buffer;
    const ssize_t size = ::recv(socket_.fileno(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return std::nullopt;
    }
    ServerMessage message;
    if (size < static_cast<ssize_t>(sizeof message)) {
        ended = true;
        return std::nullopt;
    }
    std::memcpy(&message, buffer.data(), sizeof message);
    if (message.kind == ServerMessage::Kind::hello) {
        const std::string_view id(buffer.data() + sizeof message,
                                  static_cast<std::size_t>(size) - sizeof message);
        if (id != program_id()) {
            throw RuntimeError(
                "the program that was started for worker processes is another one: "
                "its build is " +
                std::string(id) + ", this one's " + program_id());
        }
    }
    return message;
}

}  // namespace asyncio::detail
