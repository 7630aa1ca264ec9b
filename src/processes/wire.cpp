// wire.cpp - MessagePack, for values between processes.
//
// SPDX-License-Identifier: MIT
#include <asyncio/detail/processes/wire.hpp>

#include <asyncio/exceptions.hpp>

#include <bit>
#include <cerrno>
#include <limits>
#include <utility>

#include <fcntl.h>
#include <msgpack.hpp>

namespace asyncio::detail {

namespace {

constexpr std::size_t deepest = 512;  // values inside of each other: reading them is recursive

std::uint32_t checked_size(std::size_t size) {
    if (size > std::numeric_limits<std::uint32_t>::max()) {
        throw RuntimeError("more than 4 GiB in one value that goes to another process");
    }
    return static_cast<std::uint32_t>(size);
}

const msgpack::object& object_of(const void* object) noexcept {
    return *static_cast<const msgpack::object*>(object);
}

msgpack::packer<WireWriter> packer(WireWriter& writer) {
    return msgpack::packer<WireWriter>(writer);
}

constinit thread_local std::vector<FileDescriptor>* descriptors_here = nullptr;

}  // namespace

WireDescriptors::WireDescriptors(std::vector<FileDescriptor> descriptors) noexcept
    : descriptors_(std::move(descriptors)),
      outer_(std::exchange(descriptors_here, &descriptors_)) {}

WireDescriptors::~WireDescriptors() {
    descriptors_here = outer_;
}

void raise_wrong_value(const char* expected) {
    throw RuntimeError(std::string("what came from another process is no ") + expected);
}

// ------------------------------------------------------------------------------- WireWriter

void WireWriter::nil() {
    packer(*this).pack_nil();
}

void WireWriter::boolean(bool value) {
    value ? packer(*this).pack_true() : packer(*this).pack_false();
}

void WireWriter::integer(std::int64_t value) {
    packer(*this).pack_int64(value);
}

void WireWriter::natural(std::uint64_t value) {
    packer(*this).pack_uint64(value);
}

// By its bits: the packer makes integers of numbers that are whole, and the sign of zero is lost.
void WireWriter::real(double value) {
    packer(*this).pack_uint64(std::bit_cast<std::uint64_t>(value));
}

void WireWriter::text(std::string_view value) {
    const std::uint32_t size = checked_size(value.size());
    packer(*this).pack_str(size).pack_str_body(value.data(), size);
}

void WireWriter::bytes(const void* data, std::size_t size) {
    const auto* const first = static_cast<const char*>(data);
    packer(*this).pack_bin(checked_size(size)).pack_bin_body(first, checked_size(size));
}

void WireWriter::descriptor(int fd) {
    FileDescriptor copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!copy) {
        raise_os_error(errno, "send a descriptor to another process");
    }
    natural(descriptors_.size());
    descriptors_.push_back(std::move(copy));
}

void WireWriter::array(std::size_t size) {
    packer(*this).pack_array(checked_size(size));
}

// -------------------------------------------------------------------------------- WireValue

bool WireValue::is_nil() const noexcept {
    return object_of(object_).type == msgpack::type::NIL;
}

bool WireValue::boolean() const {
    const msgpack::object& object = object_of(object_);
    if (object.type != msgpack::type::BOOLEAN) {
        raise_wrong_value("bool");
    }
    return object.via.boolean;
}

std::int64_t WireValue::integer() const {
    const msgpack::object& object = object_of(object_);
    if (object.type == msgpack::type::NEGATIVE_INTEGER) {
        return object.via.i64;
    }
    const std::uint64_t value = natural();
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        raise_wrong_value("integer of this range");
    }
    return static_cast<std::int64_t>(value);
}

std::uint64_t WireValue::natural() const {
    const msgpack::object& object = object_of(object_);
    if (object.type != msgpack::type::POSITIVE_INTEGER) {
        raise_wrong_value("integer of this range");
    }
    return object.via.u64;
}

double WireValue::real() const {
    return std::bit_cast<double>(natural());
}

std::string_view WireValue::text() const {
    const msgpack::object& object = object_of(object_);
    if (object.type != msgpack::type::STR) {
        raise_wrong_value("text");
    }
    return {object.via.str.ptr, object.via.str.size};
}

std::string_view WireValue::bytes() const {
    const msgpack::object& object = object_of(object_);
    if (object.type != msgpack::type::BIN) {
        raise_wrong_value("row of bytes");
    }
    return {object.via.bin.ptr, object.via.bin.size};
}

FileDescriptor WireValue::descriptor() const {
    const std::uint64_t index = natural();
    if (descriptors_here == nullptr || index >= descriptors_here->size() ||
        !(*descriptors_here)[index]) {
        raise_wrong_value("descriptor");
    }
    return std::move((*descriptors_here)[index]);
}

std::size_t WireValue::size() const {
    const msgpack::object& object = object_of(object_);
    if (object.type != msgpack::type::ARRAY) {
        raise_wrong_value("array");
    }
    return object.via.array.size;
}

void WireValue::expect_size(std::size_t expected) const {
    if (size() != expected) {
        raise_wrong_value("array of this size");
    }
}

WireValue WireValue::operator[](std::size_t index) const {
    if (index >= size()) {
        raise_wrong_value("array of this size");
    }
    return WireValue(object_of(object_).via.array.ptr + index);
}

// ----------------------------------------------------------------------------- WireDocument

struct WireDocument::Parsed {
    msgpack::object_handle handle;
};

namespace {

/// Counts what is in all arrays. Arrays in one another may each say that they have as many as there
/// are bytes; all of them together have not.
struct Count : msgpack::null_visitor {
    explicit Count(std::size_t most) noexcept : left(most) {}
    bool start_array(std::uint32_t size) {
        if (size > left) {
            throw RuntimeError("what came from another process is larger than it can be");
        }
        left -= size;
        return true;
    }
    std::size_t left;
};

}  // namespace

WireDocument::WireDocument(std::string_view bytes) : parsed_(std::make_unique<Parsed>()) {
    // Whatever is in an array takes a byte at least: one that says to have more than there are
    // bytes is refused before memory is taken for it. Text and bytes stay where they are.
    const msgpack::unpack_limit limit(bytes.size(), 0, bytes.size(), bytes.size(), 0, deepest);
    const auto stay = [](msgpack::type::object_type, std::size_t, void*) { return true; };
    std::size_t read = 0;
    try {
        constexpr std::size_t harmless = 256;  // whatever it says
        if (bytes.size() > harmless) {
            Count count(bytes.size());
            std::size_t counted = 0;
            static_cast<void>(msgpack::parse(bytes.data(), bytes.size(), counted, count));
        }
        parsed_->handle = msgpack::unpack(bytes.data(), bytes.size(), read, stay, nullptr, limit);
    } catch (const msgpack::unpack_error& error) {
        throw RuntimeError(std::string("what came from another process cannot be read: ") +
                           error.what());
    }
    if (read != bytes.size()) {
        throw RuntimeError("what came from another process has something behind its end");
    }
}

WireDocument::~WireDocument() = default;

WireValue WireDocument::value() const noexcept {
    return WireValue(&parsed_->handle.get());
}

}  // namespace asyncio::detail
