// soak_tls.cpp - the contexts of a server for localhost and of its clients.
//
// SPDX-License-Identifier: MIT
#include "soak.hpp"

#include "support/certificates.hpp"

#include <asyncio/ssl.hpp>

namespace stress {

TLSContexts tls_contexts() {
    using asyncio::SSLContext;
    using asyncio::testing::TestAuthority;
    static const SSLContext server = [] {
        SSLContext context(asyncio::PROTOCOL_TLS_SERVER);
        context.load_cert_chain(TestAuthority::instance().server_file);
        return context;
    }();
    static const SSLContext client = [] {
        SSLContext context(asyncio::PROTOCOL_TLS_CLIENT);
        context.load_verify_locations(TestAuthority::instance().ca_file);
        return context;
    }();
    return {&server, &client};
}

}  // namespace stress
