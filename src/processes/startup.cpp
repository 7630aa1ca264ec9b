// startup.cpp - catches the program that was started again as a server, before main().
//
// Functions of the program may use its static objects, so these have to be made first, all of them;
// main() must not run. So the server begins where the last initialiser of the program has returned:
// the last entry of its .init_array is replaced, in the server only, by one that calls it and then
// serves (docs/decisions/032-a-worker-is-the-program-caught-before-main.md).
//
// SPDX-License-Identifier: MIT
#include "modules.hpp"
#include "protocol.hpp"
#include "server.hpp"

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <elf.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

namespace asyncio::detail {

namespace {

using Initialiser = void (*)(int, char**, char**);

// Defined by the linker in programs, and in those that have no dynamic section nowhere else.
extern "C" [[gnu::weak, gnu::visibility("hidden")]] Initialiser __init_array_start[];
extern "C" [[gnu::weak, gnu::visibility("hidden")]] Initialiser __init_array_end[];

constinit Initialiser last_initialiser = nullptr;

constexpr int cannot_be_caught = 126;  // an exit status

/// The place of the last entry of the program's .init_array; null if it has none.
Initialiser* last_of_program() noexcept {
    Initialiser* last = nullptr;
    ::dl_iterate_phdr(
        [](dl_phdr_info* program, std::size_t, void* found) {
            std::uintptr_t array = 0;
            std::size_t size = 0;
            for (std::size_t i = 0; i < program->dlpi_phnum; ++i) {
                const ElfW(Phdr)& segment = program->dlpi_phdr[i];
                if (segment.p_type != PT_DYNAMIC) {
                    continue;
                }
                const auto* entry =
                    reinterpret_cast<const ElfW(Dyn)*>(program->dlpi_addr + segment.p_vaddr);
                for (; entry->d_tag != DT_NULL; ++entry) {
                    if (entry->d_tag == DT_INIT_ARRAY) {
                        array = program->dlpi_addr + entry->d_un.d_ptr;
                    } else if (entry->d_tag == DT_INIT_ARRAYSZ) {
                        size = entry->d_un.d_val;
                    }
                }
            }
            if (array != 0 && size >= sizeof(Initialiser)) {
                *static_cast<Initialiser**>(found) =
                    reinterpret_cast<Initialiser*>(array) + size / sizeof(Initialiser) - 1;
            }
            return 1;  // the program is the first one
        },
        &last);
    if (const auto count = __init_array_end - __init_array_start; last == nullptr && count > 0) {
        last = &__init_array_start[count - 1];
    }
    return last;
}

void run_last_and_serve(int argc, char** argv, char** environment) {
    last_initialiser(argc, argv, environment);
    serve();
}

// What was made read-only when the program was loaded.
bool make_writable(void* place) noexcept {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(place) / page * page;
    return ::mprotect(reinterpret_cast<void*>(begin), page, PROT_READ | PROT_WRITE) == 0;
}

// What workers start are no servers, and need not have what they need.
void clean_environment(const char* preloaded_before) noexcept {
    if (*preloaded_before == '/' && preloaded_before[1] != '\0') {
        ::setenv("LD_PRELOAD", preloaded_before + 1, 1);
    } else if (*preloaded_before == '/') {
        ::unsetenv("LD_PRELOAD");
    }
    ::unsetenv(server_variable);
}

/// Runs among the initialisers of the program, or of a library before those of the program.
[[gnu::constructor]] void catch_server(int, char**, char**) {
    // Not where the program has more rights than who has started it: he would call what he likes.
    const char* const value = ::secure_getenv(server_variable);
    if (value == nullptr) {
        return;
    }
    char* preloaded_before = nullptr;
    const long parent = std::strtol(value, &preloaded_before, 10);
    clean_environment(preloaded_before);
    end_with_parent(parent);
    Initialiser* const last = last_of_program();
    if (last == nullptr) {
        ::_exit(cannot_be_caught);
    }
    if (*last == &catch_server) {
        serve();
    }
    last_initialiser = *last;
    if (!make_writable(last)) {
        ::_exit(cannot_be_caught);
    }
    *last = &run_last_and_serve;
}

}  // namespace

bool can_be_caught() noexcept {
    return ::getauxval(AT_SECURE) == 0 && last_of_program() != nullptr;
}

}  // namespace asyncio::detail
