// trace.cpp - the stack at a throw, noted by a handler that never handles anything.
//
// SPDX-License-Identifier: MIT
#include "trace.hpp"

#include "death.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <typeinfo>

#include <dlfcn.h>
#include <execinfo.h>

namespace asyncio::detail {

namespace {

constexpr std::size_t deepest = 64;

struct Noted {
    std::array<void*, deepest> frames;
    int count = 0;
};
constinit thread_local Noted noted{};

std::string line_of(void* frame) {
    Dl_info info{};
    // A return address is behind its call, which may be the last of its function.
    char* const place = static_cast<char*>(frame) - 1;
    if (::dladdr(place, &info) == 0 || info.dli_fname == nullptr) {
        return "?\n";
    }
    std::array<char, 32> offset{};
    std::snprintf(offset.data(), offset.size(), "+0x%zx",
                  static_cast<std::size_t>(place - static_cast<char*>(info.dli_fbase)));
    std::string line = "  " + std::string(info.dli_fname) + offset.data();
    if (info.dli_sname != nullptr) {
        line += ' ' + demangled(info.dli_sname);
    }
    return line + '\n';
}

}  // namespace

/// What the runtime asks whether a handler of Tracer handles an exception. It asks before anything
/// is unwound: the stack is still that of the throw.
class TracerType final : public std::type_info {
public:
    TracerType() noexcept : std::type_info("N7asyncio6detail6TracerE") {}
    bool __do_catch(const std::type_info*, void**, unsigned) const override {
        noted.count = ::backtrace(noted.frames.data(), static_cast<int>(deepest));
        return false;
    }
};

// What a handler of Tracer names in the tables of the compiler.
extern const TracerType type_of_tracer __asm__("_ZTIN7asyncio6detail6TracerE");
const TracerType type_of_tracer;

std::string take_trace() {
    // The first are those that note it: this file, and the runtime that looks for a handler.
    constexpr int first = 1;
    std::string trace;
    for (int i = first; i < noted.count; ++i) {
        trace += line_of(noted.frames[static_cast<std::size_t>(i)]);
    }
    noted.count = 0;
    return trace;
}

}  // namespace asyncio::detail
