// views.hpp - the lines that writelines() was given, as views.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <initializer_list>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace asyncio::detail {

/// A range of strings, or of what is one on demand.
template <class Lines>
concept LinesOfText = !std::convertible_to<const Lines&, std::string_view> &&
                      !std::convertible_to<const Lines&, std::span<const std::string_view>> &&
                      requires(const Lines& lines) { std::begin(lines) != std::end(lines); };

/// Calls `write` with views of the lines.
template <LinesOfText Lines, class Write>
void with_views(const Lines& lines, Write write) {
    using Item = decltype(*std::begin(lines));
    std::vector<std::string_view> views;
    if constexpr (std::is_lvalue_reference_v<Item> ||
                  std::is_same_v<std::remove_cvref_t<Item>, std::string_view>) {
        for (const auto& line : lines) {
            views.emplace_back(line);
        }
        write(std::span<const std::string_view>(views));
    } else {  // the range makes each one when it is asked for it
        std::vector<std::string> kept;
        for (const auto& line : lines) {
            kept.emplace_back(line);
        }
        views.assign(kept.begin(), kept.end());
        write(std::span<const std::string_view>(views));
    }
}

}  // namespace asyncio::detail
