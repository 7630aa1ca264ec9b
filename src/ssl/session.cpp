// session.cpp - what is known of a session: SSLSession.
//
// SPDX-License-Identifier: MIT
#include "session.hpp"

namespace asyncio {

static SSL_SESSION* raw(const std::shared_ptr<const detail::TLSSession>& session) {
    if (session == nullptr) {
        detail::raise_runtime_error("this SSLSession is empty");
    }
    return session->get();
}

std::string SSLSession::id() const {
    unsigned size = 0;
    const unsigned char* const id = SSL_SESSION_get_id(raw(session_), &size);
    return {reinterpret_cast<const char*>(id), size};
}
std::chrono::seconds SSLSession::time() const {
    return std::chrono::seconds(SSL_SESSION_get_time(raw(session_)));
}
std::chrono::seconds SSLSession::timeout() const {
    return std::chrono::seconds(SSL_SESSION_get_timeout(raw(session_)));
}
std::chrono::seconds SSLSession::ticket_lifetime_hint() const {
    return std::chrono::seconds(SSL_SESSION_get_ticket_lifetime_hint(raw(session_)));
}
bool SSLSession::has_ticket() const {
    return SSL_SESSION_has_ticket(raw(session_)) != 0;
}

}  // namespace asyncio
