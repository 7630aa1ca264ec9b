// sockets.cpp - sockets of a loop, their addresses, and looking up names.
//
// SPDX-License-Identifier: MIT
#include <asyncio/sockets.hpp>

#include <asyncio/detail/config.hpp>
#include <asyncio/threads.hpp>

#include "sockets.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace asyncio {

using lowlevel::Opcode;
using lowlevel::Operation;
using lowlevel::SocketAddress;

static_assert(sizeof(SocketAddress::storage) >= sizeof(sockaddr_storage));

// Of operations that are called or attempted: these run no callback.
static void run_nothing(lowlevel::Callback&) {}

// ------------------------------------------------------------------------------------ LoopIO

namespace detail {

namespace {

// Few: one for each loop that does input and output.
struct LoopIOs {
    std::mutex mutex;
    std::vector<LoopIO*> all;
};

LoopIOs& loop_ios() {
    static LoopIOs& instance = *new LoopIOs;  // never destroyed: loops may be statics
    return instance;
}

}  // namespace

/// The function of the timer that is never due.
class LoopIO::End {
public:
    explicit End(LoopIO& io) noexcept : io_(&io) {}
    End(End&& other) noexcept : io_(std::exchange(other.io_, nullptr)) {}
    End& operator=(End&&) = delete;
    ~End() {
        if (io_ != nullptr) {
            io_->end();
        }
    }
    void operator()() const noexcept {}

private:
    LoopIO* io_;
};

LoopIO& LoopIO::of(EventLoop& loop) {
    loop.check_usable();
    {
        const std::lock_guard lock(loop_ios().mutex);
        for (LoopIO* const io : loop_ios().all) {
            if (io->loop_ == &loop) {
                return *io;
            }
        }
        loop_ios().all.reserve(loop_ios().all.size() + 1);
    }
    auto* const io = new LoopIO(loop);
    loop.call_at(TimePoint::max(), End(*io));
    const std::lock_guard lock(loop_ios().mutex);
    loop_ios().all.push_back(io);
    return *io;
}

void LoopIO::end() noexcept {
    {
        const std::lock_guard lock(loop_ios().mutex);
        std::erase(loop_ios().all, this);
    }
    while (!resources_.empty()) {
        resources_.pop_front().loop_closed();
    }
    loop_ = nullptr;
    scratch_.reset();
    release();
}

void LoopIO::FreeScratch::operator()(char* memory) const noexcept {
    ::operator delete(memory, std::align_val_t(4096));
}

// Aligned to a page: the kernel copies faster into whole cache lines. Only what is used of it is
// ever backed by memory.
char* LoopIO::scratch() {
    if (scratch_ == nullptr) {
        scratch_.reset(static_cast<char*>(::operator new(scratch_size, std::align_val_t(4096))));
    }
    return scratch_.get();
}

void LoopIO::close(int fd) noexcept {
    if (loop_ != nullptr) {
        Operation operation(&run_nothing, Opcode::close, fd);
        loop_->call(operation);
    } else {
        ::close(fd);
    }
}

std::exception_ptr make_os_error(int error_number, const std::string& doing) {
    try {
        raise_os_error(error_number, doing);
    } catch (...) {
        return std::current_exception();
    }
}

std::string python_text(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const OSError& e) {
        if (e.error_number() == 0) {
            return e.doing();
        }
        return "[Errno " + std::to_string(e.error_number()) + "] " +
               (e.doing().empty() ? std::strerror(e.error_number()) : e.doing());
    } catch (const std::exception& e) {
        return e.what();
    } catch (...) {
        return describe(error);
    }
}

}  // namespace detail

// ----------------------------------------------------------------------------------- Address

template <class T>
static T get_raw(const SocketAddress& raw) noexcept {
    T result{};
    std::memcpy(&result, raw.storage, std::min<std::size_t>(raw.size, sizeof result));
    return result;
}

template <class T>
static SocketAddress make_raw(const T& value) noexcept {
    SocketAddress raw;
    std::memcpy(raw.storage, &value, sizeof value);
    raw.size = sizeof value;
    return raw;
}

