// std_headers.cpp - what a program pays that uses only the standard library: the 1.00 of the table.
//
// SPDX-License-Identifier: MIT
#include <chrono>
#include <coroutine>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

int main() {
    return 0;
}
