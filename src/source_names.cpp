// source_names.cpp - what compilers call functions and types, made readable.
//
// SPDX-License-Identifier: MIT
#include "source_names.hpp"

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <cxxabi.h>

namespace asyncio::detail {

namespace {

/// The opening parenthesis that the closing one at `close` belongs to.
std::size_t matching_open(std::string_view text, std::size_t close) {
    int depth = 0;
    for (std::size_t at = close + 1; at-- > 0;) {
        if (text[at] == ')') {
            ++depth;
        } else if (text[at] == '(' && --depth == 0) {
            return at;
        }
    }
    return std::string_view::npos;
}

/// In a coroutine's body g++ calls the function by what it has made of it:
/// "void app::handler(handler(Db&)::_ZN3app7handlerER2Db.Frame*)". This gives
/// "void app::handler(Db&)"; of a lambda's operator(), the lambda.
std::string without_frame(std::string name) {
    constexpr std::string_view mark = ".Frame*)";
    for (std::size_t at = name.find(mark); at != std::string::npos; at = name.find(mark)) {
        const std::size_t close = at + mark.size() - 1;
        const std::size_t open = matching_open(name, close);
        const std::size_t mangled = name.rfind("::_Z", at);
        if (open == std::string::npos || mangled == std::string::npos || mangled < open) {
            break;
        }
        const std::string inner = name.substr(open + 1, mangled - open - 1);
        std::string parameters;
        if (!inner.ends_with('>')) {
            const std::size_t last = inner.rfind(')');
            const std::size_t first = last == std::string::npos ? last : matching_open(inner, last);
            parameters = first == std::string::npos ? "" : inner.substr(first);
        }
        std::string before = name.substr(0, open);
        constexpr std::string_view call = "::operator()";
        if (parameters.empty() && before.ends_with(call)) {
            before.resize(before.size() - call.size());
        }
        name.replace(0, close + 1, before.append(parameters));
    }
    return name;
}

/// "asyncio::Coroutine<int> app::handler(Db&)" -> "app::handler(Db&)"
std::string without_return_type(std::string name) {
    // The return type ends at the last blank before the parameters that is outside of <> and ().
    int depth = 0;
    std::size_t begin = 0;
    for (std::size_t at = 0; at < name.size(); ++at) {
        const char c = name[at];
        if (c == '<' || c == '(') {
            if (c == '(' && depth == 0) {
                break;
            }
            ++depth;
        } else if (c == '>' || c == ')') {
            --depth;
        } else if (c == ' ' && depth == 0) {
            begin = at + 1;
        }
    }
    return name.substr(begin);
}

}  // namespace

std::string readable_name(const char* function) {
    return without_return_type(without_frame(function));
}

bool is_internal(std::string_view name) {
    return name.starts_with("asyncio::detail::");
}

std::string place(const std::source_location& site) {
    return std::string("File \"") + site.file_name() + "\", line " + std::to_string(site.line()) +
           ", in " + readable_name(site.function_name());
}

std::string short_place(const std::source_location& site) {
    return std::string(site.file_name()) + ":" + std::to_string(site.line()) + " in " +
           readable_name(site.function_name());
}

static std::string lines(const std::vector<std::source_location>& sites, bool with_internal) {
    std::string text;
    for (const std::source_location& site : sites) {
        if (with_internal || !is_internal(readable_name(site.function_name()))) {
            text += "\n  " + place(site);
        }
    }
    return text;
}

std::string traceback(const std::vector<std::source_location>& sites) {
    std::string text = lines(sites, false);
    return text.empty() ? lines(sites, true) : text;
}

std::string type_name(const std::type_info& type) {
    struct Free {
        void operator()(char* text) const noexcept { std::free(text); }
    };
    int status = 0;
    const std::unique_ptr<char, Free> text(
        abi::__cxa_demangle(type.name(), nullptr, nullptr, &status));
    return text != nullptr ? text.get() : type.name();
}

}  // namespace asyncio::detail