static int system_family(AddressFamily family) noexcept {
    switch (family) {
        case AddressFamily::ipv4:
            return AF_INET;
        case AddressFamily::ipv6:
            return AF_INET6;
        case AddressFamily::unix_:
            return AF_UNIX;
        default:
            return AF_UNSPEC;
    }
}

static AddressFamily family_of(int family) noexcept {
    switch (family) {
        case AF_INET:
            return AddressFamily::ipv4;
        case AF_INET6:
            return AddressFamily::ipv6;
        case AF_UNIX:
            return AddressFamily::unix_;
        case AF_UNSPEC:
            return AddressFamily::unspecified;
        default:
            return AddressFamily::other;
    }
}

static int system_type(SocketType type) noexcept {
    switch (type) {
        case SocketType::stream:
            return SOCK_STREAM;
        case SocketType::datagram:
            return SOCK_DGRAM;
        default:
            return 0;
    }
}

static SocketType type_of(int type) noexcept {
    switch (type) {
        case SOCK_STREAM:
            return SocketType::stream;
        case SOCK_DGRAM:
            return SocketType::datagram;
        default:
            return SocketType::other;
    }
}

// A number, or the name of an interface; 0 if it is neither.
static std::uint32_t scope_from(const std::string& zone) noexcept {
    if (!zone.empty() && zone.size() < 10 &&
        zone.find_first_not_of("0123456789") == std::string::npos) {
        return static_cast<std::uint32_t>(std::stoul(zone));
    }
    return ::if_nametoindex(zone.c_str());
}

std::optional<Address> Address::parse(std::string_view host, int port) {
    if (port < 0 || port > 65535 || host.find('\0') != std::string_view::npos) {
        return std::nullopt;
    }
    const auto network_port = htons(static_cast<std::uint16_t>(port));
    sockaddr_in v4{};
    if (::inet_pton(AF_INET, std::string(host).c_str(), &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        v4.sin_port = network_port;
        return Address(make_raw(v4));
    }
    sockaddr_in6 v6{};
    const std::size_t percent = host.find('%');
    if (percent != std::string_view::npos) {
        v6.sin6_scope_id = scope_from(std::string(host.substr(percent + 1)));
        if (v6.sin6_scope_id == 0) {
            return std::nullopt;
        }
    }
    if (::inet_pton(AF_INET6, std::string(host.substr(0, percent)).c_str(), &v6.sin6_addr) == 1) {
        v6.sin6_family = AF_INET6;
        v6.sin6_port = network_port;
        return Address(make_raw(v6));
    }
    return std::nullopt;
}

std::optional<Address> Address::parse(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string port(text.substr(colon + 1));
    if (port.empty() || port.size() > 5 ||
        port.find_first_not_of("0123456789") != std::string::npos) {
        return std::nullopt;
    }
    std::string_view host = text.substr(0, colon);
    const bool brackets = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (brackets) {
        host = host.substr(1, host.size() - 2);
    }
    // An IPv6 address without them would be ambiguous.
    if (brackets != (host.find(':') != std::string_view::npos)) {
        return std::nullopt;
    }
    return parse(host, std::stoi(port));
}

Address::Address(std::string_view host, int port) {
    if (port < 0 || port > 65535) {
        detail::raise_value_error("port must be 0-65535.");
    }
    const std::optional<Address> parsed = parse(host, port);
    if (!parsed.has_value()) {
        const std::string text = "not a numeric address: " + std::string(host);
        detail::raise_value_error(text.c_str());
    }
    raw_ = parsed->raw_;
}

AddressFamily Address::family() const noexcept {
    if (raw_.size < sizeof(sa_family_t)) {
        return AddressFamily::unspecified;
    }
    return family_of(get_raw<sockaddr_storage>(raw_).ss_family);
}

int Address::port() const noexcept {
    switch (family()) {
        case AddressFamily::ipv4:
            return ntohs(get_raw<sockaddr_in>(raw_).sin_port);
        case AddressFamily::ipv6:
            return ntohs(get_raw<sockaddr_in6>(raw_).sin6_port);
        default:
            return 0;
    }
}

static std::string unix_path(const SocketAddress& raw) {
    const std::size_t begin = offsetof(sockaddr_un, sun_path);
    if (raw.size <= begin) {
        return {};
    }
    std::string path(reinterpret_cast<const char*>(raw.storage) + begin, raw.size - begin);
    if (path[0] != '\0') {  // otherwise an abstract name, in which zeros count
        path.resize(std::strlen(path.c_str()));
    }
    return path;
}

std::string Address::host() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    switch (family()) {
        case AddressFamily::ipv4: {
            const auto v4 = get_raw<sockaddr_in>(raw_);
            ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
            return text.data();
        }
        case AddressFamily::ipv6: {
            const auto v6 = get_raw<sockaddr_in6>(raw_);
            ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
            std::string host = text.data();
            if (v6.sin6_scope_id != 0) {
                host += "%" + std::to_string(v6.sin6_scope_id);
            }
            return host;
        }
        case AddressFamily::unix_:
            return unix_path(raw_);
        default:
            return {};
    }
}

