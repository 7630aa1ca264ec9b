// modules.cpp - modules of the program, their build ids and their code.
//
// SPDX-License-Identifier: MIT
#include "modules.hpp"

#include <asyncio/detail/processes/function.hpp>
#include <asyncio/exceptions.hpp>

#include <array>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <utility>

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/stat.h>

namespace asyncio::detail {

namespace {

constexpr std::size_t most_segments = 16;

/// A module as it is in this process.
struct Module {
    std::string id;
    std::string path;  // empty: the program
    std::uintptr_t base = 0;
    std::array<std::pair<std::uintptr_t, std::uintptr_t>, most_segments> code{};
    std::size_t code_count = 0;

    [[nodiscard]] bool has_code_at(std::uintptr_t address) const noexcept {
        for (std::size_t i = 0; i < code_count; ++i) {
            if (address >= code[i].first && address < code[i].second) {
                return true;
            }
        }
        return false;
    }
};

std::string hexadecimal(const unsigned char* bytes, std::size_t size) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) {
        char digits[3];
        std::snprintf(digits, sizeof digits, "%02x", bytes[i]);
        text += digits;
    }
    return text;
}

std::size_t padded(std::size_t size) {
    return (size + 3) / 4 * 4;
}

// Notes are a header, a name and a description, the last two padded to four bytes.
std::string build_id_in(const char* note, std::size_t size) {
    constexpr std::string_view gnu("GNU", 4);
    while (size >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) header;
        std::memcpy(&header, note, sizeof header);
        const std::size_t name = sizeof header;
        const std::size_t description = name + padded(header.n_namesz);
        const std::size_t end = description + padded(header.n_descsz);
        if (end > size) {
            break;
        }
        if (header.n_type == NT_GNU_BUILD_ID &&
            std::string_view(note + name, header.n_namesz) == gnu) {
            return hexadecimal(reinterpret_cast<const unsigned char*>(note + description),
                               header.n_descsz);
        }
        note += end;
        size -= end;
    }
    return {};
}

// Linked without a build id: which file it is, and which version of that.
std::string id_of_file(const std::string& path) {
    struct stat status{};
    if (::stat(path.empty() ? "/proc/self/exe" : path.c_str(), &status) != 0) {
        return "unknown";
    }
    char text[96];
    std::snprintf(text, sizeof text, "file-%llx-%llx-%llx-%llx.%lx",
                  static_cast<unsigned long long>(status.st_dev),
                  static_cast<unsigned long long>(status.st_ino),
                  static_cast<unsigned long long>(status.st_size),
                  static_cast<unsigned long long>(status.st_mtim.tv_sec), status.st_mtim.tv_nsec);
    return text;
}

Module read_module(const dl_phdr_info& info) {
    Module module;
    module.path = info.dlpi_name;
    module.base = info.dlpi_addr;
    for (std::size_t i = 0; i < info.dlpi_phnum; ++i) {
        const ElfW(Phdr)& segment = info.dlpi_phdr[i];
        const std::uintptr_t begin = info.dlpi_addr + segment.p_vaddr;
        if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0 &&
            module.code_count < most_segments) {
            module.code[module.code_count++] = {begin, begin + segment.p_memsz};
        } else if (segment.p_type == PT_NOTE && module.id.empty()) {
            module.id = build_id_in(reinterpret_cast<const char*>(begin), segment.p_memsz);
        }
    }
    if (module.id.empty()) {
        module.id = id_of_file(module.path);
    }
    return module;
}

/// The first module for which `wanted(module)`; the program comes first.
template <class Wanted>
bool find_module(Module& found, Wanted wanted) {
    struct Search {
        Module& found;
        Wanted& wanted;
        bool program = true;
    } search{found, wanted};
    return ::dl_iterate_phdr(
               [](dl_phdr_info* info, std::size_t, void* data) {
                   auto& current = *static_cast<Search*>(data);
                   Module module = read_module(*info);
                   if (std::exchange(current.program, false)) {
                       module.path.clear();
                   }
                   if (!current.wanted(std::as_const(module))) {
                       return 0;
                   }
                   current.found = std::move(module);
                   return 1;
               },
               &search) != 0;
}

const Module& program() {
    static const Module module = [] {
        Module found;
        find_module(found, [](const Module&) { return true; });
        return found;
    }();
    return module;
}

AnyFunction function_at(const Module& module, std::uint64_t offset) {
    const std::uintptr_t address = module.base + offset;
    if (!module.has_code_at(address)) {
        throw RuntimeError("there is no function at this place of the program");
    }
    return reinterpret_cast<AnyFunction>(address);
}

}  // namespace

const std::string& program_id() {
    return program().id;
}

CodeAddress locate(AnyFunction function) {
    const auto address = reinterpret_cast<std::uintptr_t>(function);
    if (program().has_code_at(address)) {
        return {{}, address - program().base};
    }
    Module module;
    if (!find_module(module, [address](const Module& each) { return each.has_code_at(address); })) {
        throw RuntimeError("a function that is in no file cannot be called in another process");
    }
    return {module.id + ' ' + module.path, address - module.base};
}

AnyFunction resolve(std::string_view name, std::uint64_t offset) {
    if (name.empty()) {
        return function_at(program(), offset);
    }
    const std::size_t space = name.find(' ');
    if (space == std::string_view::npos) {
        throw RuntimeError("what came from another process names no module");
    }
    const std::string_view id = name.substr(0, space);
    const std::string path(name.substr(space + 1));
    const auto wanted = [id](const Module& each) { return each.id == id; };
    Module module;
    // The parent has loaded it while it ran, perhaps.
    if (!find_module(module, wanted) &&
        (::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr ||
         !find_module(module, wanted))) {
        throw RuntimeError("the function is in '" + path +
                           "', of which a worker process has another version, or none");
    }
    return function_at(module, offset);
}

}  // namespace asyncio::detail
