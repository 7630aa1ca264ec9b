// model.hpp - the three ways to do several things at once that are compared.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace compare {

/// A unit is a task of asyncio, a thread, or a process.
enum class Model : std::uint8_t { asyncio, threads, processes };

inline constexpr std::size_t model_count = 3;
inline constexpr std::array<Model, model_count> models = {Model::asyncio, Model::threads,
                                                          Model::processes};

/// One of something for each model.
template <class T>
struct PerModel {
    T asyncio{};
    T threads{};
    T processes{};

    [[nodiscard]] const T& operator[](Model model) const noexcept {
        switch (model) {
            case Model::asyncio:
                return asyncio;
            case Model::threads:
                return threads;
            default:
                return processes;
        }
    }
    [[nodiscard]] T& operator[](Model model) noexcept {
        return const_cast<T&>(static_cast<const PerModel&>(*this)[model]);
    }
};

/// As the columns are called.
inline constexpr PerModel<std::string_view> model_names = {"asyncio", "threads", "processes"};
/// What units are called.
inline constexpr PerModel<std::string_view> unit_names = {"tasks", "threads", "processes"};

}  // namespace compare
