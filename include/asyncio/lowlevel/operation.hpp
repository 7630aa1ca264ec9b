// operation.hpp - one request to the kernel and, later, its result.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/lowlevel/callback.hpp>

#include <cstddef>
#include <cstdint>

namespace asyncio::lowlevel {

/// What an Operation asks for. Named after the system call; the arguments are the Operation's
/// fields as its comments say. Descriptors are expected in non-blocking mode, which is what
/// `accept` and `socket` make. Operations of one direction on one descriptor complete in the order
/// in which they were started.
enum class Opcode : std::uint8_t {
    // Started on the loop, completed later (EventLoop::start).
    accept,       ///< fd, address (may be null); result: the new descriptor, non-blocking, CLOEXEC
    connect,      ///< fd, address
    recv,         ///< fd, data, size; result: bytes, 0 at the end; may be called, too: see there
    send,         ///< fd, data, size; result: bytes taken, which may be fewer; never raises SIGPIPE
    send_vector,  ///< fd, data (array of `size` Buffers); result: bytes taken
    recv_from,    ///< fd, data, size, address
    send_to,      ///< fd, data, size, address
    read,         ///< fd, data, size: pipes, terminals; may be called, too, as recv
    write,        ///< fd, data, size; never raises SIGPIPE
    poll_in,      ///< fd, argument: 0 or poll_tries_anyway; completes when it is readable (or in
                  ///< error); result: the POLL* bits
    poll_out,     ///< fd, argument: as poll_in; completes when it is writable (or in error)
    recv_message,  ///< fd, data (a Message), argument: MSG_*; result: bytes; may be called
    send_message,  ///< fd, data (a Message), argument: MSG_*; result: bytes; may be called
    send_file,     ///< fd (a stream socket), argument: the file's descriptor, data: an int64_t,
                   ///< where to begin in it, size; result: bytes taken, 0 at the end of the file
    // Cold and immediate (Proactor::call). An accept, recv, read, recv_message or
    // send_message that is called does it at once, whatever else has been started on the
    // descriptor; -EAGAIN if it would
    // have to wait.
    socket,       ///< argument: family, argument2: type; result: descriptor, non-blocking, CLOEXEC
    bind,         ///< fd, address
    listen,       ///< fd, argument: backlog
    shutdown,     ///< fd, argument: SHUT_*
    forget,       ///< fd: it is about to be closed, or used by somebody else, without the proactor
    close,        ///< fd: forgets it, then closes it
    get_option,   ///< fd, argument: level, argument2: name, data, size (0: an int)
    set_option,   ///< fd, argument: level, argument2: name, data, size (0: an int)
    socket_name,  ///< fd, address: own address
    peer_name,    ///< fd, address: the peer's
    // On files: started on the loop where Proactor::performs() them, otherwise carried out by
    // perform_on_file() in a thread, with the same results. `data` is a FileRequest, whose fields
    // are named here. Paths are relative to the working directory.
    open_file,       ///< path, flags, mode; result: the descriptor, CLOEXEC, in blocking mode
    close_file,      ///< fd, which no proactor has seen in another operation than these
    read_at,         ///< fd, buffer, size (the Operation's), offset; result: bytes, 0 at the end
    write_at,        ///< fd, buffer, size (the Operation's), offset; result: bytes, perhaps fewer
    sync,            ///< fd; argument: 1 if only what is needed to read the data again (fdatasync)
    status,          ///< path, or fd if that is null; flags (AT_SYMLINK_NOFOLLOW), status
    truncate,        ///< fd, offset: the new length
    rename,          ///< path, target: the new path; flags (RENAME_NOREPLACE and its kin)
    unlink,          ///< path, flags (AT_REMOVEDIR: an empty directory)
    make_directory,  ///< path, mode
    make_symlink,    ///< path, target: what it is to point to
    make_link,       ///< path, target: the new name
};

/// Of a poll_in or poll_out whose owner finds out by trying: it may complete although there is
/// nothing (any more). That saves the proactor asking for what it does not know for sure.
inline constexpr int poll_tries_anyway = 1;

/// Is it one of those on files?
[[nodiscard]] constexpr bool is_on_file(Opcode opcode) noexcept {
    return opcode >= Opcode::open_file;
}

/// Storage for a socket address of any family, as the kernel wants it.
struct SocketAddress {
    alignas(8) unsigned char storage[128] = {};
    std::uint32_t size = 0;  ///< bytes in use
};

/// A piece of memory for vectored operations: laid out as struct iovec.
struct Buffer {
    void* data;
    std::size_t size;
};

/// What the kernel says of a file: laid out as struct statx.
struct FileStatus {
    alignas(8) unsigned char storage[256] = {};
};

/// The arguments of an operation on a file for which an Operation has no room: connections need
/// none of them. It, and what it points to, belong to the proactor as long as the Operation does.
struct FileRequest {
    const char* path = nullptr;
    const char* target = nullptr;
    void* buffer = nullptr;
    std::int64_t offset = -1;  ///< -1: where the descriptor stands, which moves on
    FileStatus* status = nullptr;
    int flags = 0;
    std::uint32_t mode = 0;
};

/// What recv_message and send_message carry besides bytes: laid out as struct msghdr, and read and
/// written by the kernel as that. Descriptors that are received are close-on-exec.
///
/// What it points to must stay where it is as long as the Operation belongs to the proactor. To
/// receive, `address_size` and `control_size` say how much room there is, and then how much of it
/// was used; before the operation is started again they are to be set again.
struct Message {
    void* address = nullptr;  ///< SocketAddress::storage, or null
    std::uint32_t address_size = 0;
    Buffer* buffers = nullptr;
    std::size_t buffer_count = 0;
    void* control = nullptr;  ///< of cmsghdr, as CMSG_FIRSTHDR and its kin walk it
    std::size_t control_size = 0;
    int flags = 0;  ///< received: MSG_TRUNC, MSG_CTRUNC, ...
};

/// A Callback that carries one request to the proactor and, later, its result.
///
/// From EventLoop::start() until it runs, the Operation, its buffer and its address belong to the
/// proactor and must stay where they are. It completes exactly once, also when it is cancelled,
/// perhaps some polls later: then, if nothing had happened yet, with -ECANCELED. It may be started
/// again once it runs.
///
/// What a backend needs besides until then (of a recv_from or send_to on io_uring a msghdr and an
/// iovec) is for the backend to keep, from the poll() that takes the operation until the one that
/// completes it: an Operation has no room for it, so that those of idle connections stay small.
///
/// A descriptor that the proactor knows is closed by `close`, or by other means after `forget`:
/// otherwise the next one of that number may wait for ever.
/// `forget` and `close` complete what waits on the descriptor with -ECANCELED at the next poll().
/// What is still in the loop's list of pending operations is not known yet and would meet whatever
/// has that number by then: the loop lets a non-waiting poll() start it before it closes.
class Operation : public Callback {
public:
    Operation(Run to_run, Opcode request, int descriptor) noexcept
        : Callback(to_run), opcode(request), fd(descriptor) {}

    Opcode opcode;
    bool started = false;    ///< kept by the proactor: poll() has taken it, not yet completed it
    bool completed = false;  ///< set by the proactor when the result is there; start() clears it
    int fd;
    int argument = 0;
    int argument2 = 0;
    void* data = nullptr;
    std::size_t size = 0;
    SocketAddress* address = nullptr;
    /// When it is completed, what the kernel answered: at least 0, or -errno. Before, the
    /// proactor's: a connect that has set out keeps -EINPROGRESS here.
    std::int64_t result = 0;
};

using OperationList = CallbackList;

}  // namespace asyncio::lowlevel
