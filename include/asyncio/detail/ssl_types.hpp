// ssl_types.hpp - the words of Python's ssl module: versions, modes, certificates, sessions.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace asyncio {

/// Which end of connections a context is for.
enum class SSLMethod : std::uint8_t { tls_client, tls_server };
inline constexpr SSLMethod PROTOCOL_TLS_CLIENT = SSLMethod::tls_client;
inline constexpr SSLMethod PROTOCOL_TLS_SERVER = SSLMethod::tls_server;

/// Whose certificates are to be verified: of servers (by clients), of clients (by servers).
enum class Purpose : std::uint8_t { SERVER_AUTH, CLIENT_AUTH };

/// Must the peer have a certificate that can be verified? Of a client CERT_OPTIONAL means the same
/// as CERT_REQUIRED.
enum class VerifyMode : std::uint8_t { CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED };
using enum VerifyMode;

enum class TLSVersion : int {
    MINIMUM_SUPPORTED = -2,
    MAXIMUM_SUPPORTED = -1,
    TLSv1 = 0x301,
    TLSv1_1 = 0x302,
    TLSv1_2 = 0x303,
    TLSv1_3 = 0x304,
};

// Of SSLContext::set_verify_flags().
inline constexpr unsigned long VERIFY_DEFAULT = 0;
inline constexpr unsigned long VERIFY_CRL_CHECK_LEAF = 0x4;
inline constexpr unsigned long VERIFY_CRL_CHECK_CHAIN = 0xc;
inline constexpr unsigned long VERIFY_X509_STRICT = 0x20;
inline constexpr unsigned long VERIFY_ALLOW_PROXY_CERTS = 0x40;
inline constexpr unsigned long VERIFY_X509_TRUSTED_FIRST = 0x8000;
inline constexpr unsigned long VERIFY_X509_PARTIAL_CHAIN = 0x80000;

// What an sni callback may refuse with.
inline constexpr int ALERT_DESCRIPTION_HANDSHAKE_FAILURE = 40;
inline constexpr int ALERT_DESCRIPTION_ACCESS_DENIED = 49;
inline constexpr int ALERT_DESCRIPTION_INTERNAL_ERROR = 80;
inline constexpr int ALERT_DESCRIPTION_UNRECOGNIZED_NAME = 112;

struct Cipher {
    std::string name;      ///< "TLS_AES_256_GCM_SHA384"
    std::string protocol;  ///< "TLSv1.3": since when it has been there
    int secret_bits = 0;
};

struct CertStoreStats {
    int x509 = 0;
    int crl = 0;
    int x509_ca = 0;
};

/// A certificate's contents, as text.
struct Certificate {
    using Names = std::vector<std::pair<std::string, std::string>>;

    Names subject;           ///< {"commonName", "example.org"}, ...
    Names issuer;            ///< the same, of who signed it
    Names subject_alt_name;  ///< {"DNS", "example.org"}, {"IP Address", "127.0.0.1"}, ...
    int version = 0;         ///< 3
    std::string serial_number;
    std::string not_before;  ///< "Jan  1 00:00:00 2026 GMT"
    std::string not_after;

    /// There is one, but it was not verified: nothing is told of it.
    [[nodiscard]] bool empty() const noexcept { return version == 0; }
    /// The first value of that name of the subject; empty if there is none.
    [[nodiscard]] std::string subject_name(const std::string& name) const {
        for (const auto& [key, value] : subject) {
            if (key == name) {
                return value;
            }
        }
        return {};
    }
};

namespace detail {
class TLSSession;
}

/// What a client and a server remember of a connection, to make the next one faster. A handle.
class SSLSession {
public:
    SSLSession() = default;
    explicit SSLSession(std::shared_ptr<const detail::TLSSession> session) noexcept
        : session_(std::move(session)) {}
    explicit operator bool() const noexcept { return session_ != nullptr; }

    [[nodiscard]] std::string id() const;
    /// When it was made, since 1970.
    [[nodiscard]] std::chrono::seconds time() const;
    /// How long it is good for.
    [[nodiscard]] std::chrono::seconds timeout() const;
    [[nodiscard]] std::chrono::seconds ticket_lifetime_hint() const;
    [[nodiscard]] bool has_ticket() const;

    [[nodiscard]] const std::shared_ptr<const detail::TLSSession>& implementation() const noexcept {
        return session_;
    }

private:
    std::shared_ptr<const detail::TLSSession> session_;
};

}  // namespace asyncio
