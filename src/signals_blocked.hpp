// signals_blocked.hpp - no signals for threads that are not the program's own.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>
#include <signal.h>

namespace asyncio::detail {

/// While it exists, this thread and those that it makes get no signals but their own faults'. The
/// handlers of a program expect to run in its threads, and to interrupt what waits there.
class SignalsBlocked {
public:
    SignalsBlocked() noexcept {
        sigset_t mask;
        sigfillset(&mask);
        for (const int own : {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP}) {
            sigdelset(&mask, own);
        }
        ::pthread_sigmask(SIG_SETMASK, &mask, &before_);
    }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;
    ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_;
};

}  // namespace asyncio::detail
