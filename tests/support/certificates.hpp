// certificates.hpp - certificates for tests, made when they are needed: no keys are kept, and none
// expires.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace asyncio::testing {

/// What is to be in a certificate.
struct CertificateOptions {
    std::string common_name = "localhost";
    std::vector<std::string> names = {"DNS:localhost", "IP:127.0.0.1"};  ///< none: no extension
    bool authority = false;
    std::chrono::hours valid_from{-24};  ///< from now
    std::chrono::hours valid_until{24};
};

/// A certificate with its key, signed by another or by itself.
class TestCertificate {
public:
    explicit TestCertificate(const CertificateOptions& options = {},
                             const TestCertificate* issuer = nullptr);
    TestCertificate(TestCertificate&&) noexcept;
    TestCertificate& operator=(TestCertificate&&) noexcept;
    ~TestCertificate();

    [[nodiscard]] std::string pem() const;
    [[nodiscard]] std::string der() const;
    /// Encrypted, if there is a password.
    [[nodiscard]] std::string key_pem(const std::string& password = {}) const;

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

/// A directory that is removed at the end, and files in it.
class TestDirectory {
public:
    TestDirectory();
    TestDirectory(const TestDirectory&) = delete;
    TestDirectory& operator=(const TestDirectory&) = delete;
    ~TestDirectory();

    /// The path of a file with that in it.
    [[nodiscard]] std::string file(std::string_view name, std::string_view contents) const;
    [[nodiscard]] std::string path(std::string_view name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

/// What most tests need: an authority, and a server's certificate for localhost and 127.0.0.1 that
/// it has signed. Made once.
struct TestAuthority {
    TestDirectory directory;
    TestCertificate authority;
    TestCertificate server;
    std::string ca_file;      ///< the authority's certificate
    std::string server_file;  ///< the server's certificate and key

    static const TestAuthority& instance();
    /// A certificate of that authority with its key, in a file.
    [[nodiscard]] std::string issue(std::string_view file, const CertificateOptions& options) const;

private:
    TestAuthority();
};

}  // namespace asyncio::testing
