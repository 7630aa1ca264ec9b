// function.hpp - which function it is, said so that another process of the same program finds it.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/processes/codec.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace asyncio::detail {

/// A place in the code: a module (the program, or a shared library), and how far into it. Where
/// modules are in memory differs from process to process.
struct CodeAddress {
    std::string module;  ///< empty: the program itself; otherwise its build id and path
    std::uint64_t offset = 0;
};

using AnyFunction = void (*)();

/// RuntimeError if no module has it: code that was made at run time.
[[nodiscard]] CodeAddress locate(AnyFunction function);

/// RuntimeError if this process has not got this module, or has another version of it, or there is
/// no code at that place.
[[nodiscard]] AnyFunction resolve(std::string_view module, std::uint64_t offset);

/// Functions can be sent.
template <class F>
    requires(std::is_pointer_v<F> && std::is_function_v<std::remove_pointer_t<F>>)
struct Wire<F> {
    static void write(WireWriter& writer, const F& function) {
        if (function == nullptr) {
            writer.nil();
            return;
        }
        const CodeAddress address = locate(reinterpret_cast<AnyFunction>(function));
        writer.array(2);
        writer.text(address.module);
        writer.natural(address.offset);
    }
    static F read(const WireValue& value) {
        if (value.is_nil()) {
            return nullptr;
        }
        value.expect_size(2);
        return reinterpret_cast<F>(resolve(value[0].text(), value[1].natural()));
    }
};

}  // namespace asyncio::detail
