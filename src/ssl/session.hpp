// session.hpp - what an SSLSession is a handle of.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "context.hpp"
#include "openssl.hpp"

#include <memory>
#include <utility>

namespace asyncio::detail {

class TLSSession {
public:
    TLSSession(SSLSessionPtr session, std::shared_ptr<OpenSSLContext> context) noexcept
        : session_(std::move(session)), context_(std::move(context)) {}

    [[nodiscard]] SSL_SESSION* get() const noexcept { return session_.get(); }
    [[nodiscard]] const OpenSSLContext* context() const noexcept { return context_.get(); }

private:
    SSLSessionPtr session_;
    std::shared_ptr<OpenSSLContext> context_;
};

}  // namespace asyncio::detail
