// short_address.hpp - an address in less memory: ShortAddress.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/sockets.hpp>

#include <array>
#include <cstdint>
#include <cstring>

#include <netinet/in.h>

namespace asyncio::detail {

/// An address in less memory: there are two in each connection. Longer ones, the paths of Unix
/// sockets, are on the heap.
class ShortAddress {
public:
    explicit ShortAddress(const lowlevel::SocketAddress& raw)
        : size_(static_cast<std::uint8_t>(raw.size)) {
        if (in_place()) {
            std::memcpy(bytes_.data(), raw.storage, size_);
        } else {
            auto* const elsewhere = new unsigned char[size_];
            std::memcpy(elsewhere, raw.storage, size_);
            std::memcpy(bytes_.data(), &elsewhere, sizeof elsewhere);
        }
    }
    ShortAddress(const ShortAddress&) = delete;
    ShortAddress& operator=(const ShortAddress&) = delete;
    ~ShortAddress() {
        if (!in_place()) {
            delete[] elsewhere();
        }
    }

    [[nodiscard]] Address get() const noexcept {
        lowlevel::SocketAddress raw;
        std::memcpy(raw.storage, in_place() ? bytes_.data() : elsewhere(), size_);
        raw.size = size_;
        return Address(raw);
    }

private:
    [[nodiscard]] bool in_place() const noexcept { return size_ <= bytes_.size(); }
    [[nodiscard]] unsigned char* elsewhere() const noexcept {
        unsigned char* address = nullptr;
        std::memcpy(&address, bytes_.data(), sizeof address);
        return address;
    }

    std::array<unsigned char, sizeof(sockaddr_in6)> bytes_;  // or a pointer, which is not aligned
    std::uint8_t size_;
};

}  // namespace asyncio::detail
