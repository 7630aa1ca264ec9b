// no_pidfd.hpp - a sandbox that does not know of descriptors for processes.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace asyncio::testing {

/// For the rest of this thread, and the processes and threads that it starts: pidfd_open() and
/// pidfd_send_signal() are not there (ENOSYS), and clone() refuses CLONE_PIDFD (EINVAL), as an old
/// kernel or a sandbox has it.
class WithoutPidfds {
public:
    WithoutPidfds() {
        constexpr auto number = static_cast<unsigned>(offsetof(seccomp_data, nr));
        constexpr auto flags = static_cast<unsigned>(offsetof(seccomp_data, args));
        std::array<sock_filter, 9> code{{
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, number),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 5, 0),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_send_signal, 4, 0),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 2),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, flags),
            BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_PIDFD, 2, 0),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        }};
        sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
        EXPECT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        EXPECT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
    }
};

}  // namespace asyncio::testing
