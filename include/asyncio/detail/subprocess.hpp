// subprocess.hpp - what is to be started, as create_subprocess_exec() and its kin are told.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/config.hpp>
#include <asyncio/exceptions.hpp>

#include <concepts>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace asyncio {

/// What a program gets as one of its standard streams; see PIPE. By default what the function that
/// starts it says.
class Stdio {
public:
    enum class Kind : std::uint8_t { unset, inherit, pipe, to_stdout, devnull, descriptor };

    constexpr Stdio() noexcept = default;
    /// A descriptor: the program gets a duplicate. std::invalid_argument if it is negative.
    constexpr Stdio(int fd) : Stdio(Kind::descriptor, fd) {
        if (fd < 0) {
            detail::raise_value_error("a file descriptor is not negative");
        }
    }
    /// That of a file, a socket, ...: of whatever has a fileno().
    template <class F>
        requires requires(const F& file) {
            { file.fileno() } -> std::convertible_to<int>;
        }
    Stdio(const F& file) : Stdio(static_cast<int>(file.fileno())) {}
    constexpr Stdio(Kind kind, int fd) noexcept : kind_(kind), fd_(fd) {}

    [[nodiscard]] constexpr Kind kind() const noexcept { return kind_; }
    [[nodiscard]] constexpr int fd() const noexcept { return fd_; }
    friend constexpr bool operator==(const Stdio&, const Stdio&) noexcept = default;

private:
    Kind kind_ = Kind::unset;
    int fd_ = -1;
};
static_assert(detail::trivially_destructible<Stdio>);

/// A user or a group: a number, or a name to be looked up.
class UserOrGroup {
public:
    constexpr UserOrGroup(int id) noexcept : id_(id) {}
    constexpr UserOrGroup(unsigned id) noexcept : id_(id) {}
    constexpr UserOrGroup(std::string_view name) noexcept : name_(name) {}
    constexpr UserOrGroup(const char* name) noexcept : name_(name) {}

    /// -1 if it is called by its name.
    [[nodiscard]] constexpr std::int64_t id() const noexcept { return id_; }
    [[nodiscard]] constexpr std::string_view name() const noexcept { return name_; }

private:
    std::int64_t id_ = -1;
    std::string_view name_;
};
static_assert(detail::trivially_destructible<UserOrGroup>);

/// The variables of a program: a view of any range of pairs of names and values (a std::map), or of
/// texts of the form "NAME=value". It is read when the program is asked for.
class Environment {
public:
    constexpr Environment() noexcept = default;
    template <class Range>
        requires(!std::same_as<Range, Environment> &&
                 requires(const Range& range) {
                     std::begin(range);
                     std::end(range);
                 })
    Environment(const Range& range) noexcept
        : range_(&range), append_([](const void* pointer, std::vector<std::string>& texts) {
              for (const auto& each : *static_cast<const Range*>(pointer)) {
                  texts.push_back(text(each));
              }
          }) {}

    [[nodiscard]] constexpr bool given() const noexcept { return append_ != nullptr; }
    /// One text of the form "NAME=value" for each.
    void append_to(std::vector<std::string>& texts) const { append_(range_, texts); }

private:
    template <class Each>
    static std::string text(const Each& each) {
        if constexpr (std::convertible_to<const Each&, std::string_view>) {
            return std::string(std::string_view(each));
        } else {
            const auto& [name, value] = each;
            std::string joined{std::string_view(name)};
            if (joined.find('=') != std::string::npos) {
                detail::raise_value_error("illegal environment variable name");
            }
            joined += '=';
            joined += std::string_view(value);
            return joined;
        }
    }

    const void* range_ = nullptr;
    void (*append_)(const void*, std::vector<std::string>&) = nullptr;
};
static_assert(detail::trivially_destructible<Environment>);

namespace detail {

/// A text, a path, or any range of these.
template <class T>
void append_arguments(std::vector<std::string>& arguments, const T& argument) {
    if constexpr (std::convertible_to<const T&, std::string_view>) {
        arguments.emplace_back(std::string_view(argument));
    } else if constexpr (std::convertible_to<const T&, std::string>) {
        arguments.push_back(argument);
    } else {
        for (const auto& each : argument) {
            append_arguments(arguments, each);
        }
    }
}

template <class... T>
std::vector<std::string> make_arguments(const T&... arguments) {
    std::vector<std::string> all;
    all.reserve(sizeof...(T));
    (append_arguments(all, arguments), ...);
    return all;
}

template <class T>
concept Argument = std::convertible_to<const T&, std::string_view> ||
                   std::convertible_to<const T&, std::string> || requires(const T& range) {
                       std::begin(range);
                       std::end(range);
                   };

}  // namespace detail

}  // namespace asyncio
