// certificates.cpp - see certificates.hpp.
//
// SPDX-License-Identifier: MIT
#include "certificates.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <stdexcept>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace asyncio::testing {

namespace {

template <auto Free>
struct FreeWith {
    template <class T>
    void operator()(T* object) const noexcept {
        Free(object);
    }
};
using BIOPtr = std::unique_ptr<BIO, FreeWith<&BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, FreeWith<&X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeWith<&EVP_PKEY_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, FreeWith<&X509_EXTENSION_free>>;

void require(bool condition, const char* what) {
    if (!condition) {
        throw std::runtime_error(std::string("cannot make a certificate: ") + what);
    }
}

std::string contents(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(size)};
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    require(extension != nullptr, value.c_str());
    require(X509_add_ext(certificate, extension.get(), -1) == 1, "extension");
}

}  // namespace

struct TestCertificate::Parts {
    X509Ptr certificate{X509_new()};
    KeyPtr key{EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")};
};

TestCertificate::TestCertificate(const CertificateOptions& options, const TestCertificate* issuer)
    : parts_(std::make_unique<Parts>()) {
    X509* const certificate = parts_->certificate.get();
    EVP_PKEY* const key = parts_->key.get();
    require(certificate != nullptr && key != nullptr, "key");
    X509* const signer = issuer == nullptr ? certificate : issuer->parts_->certificate.get();
    EVP_PKEY* const signing_key = issuer == nullptr ? key : issuer->parts_->key.get();

    X509_set_version(certificate, 2);
    std::int64_t serial = 0;
    RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
    ASN1_INTEGER_set_int64(X509_get_serialNumber(certificate), serial & 0x7fffffffffffffff);
    const auto seconds = [](std::chrono::hours hours) {
        return static_cast<long>(std::chrono::seconds(hours).count());
    };
    X509_gmtime_adj(X509_getm_notBefore(certificate), seconds(options.valid_from));
    X509_gmtime_adj(X509_getm_notAfter(certificate), seconds(options.valid_until));
    X509_set_pubkey(certificate, key);
    X509_NAME* const name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(options.common_name.c_str()),
                               -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(signer));

    add_extension(certificate, signer, NID_basic_constraints,
                  options.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    add_extension(certificate, signer, NID_key_usage,
                  options.authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
    add_extension(certificate, signer, NID_subject_key_identifier, "hash");
    add_extension(certificate, signer, NID_authority_key_identifier, "keyid:always");
    if (!options.names.empty()) {
        std::string all;
        for (const std::string& each : options.names) {
            all += (all.empty() ? "" : ",") + each;
        }
        add_extension(certificate, signer, NID_subject_alt_name, all);
    }
    require(X509_sign(certificate, signing_key, EVP_sha256()) > 0, "signature");
}

TestCertificate::TestCertificate(TestCertificate&&) noexcept = default;
TestCertificate& TestCertificate::operator=(TestCertificate&&) noexcept = default;
TestCertificate::~TestCertificate() = default;

std::string TestCertificate::pem() const {
    const BIOPtr bio(BIO_new(BIO_s_mem()));
    require(PEM_write_bio_X509(bio.get(), parts_->certificate.get()) == 1, "PEM");
    return contents(bio.get());
}

std::string TestCertificate::der() const {
    const BIOPtr bio(BIO_new(BIO_s_mem()));
    require(i2d_X509_bio(bio.get(), parts_->certificate.get()) == 1, "DER");
    return contents(bio.get());
}

std::string TestCertificate::key_pem(const std::string& password) const {
    const BIOPtr bio(BIO_new(BIO_s_mem()));
    require(PEM_write_bio_PrivateKey(bio.get(), parts_->key.get(),
                                     password.empty() ? nullptr : EVP_aes_256_cbc(),
                                     reinterpret_cast<const unsigned char*>(password.data()),
                                     static_cast<int>(password.size()), nullptr, nullptr) == 1,
            "key");
    return contents(bio.get());
}

TestDirectory::TestDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "asyncio-test-XXXXXX").string();
    require(::mkdtemp(name.data()) != nullptr, "directory");
    path_ = name;
}
TestDirectory::~TestDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}
std::string TestDirectory::file(std::string_view name, std::string_view contents) const {
    const std::filesystem::path path = path_ / name;
    std::ofstream(path, std::ios::binary) << contents;
    return path;
}

static CertificateOptions authority_options() {
    CertificateOptions options;
    options.common_name = "test authority";
    options.names = {};
    options.authority = true;
    return options;
}

TestAuthority::TestAuthority()
    : authority(authority_options()),
      server({}, &authority),
      ca_file(directory.file("ca.pem", authority.pem())),
      server_file(directory.file("server.pem", server.pem() + server.key_pem())) {}

const TestAuthority& TestAuthority::instance() {
    static const TestAuthority authority;
    return authority;
}

std::string TestAuthority::issue(std::string_view file, const CertificateOptions& options) const {
    const TestCertificate certificate(options, &authority);
    return directory.file(file, certificate.pem() + certificate.key_pem());
}

}  // namespace asyncio::testing