std::string Address::to_string() const {
    switch (family()) {
        case AddressFamily::ipv4:
            return host() + ":" + std::to_string(port());
        case AddressFamily::ipv6:
            return "[" + host() + "]:" + std::to_string(port());
        default:
            return host();
    }
}

bool operator==(const Address& a, const Address& b) noexcept {
    return a.raw_.size == b.raw_.size &&
           std::memcmp(a.raw_.storage, b.raw_.storage, a.raw_.size) == 0;
}

std::string detail::python_address(const Address& address) {
    switch (address.family()) {
        case AddressFamily::ipv4:
            return "('" + address.host() + "', " + std::to_string(address.port()) + ")";
        case AddressFamily::ipv6: {
            const auto v6 = get_raw<sockaddr_in6>(address.raw());
            return "('" + address.host() + "', " + std::to_string(address.port()) + ", " +
                   std::to_string(ntohl(v6.sin6_flowinfo)) + ", " +
                   std::to_string(v6.sin6_scope_id) + ")";
        }
        default:
            return "'" + address.host() + "'";
    }
}

// -------------------------------------------------------------------------------- SocketBase

namespace detail {

SocketBase::SocketBase(LoopIO* io, int fd) noexcept : io_(io), fd_(fd) {
    io_->retain();
}

SocketBase::SocketBase(const SocketBase& other) noexcept : io_(other.io_), fd_(other.fd_) {
    if (io_ != nullptr) {
        io_->retain();
    }
}

SocketBase::~SocketBase() {
    if (io_ != nullptr) {
        io_->release();
    }
}

EventLoop& SocketBase::get_loop() const {
    if (io_ == nullptr) {
        raise_os_error(EBADF, "no socket");
    }
    if (io_->loop() == nullptr) {
        raise_runtime_error("Event loop is closed");
    }
    return *io_->loop();
}

std::int64_t SocketBase::call(Operation& operation) const {
    return get_loop().call(operation);
}

static void check(std::int64_t result, const char* doing) {
    if (result < 0) {
        raise_os_error(static_cast<int>(-result), doing);
    }
}

Address SocketBase::getsockname() const {
    Operation operation(&run_nothing, Opcode::socket_name, fd_);
    SocketAddress raw;
    operation.address = &raw;
    check(call(operation), "getsockname");
    return Address(raw);
}

Address SocketBase::getpeername() const {
    Operation operation(&run_nothing, Opcode::peer_name, fd_);
    SocketAddress raw;
    operation.address = &raw;
    check(call(operation), "getpeername");
    return Address(raw);
}

int SocketBase::getsockopt(int level, int option) const {
    int value = 0;
    Operation operation(&run_nothing, Opcode::get_option, fd_);
    operation.argument = level;
    operation.argument2 = option;
    operation.data = &value;
    check(call(operation), "getsockopt");
    return value;
}

void SocketBase::setsockopt(int level, int option, int value) const {
    Operation operation(&run_nothing, Opcode::set_option, fd_);
    operation.argument = level;
    operation.argument2 = option;
    operation.data = &value;
    check(call(operation), "setsockopt");
}

void SocketBase::shutdown(int how) const {
    Operation operation(&run_nothing, Opcode::shutdown, fd_);
    operation.argument = how;
    check(call(operation), "shutdown");
}

AddressFamily SocketBase::family() const {
    return family_of(getsockopt(SOL_SOCKET, SO_DOMAIN));
}
SocketType SocketBase::type() const {
    return type_of(getsockopt(SOL_SOCKET, SO_TYPE));
}
int SocketBase::proto() const {
    return getsockopt(SOL_SOCKET, SO_PROTOCOL);
}

}  // namespace detail

