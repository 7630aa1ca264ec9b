// wire.hpp - values on their way to another process: written one by one, and read again.
//
// The format is MessagePack, by the library of that name, which only src/processes/wire.cpp knows.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/descriptors.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace asyncio::detail {

/// Writes values one behind the other; an array is its size and then what is in it.
class WireWriter {
public:
    void nil();
    void boolean(bool value);
    void integer(std::int64_t value);
    void natural(std::uint64_t value);
    void real(double value);
    void text(std::string_view value);
    void bytes(const void* data, std::size_t size);
    /// Of `size` values, which follow.
    void array(std::size_t size);

    /// A descriptor of its own for the same file goes along. OSError.
    void descriptor(int fd);

    /// Puts bytes behind what is there, as they are.
    void write(const char* data, std::size_t size) { bytes_.append(data, size); }
    [[nodiscard]] std::string& written() noexcept { return bytes_; }
    [[nodiscard]] std::vector<FileDescriptor>& descriptors() noexcept { return descriptors_; }

private:
    std::string bytes_;
    std::vector<FileDescriptor> descriptors_;
};

/// The descriptors that came with what this thread reads, while it exists.
class WireDescriptors {
public:
    explicit WireDescriptors(std::vector<FileDescriptor> descriptors) noexcept;
    WireDescriptors(const WireDescriptors&) = delete;
    WireDescriptors& operator=(const WireDescriptors&) = delete;
    ~WireDescriptors();

private:
    std::vector<FileDescriptor> descriptors_;
    std::vector<FileDescriptor>* outer_;
};

/// A value that was written, or one inside of it. What it gives views is good as long as its
/// WireDocument and the bytes that this was made of.
///
/// Errors: RuntimeError if it is not what it is taken for, or out of range.
class WireValue {
public:
    [[nodiscard]] bool is_nil() const noexcept;
    [[nodiscard]] bool boolean() const;
    [[nodiscard]] std::int64_t integer() const;
    [[nodiscard]] std::uint64_t natural() const;
    [[nodiscard]] double real() const;
    [[nodiscard]] std::string_view text() const;
    [[nodiscard]] std::string_view bytes() const;
    /// Once: it is the caller's.
    [[nodiscard]] FileDescriptor descriptor() const;
    /// The number of values in an array.
    [[nodiscard]] std::size_t size() const;
    /// The same, if it is `expected`.
    void expect_size(std::size_t expected) const;
    [[nodiscard]] WireValue operator[](std::size_t index) const;

private:
    friend class WireDocument;
    explicit WireValue(const void* object) noexcept : object_(object) {}

    const void* object_;
};

/// Bytes that hold one value, taken apart. Sizes in them are not believed: neither is read beyond
/// the end, nor memory taken for what cannot be there.
class WireDocument {
public:
    /// RuntimeError if they are not exactly one value.
    explicit WireDocument(std::string_view bytes);
    WireDocument(const WireDocument&) = delete;
    WireDocument& operator=(const WireDocument&) = delete;
    ~WireDocument();

    [[nodiscard]] WireValue value() const noexcept;

private:
    struct Parsed;
    std::unique_ptr<Parsed> parsed_;
};

/// Throws the RuntimeError of WireValue.
[[noreturn]] void raise_wrong_value(const char* expected);

}  // namespace asyncio::detail
