// source_names.hpp - how reports call a place in the program: file, line and function.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <source_location>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

namespace asyncio::detail {

/// "app::handler(Db&)" of what the compiler says in a coroutine's body or outside of one.
[[nodiscard]] std::string readable_name(const char* function);

/// The library's own coroutines say nothing to a user.
[[nodiscard]] bool is_internal(std::string_view name);

/// Is it a place at all? One that nobody has set is not.
[[nodiscard]] inline bool is_known(const std::source_location& site) noexcept {
    return site.line() != 0;
}

/// `File "app.cpp", line 12, in app::fetch()`, as Python's tracebacks have it.
[[nodiscard]] std::string place(const std::source_location& site);

/// "app.cpp:12 in app::fetch()"
[[nodiscard]] std::string short_place(const std::source_location& site);

/// A line for each place; those inside of the library are left out, unless all are.
[[nodiscard]] std::string traceback(const std::vector<std::source_location>& sites);

/// The name of a type, as it is written in C++.
[[nodiscard]] std::string type_name(const std::type_info& type);

}  // namespace asyncio::detail