// ------------------------------------------------------------------------------------ Socket

static int make_socket(EventLoop& loop, AddressFamily family, SocketType type) {
    Operation operation(&run_nothing, Opcode::socket, -1);
    operation.argument = system_family(family);
    operation.argument2 = system_type(type);
    const std::int64_t fd = loop.call(operation);
    detail::check(fd, "socket");
    return static_cast<int>(fd);
}

static int take_over(int fd) {
    const int flags = ::fcntl(fd, F_GETFL);
    const int descriptor_flags = ::fcntl(fd, F_GETFD);
    if (flags < 0 || descriptor_flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        ::fcntl(fd, F_SETFD, descriptor_flags | FD_CLOEXEC) < 0) {
        detail::raise_os_error(errno, "fcntl");
    }
    return fd;
}

Socket::Socket(AddressFamily family, SocketType type)
    : SocketBase(&detail::LoopIO::of(get_running_loop()),
                 make_socket(get_running_loop(), family, type)) {}

Socket::Socket(int fd) : SocketBase(&detail::LoopIO::of(get_running_loop()), take_over(fd)) {}

// An operation that is still in the loop's list of those to be started would meet whatever has this
// number by then. Cancelled, it completes as those do that the proactor knows.
void Socket::end_operations() noexcept {
    if (io_->loop() == nullptr) {
        return;
    }
    for (detail::SocketOperation& waiting : io_->operations()) {
        if (waiting.operation().fd == fd_) {
            io_->loop()->cancel(waiting.operation());
        }
    }
}

void Socket::close() noexcept {
    if (fd_ >= 0) {
        end_operations();
        io_->close(std::exchange(fd_, -1));
    }
}

int Socket::detach() noexcept {
    if (fd_ >= 0) {
        end_operations();
        if (io_->loop() != nullptr) {
            Operation operation(&run_nothing, Opcode::forget, fd_);
            io_->loop()->call(operation);
        }
    }
    return std::exchange(fd_, -1);
}

void Socket::bind(const Address& address) const {
    Operation operation(&run_nothing, Opcode::bind, fd_);
    SocketAddress raw = address.raw();
    operation.address = &raw;
    detail::check(call(operation), "bind");
}

void Socket::listen(int backlog) const {
    Operation operation(&run_nothing, Opcode::listen, fd_);
    operation.argument = backlog;
    detail::check(call(operation), "listen");
}

// -------------------------------------------------------------------------------- getaddrinfo

namespace {

/// What a lookup asks for, and what it came to: they go to a thread and back.
struct Query {
    std::optional<std::string> host;
    std::string service;
    AddressInfoOptions options;
};

struct Answer {
    int error = 0;         // EAI_*
    int system_error = 0;  // errno, of EAI_SYSTEM
    std::vector<AddressInfo> infos;
};

}  // namespace

static Answer resolve(const Query& query) {
    addrinfo hints{};
    hints.ai_family = system_family(query.options.family);
    hints.ai_socktype = system_type(query.options.type);
    hints.ai_protocol = query.options.proto;
    hints.ai_flags = query.options.flags;
    addrinfo* first = nullptr;
    Answer answer;
    answer.error = ::getaddrinfo(query.host.has_value() ? query.host->c_str() : nullptr,
                                 query.service.c_str(), &hints, &first);
    answer.system_error = answer.error == EAI_SYSTEM ? errno : 0;
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(
        answer.error == 0 ? first : nullptr, &::freeaddrinfo);
    for (const addrinfo* info = owner.get(); info != nullptr; info = info->ai_next) {
        SocketAddress raw;
        if (info->ai_addrlen > sizeof raw.storage) {
            continue;
        }
        std::memcpy(raw.storage, info->ai_addr, info->ai_addrlen);
        raw.size = info->ai_addrlen;
        answer.infos.push_back(
            {family_of(info->ai_family), type_of(info->ai_socktype), info->ai_protocol,
             info->ai_canonname != nullptr ? info->ai_canonname : "", Address(raw)});
    }
    return answer;
}

