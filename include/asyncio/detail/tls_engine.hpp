// tls_engine.hpp - TLS as the library's core sees it: something that turns ciphertext into
// plaintext and back, without a socket. asyncio::ssl has the one that uses OpenSSL.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace asyncio::detail {

/// Ciphertext on its way to or from an engine: a queue of bytes, and its end.
///
/// What has just been received may be lent, which spares a copy: it is read after what is queued,
/// and whatever the engine did not read of it is queued by keep().
class TLSBuffer {
public:
    void append(std::string_view bytes) {
        if (begin_ > queued_.size() / 2) {
            queued_.erase(0, std::exchange(begin_, 0));
        }
        queued_.append(bytes);
    }
    void lend(std::string_view bytes) noexcept { lent_ = bytes; }
    void keep() {
        if (!lent_.empty()) {
            append(std::exchange(lent_, {}));
        }
    }
    void end() noexcept { ended_ = true; }
    [[nodiscard]] bool has_ended() const noexcept { return ended_; }

    /// How many bytes were there to be copied, `most` at most.
    std::size_t take(char* into, std::size_t most) noexcept {
        const std::size_t first = std::min(most, queued_.size() - begin_);
        if (first > 0) {
            std::memcpy(into, queued_.data() + begin_, first);
            discard(first);
        }
        const std::size_t second = std::min(most - first, lent_.size());
        if (second > 0) {
            std::memcpy(into + first, lent_.data(), second);
            lent_.remove_prefix(second);
        }
        return first + second;
    }
    /// What is queued, to be sent; discard() what was.
    [[nodiscard]] std::string_view queued() const noexcept {
        return std::string_view(queued_).substr(begin_);
    }
    // Memory is given up as soon as it is not needed: connections that wait have none.
    void discard(std::size_t n) noexcept {
        begin_ += n;
        if (begin_ >= queued_.size()) {
            std::string().swap(queued_);
            begin_ = 0;
        }
    }

    [[nodiscard]] std::size_t pending() const noexcept {
        return queued_.size() - begin_ + lent_.size();
    }
    /// Everything was read, and nothing more will come.
    [[nodiscard]] bool eof() const noexcept { return ended_ && pending() == 0; }

private:
    std::string queued_;
    std::size_t begin_ = 0;  // of what is still to be read
    std::string_view lent_;
    bool ended_ = false;
};

/// What an engine could do.
enum class TLSStatus : std::uint8_t {
    done,
    want_read,   ///< nothing, before more is received
    want_write,  ///< nothing, before something is sent
    closed,      ///< nothing: the peer has ended its stream, properly
    ended,       ///< nothing: the stream below has ended, without that
    failed,      ///< nothing: error() says why
};

/// One end of a TLS connection. It reads ciphertext from one TLSBuffer and appends to another. No
/// call throws.
class TLSEngine : public std::enable_shared_from_this<TLSEngine> {
public:
    TLSEngine() = default;
    TLSEngine(const TLSEngine&) = delete;
    TLSEngine& operator=(const TLSEngine&) = delete;
    virtual ~TLSEngine() = default;

    virtual TLSStatus handshake() noexcept = 0;
    /// Up to one record of plaintext; `size` says how much it was.
    virtual TLSStatus read(std::span<char> into, std::size_t& size) noexcept = 0;
    /// Encrypts at least a part of it; `size` says how much it was.
    virtual TLSStatus write(std::string_view from, std::size_t& size) noexcept = 0;
    /// Says that nothing more will be written.
    virtual TLSStatus end_writing() noexcept = 0;
    /// The same, and done when the peer has said so, too.
    virtual TLSStatus shut() noexcept = 0;

    /// Why the last call was not done; null if it was.
    [[nodiscard]] virtual std::exception_ptr error() const = 0;
    /// Plaintext that was decrypted and not read.
    [[nodiscard]] virtual std::size_t pending() const noexcept = 0;
    /// "cipher", "compression", "peercert", "ssl_object", "sslcontext" as text, of a connection
    /// whose handshake is done.
    [[nodiscard]] virtual std::optional<std::string> extra_info(std::string_view name) const = 0;
};

/// What an SSLContext is a handle of.
class TLSContext : public std::enable_shared_from_this<TLSContext> {
public:
    TLSContext() = default;
    TLSContext(const TLSContext&) = delete;
    TLSContext& operator=(const TLSContext&) = delete;
    virtual ~TLSContext() = default;

    /// An end of a connection. Throws std::invalid_argument (ValueError) if there must be a host
    /// name to check and there is none, and SSLError if this is a context for the other side.
    [[nodiscard]] virtual std::shared_ptr<TLSEngine> make_engine(
        std::shared_ptr<TLSBuffer> incoming, std::shared_ptr<TLSBuffer> outgoing, bool server_side,
        std::string_view server_hostname) = 0;
};

}  // namespace asyncio::detail
