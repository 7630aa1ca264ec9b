// death.cpp - how processes end, in words.
//
// SPDX-License-Identifier: MIT
#include "death.hpp"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>

#include <cxxabi.h>
#include <sys/wait.h>

namespace asyncio::detail {

std::string describe_status(int status) {
    if (!WIFSIGNALED(status)) {
        return "ended with status " + std::to_string(WEXITSTATUS(status));
    }
    const int number = WTERMSIG(status);
    const char* const name = ::sigabbrev_np(number);
    return "was killed by signal " + std::to_string(number) +
           (name != nullptr ? std::string(" (SIG") + name + ')' : std::string());
}

std::string demangled(const char* name) {
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> text(
        abi::__cxa_demangle(name, nullptr, nullptr, &status), &std::free);
    return status == 0 ? text.get() : name;
}

}  // namespace asyncio::detail