// What the C library would answer for a numeric host, without asking it.
static std::vector<AddressInfo> numeric(const Address& address, const AddressInfoOptions& options) {
    struct Kind {
        SocketType type;
        int proto;
    };
    static constexpr Kind kinds[] = {{SocketType::stream, IPPROTO_TCP},
                                     {SocketType::datagram, IPPROTO_UDP},
                                     {SocketType::other, 0}};
    std::vector<AddressInfo> infos;
    for (const Kind& kind : kinds) {
        if ((options.type == SocketType::any || options.type == kind.type) &&
            (options.proto == 0 || options.proto == kind.proto)) {
            infos.push_back({address.family(), kind.type, kind.proto, "", address});
        }
    }
    return infos;
}

static Coroutine<std::vector<AddressInfo>> look_up(Query query) {
    const std::string host = query.host.value_or("");
    auto pending = get_running_loop().run_in_executor(
        nullptr, [query = std::move(query)] { return resolve(query); });
    Answer answer = co_await pending;
    if (answer.error == EAI_SYSTEM) {
        detail::raise_os_error(answer.system_error, "getaddrinfo " + host);
    }
    if (answer.error != 0) {
        throw AddressInfoError(answer.error, ::gai_strerror(answer.error), host);
    }
    co_return std::move(answer.infos);
}

static Coroutine<std::vector<AddressInfo>> give(std::vector<AddressInfo> infos) {
    co_return std::move(infos);
}

static Query make_query(std::string_view host, std::string service, AddressInfoOptions options) {
    if (host.find('\0') != std::string_view::npos || service.find('\0') != std::string::npos) {
        detail::raise_value_error("embedded null character");
    }
    Query query;
    if (host.data() != nullptr) {
        query.host.emplace(host);
    }
    query.service = std::move(service);
    query.options = options;
    return query;
}

Coroutine<std::vector<AddressInfo>> getaddrinfo(std::string_view host, int port,
                                                AddressInfoOptions options) {
    if (port < 0 || port > 65535) {
        detail::raise_value_error("port must be 0-65535.");
    }
    // Zones are left to the C library, as CPython does.
    if (host.find('%') == std::string_view::npos) {
        const std::optional<Address> address = Address::parse(host, port);
        if (address.has_value() &&
            (options.family == AddressFamily::unspecified || options.family == address->family())) {
            std::vector<AddressInfo> infos = numeric(*address, options);
            if (!infos.empty()) {
                return give(std::move(infos));
            }
        }
    }
    return look_up(make_query(host, std::to_string(port), options));
}

Coroutine<std::vector<AddressInfo>> getaddrinfo(std::string_view host, std::string_view service,
                                                AddressInfoOptions options) {
    return look_up(make_query(host, std::string(service), options));
}

// ----------------------------------------------------------------------------- raw operations

