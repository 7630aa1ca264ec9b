// format.cpp - numbers for people.
//
// SPDX-License-Identifier: MIT
#include "format.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>

namespace compare {
namespace {

std::string fixed(double value, int decimals) {
    std::array<char, 64> buffer;
    const int length = std::snprintf(buffer.data(), buffer.size(), "%.*f", decimals, value);
    return {buffer.data(), std::min(static_cast<std::size_t>(std::max(length, 0)), buffer.size())};
}

std::string with_commas(std::string digits) {
    for (std::size_t place = digits.size(); place > 3;) {
        place -= 3;
        digits.insert(place, ",");
    }
    return digits;
}

}  // namespace

std::string quantity(double value) {
    if (!(value > 0) || value > 1e15) {
        return value > 0 ? "very many" : "0";
    }
    // The power of ten of the first digit, of what is left after rounding to three.
    const int power = static_cast<int>(std::floor(std::log10(value * (1 + 5e-4))));
    if (power >= 3) {
        return whole(value);
    }
    return fixed(value, std::clamp(2 - power, 0, 9));
}

std::string duration(double seconds) {
    return seconds < 0.9995 ? quantity(seconds * 1e3) + " ms" : quantity(seconds) + " s";
}

std::string whole(double value) {
    return with_commas(fixed(value, 0));
}

std::string count_of(double count, std::string_view what) {
    return whole(count) + " " + std::string(what);
}

}  // namespace compare
