#!/usr/bin/env python3
"""Checks that no call of the system escapes the tests that let each one fail.

usage: check_system_calls.py NM LIBRARY...

What a library takes from the C library is either in tests/support/system_calls.inc, or is known
below to make no system call that could fail. Something new: if it can fail, it gets a line there
and a wrapper in tests/support/hostile_system.cpp (most take one line); if not, its name goes below.
"""
# SPDX-License-Identifier: MIT
import pathlib
import re
import subprocess
import sys

CALLS = pathlib.Path(__file__).parent / "support/system_calls.inc"

# What the compilers and the C++ library need. Not what in the latter makes system calls itself.
LANGUAGE = re.compile(r"_Z|__cxa_|_Unwind_|__gxx_|__dynamic_cast|__dso_handle|__errno_location"
                      r"|_GLOBAL_OFFSET_TABLE_|__popcount|__once_proxy|__libc_single_threaded|__tls_get_addr"
                      r"|__stack_chk_fail|__start_|__stop_|__(a|ub|t|l)san_|__sanitizer_|__emutls")
HIDES_CALLS = re.compile(r"_ZNK?St10filesystem|_ZNSt1[0-9]basic_[io]?f(ile|stream)|_ZNSt12__basic_file")

# Cannot fail as they are used here, or fail as other calls do, or without a system call.
HARMLESS = set("""
    htonl htons ntohl ntohs abort atexit bsearch exit fflush fprintf fputc fputs free freeaddrinfo fwrite gai_strerror getenv
    secure_getenv if_nametoindex inet_ntop inet_pton malloc calloc realloc aligned_alloc memchr memcmp
    memcpy memmove memrchr memset qsort round roundl llround lround ceil floor snprintf sprintf stderr
    stdout strchr strcmp strerror strerror_r strlen strncmp strnlen strrchr strtol strtoul strtoull
    strtoll strtod vsnprintf environ
    closedir gnu_dev_makedev isatty io_uring_free_probe io_uring_get_probe_ring io_uring_queue_exit
    __cmsg_nxthdr timerfd_settime usleep
    clock_gettime getegid geteuid getgid getpid gettid getuid sched_yield sysconf
    pthread_atfork pthread_cond_broadcast pthread_cond_clockwait pthread_cond_signal
    pthread_cond_wait pthread_equal pthread_getspecific pthread_key_create pthread_mutex_lock
    pthread_mutex_unlock pthread_once pthread_self pthread_setname_np pthread_setspecific
    pthread_sigmask raise sigaction sigaddset sigdelset sigemptyset sigfillset sigismember
    sigtimedwait signal usleep
""".split())


# Taken where the C library has it.
WEAK = {"__clone"}


def undefined(nm: str, library: str) -> dict[str, str]:
    """What the library needs and has not got itself, with the object that needs it."""
    needed, defined, member = {}, set(), library
    for line in subprocess.run([nm, library], capture_output=True, text=True, check=True).stdout.splitlines():
        if line.endswith(":"):
            member = line[:-1]
        elif match := re.fullmatch(r"\s*(?:[0-9a-f]+)?\s+([A-Za-z])\s+(\S+)", line):
            kind, name = match.groups()
            if kind == "U" or name in WEAK:
                needed.setdefault(name.partition("@")[0], member)
            else:
                defined.add(name)
    return {name: where for name, where in needed.items() if name not in defined}


def main() -> int:
    nm, *libraries = sys.argv[1:]
    wrapped = set(re.findall(r"^SYSTEM_CALL\((\w+)", CALLS.read_text(), re.M)) | {"syscall"}
    problems, needed = [], {}
    for library in libraries:
        needed |= undefined(nm, library)
    for name, where in sorted(needed.items()):
        if HIDES_CALLS.match(name):
            problems.append(f"{where}: {name} of the C++ library makes system calls that tests cannot reach")
        elif name not in wrapped and name not in HARMLESS and not LANGUAGE.match(name):
            problems.append(f"{where}: {name}() is not known; see {pathlib.Path(__file__).name}")
    if not needed.keys() & wrapped:
        problems.append("no system call at all: not what should be looked at")
    # Without liburing there is only epoll.
    for name in sorted(name for name in wrapped - needed.keys() if not name.startswith("io_uring_")):
        problems.append(f"{CALLS.name}: nobody calls {name}()")
    print("\n".join(problems) if problems else f"{len(wrapped)} system calls, none escapes")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
