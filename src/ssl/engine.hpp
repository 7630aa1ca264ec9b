// engine.hpp - TLSEngine by OpenSSL.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/ssl.hpp>

#include "context.hpp"
#include "openssl.hpp"

#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace asyncio::detail {

/// What is verified is decided when it is made; what the context is changed to later does not
/// count.
class OpenSSLEngine final : public TLSEngine {
public:
    OpenSSLEngine(std::shared_ptr<OpenSSLContext> context, std::shared_ptr<TLSBuffer> incoming,
                  std::shared_ptr<TLSBuffer> outgoing, bool server_side,
                  std::string_view server_hostname);

    TLSStatus handshake() noexcept override;
    TLSStatus read(std::span<char> into, std::size_t& size) noexcept override;
    TLSStatus write(std::string_view from, std::size_t& size) noexcept override;
    TLSStatus end_writing() noexcept override;
    TLSStatus shut() noexcept override;
    [[nodiscard]] std::exception_ptr error() const override;
    [[nodiscard]] std::size_t pending() const noexcept override;
    [[nodiscard]] std::optional<std::string> extra_info(std::string_view name) const override;

    [[nodiscard]] SSL* ssl() const noexcept { return ssl_.get(); }
    [[nodiscard]] bool handshake_done() const noexcept { return SSL_is_init_finished(ssl()) != 0; }
    [[nodiscard]] bool server_side() const noexcept { return server_side_; }
    [[nodiscard]] const std::string& server_hostname() const noexcept { return server_hostname_; }
    [[nodiscard]] const std::shared_ptr<OpenSSLContext>& context() const noexcept {
        return context_;
    }
    void set_context(std::shared_ptr<OpenSSLContext> context);
    /// A callback of the user's has thrown: the handshake fails with that.
    void set_callback_error(std::exception_ptr error) noexcept {
        callback_error_ = std::move(error);
    }

    [[nodiscard]] std::optional<Certificate> peer_certificate() const;

    static OpenSSLEngine& of(const SSL* ssl) noexcept {
        return *static_cast<OpenSSLEngine*>(SSL_get_app_data(ssl));
    }

private:
    void check_hostname();
    TLSStatus finish(int result) noexcept;
    TLSStatus fail() noexcept;

    std::shared_ptr<OpenSSLContext> context_;
    std::shared_ptr<TLSBuffer> incoming_;  // which ssl_ reads
    std::shared_ptr<TLSBuffer> outgoing_;
    SSLPtr ssl_;
    std::string server_hostname_;
    std::exception_ptr failure_;
    std::exception_ptr callback_error_;
    TLSStatus last_ = TLSStatus::done;
    bool server_side_;
};

/// The engine of an SSLObject that asyncio::ssl made: there are no others.
[[nodiscard]] OpenSSLEngine& engine_of(const std::shared_ptr<TLSEngine>& engine);

}  // namespace asyncio::detail
