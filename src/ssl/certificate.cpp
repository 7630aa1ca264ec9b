// certificate.cpp - a certificate's contents as text, in Python's words.
//
// SPDX-License-Identifier: MIT
#include "certificate.hpp"

#include <cstddef>
#include <memory>

#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/bn.h>

namespace asyncio::detail {

namespace {

void free_openssl(char* text) noexcept {
    OPENSSL_free(text);
}
void free_names(GENERAL_NAMES* names) noexcept {
    GENERAL_NAMES_free(names);
}
using NamesPtr = std::unique_ptr<GENERAL_NAMES, FreeWith<&free_names>>;
using TextPtr = std::unique_ptr<char, FreeWith<&free_openssl>>;
using NumberPtr = std::unique_ptr<BIGNUM, FreeWith<&BN_free>>;

std::string utf8(const ASN1_STRING* string) {
    unsigned char* raw = nullptr;
    const int size = ASN1_STRING_to_UTF8(&raw, string);
    if (size < 0) {
        return {};
    }
    const TextPtr text(reinterpret_cast<char*>(raw));
    return {text.get(), static_cast<std::size_t>(size)};
}

std::string raw_text(const ASN1_STRING* string) {
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
            static_cast<std::size_t>(ASN1_STRING_length(string))};
}

Certificate::Names names_of(const X509_NAME* name) {
    Certificate::Names names;
    for (int i = 0; i < X509_NAME_entry_count(name); ++i) {
        const X509_NAME_ENTRY* const entry = X509_NAME_get_entry(name, i);
        char key[256];
        const ASN1_OBJECT* const object = X509_NAME_ENTRY_get_object(entry);
        const int nid = OBJ_obj2nid(object);
        if (nid != NID_undef) {
            names.emplace_back(OBJ_nid2ln(nid), utf8(X509_NAME_ENTRY_get_data(entry)));
        } else if (OBJ_obj2txt(key, sizeof key, object, 1) > 0) {
            names.emplace_back(key, utf8(X509_NAME_ENTRY_get_data(entry)));
        }
    }
    return names;
}

std::string address_text(const ASN1_OCTET_STRING* address) {
    char text[INET6_ADDRSTRLEN] = "<invalid>";
    const int size = ASN1_STRING_length(address);
    if (size == 4 || size == 16) {
        ::inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), text,
                    sizeof text);
    }
    return text;
}

Certificate::Names alternative_names(X509& certificate) {
    Certificate::Names names;
    const NamesPtr all(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; all != nullptr && i < sk_GENERAL_NAME_num(all.get()); ++i) {
        int type = 0;
        const void* const value =
            GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all.get(), i), &type);
        const auto* const string = static_cast<const ASN1_STRING*>(value);
        switch (type) {
            case GEN_DNS:
                names.emplace_back("DNS", raw_text(string));
                break;
            case GEN_EMAIL:
                names.emplace_back("email", raw_text(string));
                break;
            case GEN_URI:
                names.emplace_back("URI", raw_text(string));
                break;
            case GEN_IPADD:
                names.emplace_back("IP Address", address_text(string));
                break;
            default:
                break;
        }
    }
    return names;
}

std::string time_text(const ASN1_TIME* time) {
    const BIOPtr bio(BIO_new(BIO_s_mem()));
    if (bio == nullptr || ASN1_TIME_print(bio.get(), time) != 1) {
        return {};
    }
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return {text, static_cast<std::size_t>(size)};
}

std::string serial_text(X509& certificate) {
    const NumberPtr number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(&certificate), nullptr));
    const TextPtr text(number == nullptr ? nullptr : BN_bn2hex(number.get()));
    return text == nullptr ? std::string() : std::string(text.get());
}

std::string quote(const std::string& text) {
    std::string quoted = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\') {
            quoted += '\\';
        }
        quoted += c;
    }
    return quoted + "'";
}

std::string pairs_text(const Certificate::Names& names, bool nested) {
    std::string text = "(";
    for (const auto& [key, value] : names) {
        const std::string pair = "(" + quote(key) + ", " + quote(value) + ")";
        text += (text.size() > 1 ? " " : "") + (nested ? "(" + pair + ",)" : pair) + ",";
    }
    if (names.size() > 1) {
        text.pop_back();
    }
    return text + ")";
}

}  // namespace

Certificate decode_certificate(X509& certificate) {
    Certificate decoded;
    decoded.subject = names_of(X509_get_subject_name(&certificate));
    decoded.issuer = names_of(X509_get_issuer_name(&certificate));
    decoded.subject_alt_name = alternative_names(certificate);
    decoded.version = static_cast<int>(X509_get_version(&certificate)) + 1;
    decoded.serial_number = serial_text(certificate);
    decoded.not_before = time_text(X509_get0_notBefore(&certificate));
    decoded.not_after = time_text(X509_get0_notAfter(&certificate));
    return decoded;
}

std::string python_text(const Certificate& certificate) {
    if (certificate.empty()) {
        return "{}";
    }
    std::string text = "{'subject': " + pairs_text(certificate.subject, true) +
                       ", 'issuer': " + pairs_text(certificate.issuer, true) +
                       ", 'version': " + std::to_string(certificate.version) +
                       ", 'serialNumber': " + quote(certificate.serial_number) +
                       ", 'notBefore': " + quote(certificate.not_before) +
                       ", 'notAfter': " + quote(certificate.not_after);
    if (!certificate.subject_alt_name.empty()) {
        text += ", 'subjectAltName': " + pairs_text(certificate.subject_alt_name, false);
    }
    return text + "}";
}

std::string encode_certificate(X509& certificate) {
    unsigned char* raw = nullptr;
    const int size = i2d_X509(&certificate, &raw);
    if (size < 0) {
        raise_error("the certificate could not be encoded");
    }
    const TextPtr text(reinterpret_cast<char*>(raw));
    return {text.get(), static_cast<std::size_t>(size)};
}

}  // namespace asyncio::detail
