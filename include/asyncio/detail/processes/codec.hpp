// codec.hpp - what can be sent to another process: codec<T>, for types of one's own; Sendable<T>.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/processes/fields.hpp>
#include <asyncio/detail/processes/wire.hpp>
#include <asyncio/time.hpp>

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace asyncio {

/// How a type of one's own goes to another process, if it is no aggregate of what can be sent: as a
/// value of another type that can.
///
///     template <>
///     struct asyncio::codec<Money> {
///         static std::int64_t encode(const Money& money) { return money.cents(); }
///         static Money decode(std::int64_t cents) { return Money(cents); }
///     };
///
/// Or, of a class that can be made empty, by its members: `: asyncio::fields<&Point::x,
/// &Point::y>`.
template <class T>
struct codec {
    using none = void;
};

namespace detail {

/// How a T is written and read. Whatever has `write` and `read` can be sent.
template <class T>
struct Wire {};

}  // namespace detail

/// Can it be sent to another process and back? Numbers, enumerations, text, containers, tuple,
/// optional, variant, unique_ptr and shared_ptr (of which there are two afterwards), durations and
/// points in time, paths, functions, aggregates without base classes; and what has a codec.
template <class T>
concept Sendable =
    requires(detail::WireWriter& writer, const detail::WireValue& value, const T& t) {
        detail::Wire<T>::write(writer, t);
        { detail::Wire<T>::read(value) } -> std::same_as<T>;
    };

namespace detail {

template <class T>
void write_value(WireWriter& writer, const T& value) {
    Wire<T>::write(writer, value);
}

template <class T>
T read_value(const WireValue& value) {
    return Wire<T>::read(value);
}

// ------------------------------------------------------------------------ types of one's own

template <class T>
concept HasCodec = !requires { typename codec<T>::none; };

template <class T>
using Encoded = std::remove_cvref_t<decltype(codec<T>::encode(std::declval<const T&>()))>;

template <HasCodec T>
struct Wire<T> {
    static void write(WireWriter& writer, const T& value)
        requires Sendable<Encoded<T>>
    {
        write_value<Encoded<T>>(writer, codec<T>::encode(value));
    }
    static T read(const WireValue& value)
        requires Sendable<Encoded<T>>
    {
        return codec<T>::decode(read_value<Encoded<T>>(value));
    }
};

/// What is copied as it is: both processes are the same program.
template <class T>
struct WireOfBytes {
    static_assert(std::is_trivially_copyable_v<T>);
    static void write(WireWriter& writer, const T& value) { writer.bytes(&value, sizeof value); }
    static T read(const WireValue& value) {
        const std::string_view bytes = value.bytes();
        if (bytes.size() != sizeof(T)) {
            raise_wrong_value("value of this type");
        }
        std::array<char, sizeof(T)> copy{};
        std::memcpy(copy.data(), bytes.data(), sizeof(T));
        return std::bit_cast<T>(copy);
    }
};

// ---------------------------------------------------------------------------------- numbers

template <class T>
    requires(std::is_integral_v<T> && sizeof(T) <= sizeof(std::int64_t) && !HasCodec<T>)
struct Wire<T> {
    static void write(WireWriter& writer, T value) {
        if constexpr (std::is_same_v<T, bool>) {
            writer.boolean(value);
        } else if constexpr (std::is_signed_v<T>) {
            writer.integer(static_cast<std::int64_t>(value));
        } else {
            writer.natural(static_cast<std::uint64_t>(value));
        }
    }
    static T read(const WireValue& value) {
        if constexpr (std::is_same_v<T, bool>) {
            return value.boolean();
        } else if constexpr (std::is_signed_v<T>) {
            const std::int64_t number = value.integer();
            if (number < std::int64_t{std::numeric_limits<T>::min()} ||
                number > std::int64_t{std::numeric_limits<T>::max()}) {
                raise_wrong_value("integer of this range");
            }
            return static_cast<T>(number);
        } else {
            const std::uint64_t number = value.natural();
            if (number > std::uint64_t{std::numeric_limits<T>::max()}) {
                raise_wrong_value("integer of this range");
            }
            return static_cast<T>(number);
        }
    }
};

template <class T>
    requires(std::is_same_v<T, float> || std::is_same_v<T, double>)
struct Wire<T> {
    static void write(WireWriter& writer, T value) { writer.real(static_cast<double>(value)); }
    static T read(const WireValue& value) { return static_cast<T>(value.real()); }
};

template <>
struct Wire<long double> : WireOfBytes<long double> {};
__extension__ typedef __int128 Integer128;
__extension__ typedef unsigned __int128 Natural128;
template <>
struct Wire<Integer128> : WireOfBytes<Integer128> {};
template <>
struct Wire<Natural128> : WireOfBytes<Natural128> {};

template <class T>
    requires(std::is_enum_v<T> && !HasCodec<T>)
struct Wire<T> {
    using Number = std::underlying_type_t<T>;
    static void write(WireWriter& writer, T value) {
        write_value<Number>(writer, static_cast<Number>(value));
    }
    static T read(const WireValue& value) { return static_cast<T>(read_value<Number>(value)); }
};

// ------------------------------------------------------------------- nothing, one of several

template <class T>
    requires(std::is_same_v<T, std::nullptr_t> ||
             (std::is_empty_v<T> && std::is_trivially_copyable_v<T> &&
              std::is_default_constructible_v<T> && !HasCodec<T>))
struct Wire<T> {
    static void write(WireWriter& writer, const T&) { writer.nil(); }
    static T read(const WireValue& value) {
        if (!value.is_nil()) {
            raise_wrong_value("empty value");
        }
        return T{};
    }
};

template <Sendable T>
struct Wire<std::optional<T>> {
    // In an array, so that an optional of an optional is what it was.
    static void write(WireWriter& writer, const std::optional<T>& value) {
        writer.array(value.has_value() ? 1 : 0);
        if (value.has_value()) {
            write_value<T>(writer, *value);
        }
    }
    static std::optional<T> read(const WireValue& value) {
        if (value.size() == 0) {
            return std::nullopt;
        }
        value.expect_size(1);
        return read_value<T>(value[0]);
    }
};

/// unique_ptr and shared_ptr: what they point to, or nothing.
template <class Pointer>
struct WireOfPointer {
    using T = typename Pointer::element_type;
    static void write(WireWriter& writer, const Pointer& value) {
        writer.array(value != nullptr ? 1 : 0);
        if (value != nullptr) {
            write_value<T>(writer, *value);
        }
    }
    static Pointer read(const WireValue& value) {
        if (value.size() == 0) {
            return nullptr;
        }
        value.expect_size(1);
        return Pointer(new T(read_value<T>(value[0])));
    }
};
template <class T>
    requires(!std::is_polymorphic_v<T>)
struct Wire<std::unique_ptr<T>> : WireOfPointer<std::unique_ptr<T>> {};
template <class T>
    requires(!std::is_polymorphic_v<T>)
struct Wire<std::shared_ptr<T>> : WireOfPointer<std::shared_ptr<T>> {};

template <Sendable... T>
struct Wire<std::variant<T...>> {
    using Variant = std::variant<T...>;
    static void write(WireWriter& writer, const Variant& value) {
        writer.array(2);
        writer.natural(value.index());
        std::visit([&writer]<class U>(const U& held) { write_value<U>(writer, held); }, value);
    }
    static Variant read(const WireValue& value) {
        value.expect_size(2);
        return read_one(value[0].natural(), value[1], std::index_sequence_for<T...>());
    }

private:
    template <std::size_t... index>
    static Variant read_one(std::uint64_t which, const WireValue& value,
                            std::index_sequence<index...>) {
        std::optional<Variant> result;
        static_cast<void>(
            ((which == index &&
              (result.emplace(std::in_place_index<index>, read_value<T>(value)), true)) ||
             ...));
        if (!result.has_value()) {
            raise_wrong_value("variant of these types");
        }
        return std::move(*result);
    }
};

// ---------------------------------------------------------------------- several, each its own

template <class Tuple, class... T>
struct WireOfTuple {
    static void write(WireWriter& writer, const Tuple& value) {
        writer.array(sizeof...(T));
        std::apply([&writer](const T&... each) { (write_value<T>(writer, each), ...); }, value);
    }
    static Tuple read(const WireValue& value) {
        value.expect_size(sizeof...(T));
        return read_each(value, std::index_sequence_for<T...>());
    }

private:
    template <std::size_t... index>
    static Tuple read_each(const WireValue& value, std::index_sequence<index...>) {
        return Tuple{read_value<T>(value[index])...};
    }
};
template <Sendable... T>
    requires(sizeof...(T) > 0)
struct Wire<std::tuple<T...>> : WireOfTuple<std::tuple<T...>, T...> {};
template <Sendable A, Sendable B>
struct Wire<std::pair<A, B>> : WireOfTuple<std::pair<A, B>, A, B> {};

/// What std::complex is, without its header.
template <class T>
concept Complex = requires(const T& t) {
    typename T::value_type;
    { t.real() } -> std::same_as<typename T::value_type>;
    { t.imag() } -> std::same_as<typename T::value_type>;
    T(t.real(), t.imag());
};
template <Complex T>
    requires(!HasCodec<T>)
struct Wire<T> {
    using Part = typename T::value_type;
    static void write(WireWriter& writer, const T& value) {
        writer.array(2);
        write_value<Part>(writer, value.real());
        write_value<Part>(writer, value.imag());
    }
    static T read(const WireValue& value) {
        value.expect_size(2);
        return T(read_value<Part>(value[0]), read_value<Part>(value[1]));
    }
};

// ------------------------------------------------------------------- several of the same kind

/// Numbers that lie one behind the other are copied all at once.
template <class T>
inline constexpr bool is_plain =
    (std::is_arithmetic_v<T> || std::is_same_v<T, std::byte>) && !std::is_same_v<T, bool>;

template <class T>
concept Resizable = requires(T& t, std::size_t size) {
    typename T::value_type;
    t.resize(size);
    { t.data() } -> std::same_as<typename T::value_type*>;
};

template <class T>
concept Sequence = !HasCodec<T> && requires(T& t, const T& c, typename T::value_type item) {
    t.push_back(std::move(item));
    c.begin();
    c.size();
};

template <class T>
concept Set = !HasCodec<T> && requires(T& t, const T& c, typename T::key_type item) {
    t.insert(std::move(item));
    c.begin();
    c.size();
    requires std::same_as<typename T::key_type, typename T::value_type>;
};

template <class T>
concept Mapping = !HasCodec<T> && requires(T& t, const T& c, typename T::key_type key,
                                           typename T::mapped_type item) {
    t.emplace(std::move(key), std::move(item));
    c.begin();
    c.size();
};

template <>
struct Wire<std::string> {
    static void write(WireWriter& writer, const std::string& value) { writer.text(value); }
    static std::string read(const WireValue& value) { return std::string(value.text()); }
};

template <Sequence T>
    requires(Resizable<T> && is_plain<typename T::value_type> && !std::is_same_v<T, std::string>)
struct Wire<T> {
    using Item = typename T::value_type;
    static void write(WireWriter& writer, const T& value) {
        writer.bytes(value.data(), value.size() * sizeof(Item));
    }
    static T read(const WireValue& value) {
        const std::string_view bytes = value.bytes();
        if (bytes.size() % sizeof(Item) != 0) {
            raise_wrong_value("row of numbers");
        }
        T result;
        result.resize(bytes.size() / sizeof(Item));
        if (!bytes.empty()) {
            std::memcpy(result.data(), bytes.data(), bytes.size());
        }
        return result;
    }
};

template <Sequence T>
    requires(!(Resizable<T> && is_plain<typename T::value_type>) &&
             Sendable<typename T::value_type>)
struct Wire<T> {
    using Item = typename T::value_type;
    static void write(WireWriter& writer, const T& value) {
        writer.array(value.size());
        for (auto&& item : value) {
            write_value<Item>(writer, item);
        }
    }
    static T read(const WireValue& value) {
        T result;
        const std::size_t size = value.size();
        for (std::size_t i = 0; i < size; ++i) {
            result.push_back(read_value<Item>(value[i]));
        }
        return result;
    }
};

template <Set T>
    requires Sendable<typename T::key_type>
struct Wire<T> {
    using Item = typename T::key_type;
    static void write(WireWriter& writer, const T& value) {
        writer.array(value.size());
        for (const Item& item : value) {
            write_value<Item>(writer, item);
        }
    }
    static T read(const WireValue& value) {
        T result;
        const std::size_t size = value.size();
        for (std::size_t i = 0; i < size; ++i) {
            result.insert(read_value<Item>(value[i]));
        }
        return result;
    }
};

template <Mapping T>
    requires(Sendable<typename T::key_type> && Sendable<typename T::mapped_type>)
struct Wire<T> {
    using Key = typename T::key_type;
    using Item = typename T::mapped_type;
    // Keys and values in turn: sizes are those of arrays only, and are checked in one place.
    static void write(WireWriter& writer, const T& value) {
        writer.array(2 * value.size());
        for (const auto& [key, item] : value) {
            write_value<Key>(writer, key);
            write_value<Item>(writer, item);
        }
    }
    static T read(const WireValue& value) {
        T result;
        const std::size_t size = value.size();
        for (std::size_t i = 0; i < size; i += 2) {
            result.emplace(read_value<Key>(value[i]), read_value<Item>(value[i + 1]));
        }
        return result;
    }
};

template <Sendable T, std::size_t count>
struct Wire<std::array<T, count>> {
    using Array = std::array<T, count>;
    static void write(WireWriter& writer, const Array& value) {
        writer.array(count);
        for (const T& item : value) {
            write_value<T>(writer, item);
        }
    }
    static Array read(const WireValue& value) {
        value.expect_size(count);
        return read_each(value, std::make_index_sequence<count>());
    }

private:
    template <std::size_t... index>
    static Array read_each([[maybe_unused]] const WireValue& value, std::index_sequence<index...>) {
        return Array{read_value<T>(value[index])...};
    }
};

/// What std::bitset is.
template <std::size_t count, template <std::size_t> class Bits>
    requires requires(Bits<count>& bits) {
        bits.test(count);
        bits.set(count, true);
    }
struct Wire<Bits<count>> {
    static void write(WireWriter& writer, const Bits<count>& value) {
        writer.text(value.to_string());
    }
    static Bits<count> read(const WireValue& value) {
        if (value.text().size() != count) {
            raise_wrong_value("bitset of this size");
        }
        return Bits<count>(std::string(value.text()));
    }
};

// ---------------------------------------------------------------------------- time and files

template <class Rep, class Period>
struct Wire<std::chrono::duration<Rep, Period>> {
    using Time = std::chrono::duration<Rep, Period>;
    static void write(WireWriter& writer, const Time& value) {
        write_value<Rep>(writer, value.count());
    }
    static Time read(const WireValue& value) { return Time(read_value<Rep>(value)); }
};

/// Clocks of the system are those of all processes.
template <class ClockType, class Length>
struct Wire<std::chrono::time_point<ClockType, Length>> {
    using Time = std::chrono::time_point<ClockType, Length>;
    static void write(WireWriter& writer, const Time& value) {
        write_value<Length>(writer, value.time_since_epoch());
    }
    static Time read(const WireValue& value) { return Time(read_value<Length>(value)); }
};

template <>
struct Wire<Duration> {
    static void write(WireWriter& writer, const Duration& value) {
        writer.integer(value.nanoseconds());
    }
    static Duration read(const WireValue& value) {
        return Duration(std::chrono::nanoseconds(value.integer()));
    }
};

template <class T, class... Any>
inline constexpr bool is_one_of = (std::is_same_v<T, Any> || ...);

template <class T>
    requires is_one_of<T, std::chrono::day, std::chrono::month, std::chrono::year,
                       std::chrono::weekday, std::chrono::month_day, std::chrono::year_month,
                       std::chrono::year_month_day>
struct Wire<T> : WireOfBytes<T> {};

/// What std::filesystem::path is, without its header.
template <class T>
concept Path = requires(const T& t) {
    typename T::string_type;
    { t.native() } -> std::same_as<const std::string&>;
    t.lexically_normal();
};
template <Path T>
struct Wire<T> {
    static void write(WireWriter& writer, const T& value) { writer.text(value.native()); }
    static T read(const WireValue& value) { return T(std::string(value.text())); }
};

/// Of the two categories that are the same in each process; others come as errors of the system.
template <>
struct Wire<std::error_code> {
    static void write(WireWriter& writer, const std::error_code& value) {
        writer.array(2);
        writer.boolean(value.category() == std::generic_category());
        writer.integer(value.value());
    }
    static std::error_code read(const WireValue& value) {
        value.expect_size(2);
        const int number = read_value<int>(value[1]);
        return value[0].boolean() ? std::error_code(number, std::generic_category())
                                  : std::error_code(number, std::system_category());
    }
};

// --------------------------------------------------------------------------------- aggregates

template <class T>
concept Record = !HasCodec<T> && std::is_aggregate_v<T> && std::is_class_v<T> &&
                 !std::is_empty_v<T> && !requires { std::tuple_size<T>::value; };

/// Whether the fields can be sent is asked only where they are: they may be of this type again, in
/// a container.
template <Record T>
struct Wire<T> {
    static void write(WireWriter& writer, const T& value) {
        writer.array(field_count<T>);
        visit_fields(value, [&writer]<class... F>(const F&... field) {
            static_assert((Sendable<F> && ...),
                          "a field of this aggregate cannot be sent to another process");
            (write_value<F>(writer, field), ...);
        });
    }
    static T read(const WireValue& value) {
        value.expect_size(field_count<T>);
        return read_each(value, FieldsOf<T>(), std::make_index_sequence<field_count<T>>());
    }

private:
    template <class... F, std::size_t... index>
    static T read_each(const WireValue& value, FieldList<F...>, std::index_sequence<index...>) {
        return T{read_value<F>(value[index])...};
    }
};

}  // namespace detail

namespace detail {

template <class T>
struct MemberPointer;
template <class T, class Class>
struct MemberPointer<T Class::*> {
    using type = T;
    using class_type = Class;
};

}  // namespace detail

/// The base of a codec<T> of a class that can be made empty: sends these members.
template <auto first, auto... rest>
struct fields {
    using T = typename detail::MemberPointer<decltype(first)>::class_type;
    using Tuple = std::tuple<typename detail::MemberPointer<decltype(first)>::type,
                             typename detail::MemberPointer<decltype(rest)>::type...>;
    static Tuple encode(const T& value) { return Tuple(value.*first, value.*rest...); }
    static T decode(Tuple values) {
        T result;
        std::apply(
            [&result](auto& head, auto&... tail) {
                result.*first = std::move(head);
                ((result.*rest = std::move(tail)), ...);
            },
            values);
        return result;
    }
};

}  // namespace asyncio