namespace detail {

SocketOperation::SocketOperation(const SocketBase& socket, Opcode opcode)
    : OperationWaiter(socket.get_loop(), opcode, socket.fileno()), io_(*socket.io()) {
    io_.retain();
}

void SocketOperation::enlist() noexcept {
    task_ = &lowlevel::running_task();
    io_.operations().push_back(*this);
}

SocketOperation::~SocketOperation() {
    auto& hook = static_cast<ListHook<SocketOperations>&>(*this);
    if (hook.linked()) {
        hook.unlink();
    }
    io_.release();
}

std::exception_ptr SocketOperation::failure(const char* doing) {
    if (task_ != nullptr && task_->interrupted()) {
        if (result == -ECANCELED) {
            return task_->take_interrupt();
        }
        task_->postpone_interrupt();  // the operation was quicker: what it did is not lost
    }
    return result < 0 ? make_os_error(static_cast<int>(-result), doing) : nullptr;
}

// Bounded, because `n` may be anybody's guess.
RecvAwaiter::RecvAwaiter(const SocketBase& socket, std::size_t n)
    : SocketOperation(socket, Opcode::recv) {
    received_.resize(std::min(n, LoopIO::scratch_size));
    data = received_.data();
    size = received_.size();
}

Result<std::string> RecvAwaiter::await_result() {
    if (std::exception_ptr error = failure("recv")) {
        return Result<std::string>(std::move(error));
    }
    received_.resize(static_cast<std::size_t>(result));
    return Result<std::string>(std::in_place, std::move(received_));
}

std::string RecvAwaiter::await_resume() {
    return await_result().get();
}

RecvIntoAwaiter::RecvIntoAwaiter(const SocketBase& socket, std::span<std::byte> buffer)
    : SocketOperation(socket, Opcode::recv) {
    data = buffer.data();
    size = buffer.size();
}

Result<std::size_t> RecvIntoAwaiter::await_result() {
    if (std::exception_ptr error = failure("recv")) {
        return Result<std::size_t>(std::move(error));
    }
    return Result<std::size_t>(std::in_place, static_cast<std::size_t>(result));
}

std::size_t RecvIntoAwaiter::await_resume() {
    return await_result().get();
}

SendAllAwaiter::SendAllAwaiter(const SocketBase& socket, std::string_view bytes)
    : SocketOperation(socket, Opcode::send), loop_(socket.get_loop()), complete_(function()) {
    data = const_cast<char*>(bytes.data());
    size = bytes.size();
    set_function(&advance);
}

bool SendAllAwaiter::account() noexcept {
    if (result < 0) {
        return true;
    }
    data = static_cast<char*>(data) + result;
    size -= static_cast<std::size_t>(result);
    return size == 0;
}

bool SendAllAwaiter::await_ready() noexcept {
    if (size == 0) {
        return true;
    }
    while (loop_.attempt(*this)) {
        if (account()) {
            return true;
        }
    }
    return false;
}

void SendAllAwaiter::advance(lowlevel::Callback& callback) {
    auto& self = static_cast<SendAllAwaiter&>(static_cast<Operation&>(callback));
    if (!self.account()) {
        if (!self.waiting_task()->interrupted()) {
            self.loop_.start(self);
            return;
        }
        self.result = -ECANCELED;  // a part of it was sent, which is no result to deliver
    }
    self.complete_(callback);
}

Result<void> SendAllAwaiter::await_result() {
    if (std::exception_ptr error = failure("send")) {
        return Result<void>(std::move(error));
    }
    return Result<void>(std::in_place);
}

void SendAllAwaiter::await_resume() {
    await_result().get();
}

ConnectAwaiter::ConnectAwaiter(const SocketBase& socket, const Address& peer)
    : SocketOperation(socket, Opcode::connect), peer_(peer.raw()) {
    address = &peer_;
}

std::exception_ptr ConnectAwaiter::connect_failure() {
    if (result >= 0) {
        return failure("");
    }
    const std::string doing = "Connect call failed " + python_address(Address(peer_));
    return failure(doing.c_str());
}

Result<void> ConnectAwaiter::await_result() {
    if (std::exception_ptr error = connect_failure()) {
        return Result<void>(std::move(error));
    }
    return Result<void>(std::in_place);
}

void ConnectAwaiter::await_resume() {
    await_result().get();
}

AcceptAwaiter::AcceptAwaiter(const SocketBase& listener)
    : SocketOperation(listener, Opcode::accept), io_(*listener.io()) {
    address = &peer_;
}

// Destroyed between its completion and its task's turn: by the loop's close().
AcceptAwaiter::~AcceptAwaiter() {
    if (completed && !taken_ && result >= 0) {
        io_.close(static_cast<int>(result));
    }
}

Accepted AcceptAwaiter::take() noexcept {
    taken_ = true;
    return {Socket(io_, static_cast<int>(result)), Address(peer_)};
}

Result<Accepted> AcceptAwaiter::await_result() {
    if (std::exception_ptr error = failure("accept")) {
        return Result<Accepted>(std::move(error));
    }
    return Result<Accepted>(std::in_place, take());
}

Accepted AcceptAwaiter::await_resume() {
    return await_result().get();
}

}  // namespace detail

}  // namespace asyncio
