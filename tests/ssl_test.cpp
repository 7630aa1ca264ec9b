// ssl_test.cpp - SSLContext, SSLObject and MemoryBIO: TLS without any socket.
//
// SPDX-License-Identifier: MIT
#include <asyncio/ssl.hpp>

#include <gtest/gtest.h>

#include "support/tls_pair.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using namespace asyncio;
using asyncio::testing::CertificateOptions;
using asyncio::testing::client_context;
using asyncio::testing::read_available;
using asyncio::testing::server_context;
using asyncio::testing::TestAuthority;
using asyncio::testing::TestCertificate;
using asyncio::testing::thrown_by;
using asyncio::testing::TLSPair;
using asyncio::testing::write_all;

namespace {

std::string text_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& e) {
        return e.what();
    }
}

/// What the client says of a server with that certificate; empty if it accepts it.
std::string refusal(const std::string& certificate_file, std::string_view hostname,
                    const SSLContext& client = client_context()) {
    SSLContext server(PROTOCOL_TLS_SERVER);
    server.load_cert_chain(certificate_file);
    TLSPair pair(client, server, hostname);
    try {
        pair.handshake();
        return "";
    } catch (const SSLCertVerificationError& error) {
        return error.verify_message();
    }
}

std::string issue(std::string_view file, CertificateOptions options) {
    return TestAuthority::instance().issue(file, options);
}

}  // namespace

// --------------------------------------------------------------------------------- MemoryBIO

TEST(MemoryBIO, gives_what_was_written_in_pieces) {
    MemoryBIO bio;
    EXPECT_EQ(bio.write("hello world"), 11u);

    EXPECT_EQ(bio.pending(), 11u);
    EXPECT_EQ(bio.read(5), "hello");
    EXPECT_EQ(bio.read(), " world");
    EXPECT_EQ(bio.read(), "");
    EXPECT_FALSE(bio.eof());
}

TEST(MemoryBIO, has_ended_when_its_end_was_written_and_everything_read) {
    MemoryBIO bio;
    bio.write("x");
    bio.write_eof();

    EXPECT_FALSE(bio.eof());
    EXPECT_EQ(bio.read(), "x");
    EXPECT_TRUE(bio.eof());
    EXPECT_THROW(bio.write("y"), SSLError);
}

// -------------------------------------------------------------------------------- SSLContext

TEST(SSLContext, of_a_client_verifies_and_checks_host_names_by_default) {
    const SSLContext context(PROTOCOL_TLS_CLIENT);

    EXPECT_EQ(context.verify_mode(), CERT_REQUIRED);
    EXPECT_TRUE(context.check_hostname());
    EXPECT_EQ(context.minimum_version(), TLSVersion::TLSv1_2);
}

TEST(SSLContext, of_a_server_asks_clients_for_nothing_by_default) {
    const SSLContext context = create_default_context(Purpose::CLIENT_AUTH);

    EXPECT_EQ(context.protocol(), PROTOCOL_TLS_SERVER);
    EXPECT_EQ(context.verify_mode(), CERT_NONE);
    EXPECT_FALSE(context.check_hostname());
}

TEST(SSLContext, takes_two_steps_to_turn_verification_off) {
    SSLContext context = create_default_context();

    EXPECT_THROW(context.set_verify_mode(CERT_NONE), std::invalid_argument);
    EXPECT_EQ(context.verify_mode(), CERT_REQUIRED);
    context.set_check_hostname(false);
    context.set_verify_mode(CERT_NONE);
    EXPECT_EQ(context.verify_mode(), CERT_NONE);
    context.set_check_hostname(true);
    EXPECT_EQ(context.verify_mode(), CERT_REQUIRED);
}

TEST(SSLContext, does_not_connect_without_a_host_name_to_check) {
    const SSLContext context = client_context();
    const MemoryBIO in;
    const MemoryBIO out;

    const auto error = thrown_by([&] { static_cast<void>(context.wrap_bio(in, out)); });
    EXPECT_EQ(text_of(error), "check_hostname requires server_hostname");
    EXPECT_THROW(std::rethrow_exception(error), std::invalid_argument);
}

TEST(SSLContext, refuses_host_names_that_are_none) {
    const SSLContext context = client_context();
    const MemoryBIO in;
    const MemoryBIO out;

    for (const std::string_view name :
         {std::string_view(".example.org"), std::string_view("m\xc3\xbcnchen.de"),
          std::string_view("a\0b", 3), std::string_view("a b")}) {
        EXPECT_THROW(static_cast<void>(context.wrap_bio(in, out, {.server_hostname = name})),
                     std::invalid_argument)
            << name;
    }
}

TEST(SSLContext, is_for_one_side_only) {
    const MemoryBIO in;
    const MemoryBIO out;

    EXPECT_THROW(static_cast<void>(client_context().wrap_bio(
                     in, out, {.server_side = true, .server_hostname = {}})),
                 SSLError);
    EXPECT_THROW(
        static_cast<void>(server_context().wrap_bio(in, out, {.server_hostname = "localhost"})),
        SSLError);
    EXPECT_THROW(static_cast<void>(server_context().wrap_bio(
                     in, out, {.server_side = true, .server_hostname = "localhost"})),
                 std::invalid_argument);
}

TEST(SSLContext, reports_a_missing_file_by_its_name) {
    SSLContext context(PROTOCOL_TLS_SERVER);

    EXPECT_THROW(context.load_cert_chain("/does/not/exist.pem"), FileNotFoundError);
    EXPECT_THROW(context.load_verify_locations({.cafile = "/does/not/exist.pem"}),
                 FileNotFoundError);
    EXPECT_THROW(context.load_verify_locations(VerifyLocations()), std::invalid_argument);
}

TEST(SSLContext, refuses_a_key_that_is_not_the_certificates) {
    const TestAuthority& authority = TestAuthority::instance();
    const TestCertificate one;
    const TestCertificate other;
    const std::string mixed = authority.directory.file("mixed.pem", one.pem() + other.key_pem());
    SSLContext context(PROTOCOL_TLS_SERVER);

    const auto error = thrown_by([&] { context.load_cert_chain(mixed); });
    ASSERT_NE(error, nullptr);
    EXPECT_THROW(std::rethrow_exception(error), SSLError);
    EXPECT_NE(text_of(error).find("key values mismatch"), std::string::npos) << text_of(error);
}

TEST(SSLContext, decrypts_a_key_with_its_password_and_asks_nobody_for_it) {
    const TestAuthority& authority = TestAuthority::instance();
    const std::string certificate = authority.directory.file("own.pem", authority.server.pem());
    const std::string key = authority.directory.file("own.key", authority.server.key_pem("secret"));
    SSLContext context(PROTOCOL_TLS_SERVER);

    EXPECT_THROW(context.load_cert_chain(certificate, key), SSLError);
    EXPECT_THROW(context.load_cert_chain(certificate, key, "wrong"), SSLError);
    context.load_cert_chain(certificate, key, "secret");
    TLSPair(client_context(), context).handshake();
}

TEST(SSLContext, trusts_certificates_given_as_text_or_as_der) {
    const TestAuthority& authority = TestAuthority::instance();
    for (const std::string& data : {authority.authority.pem(), authority.authority.der()}) {
        SSLContext context(PROTOCOL_TLS_CLIENT);
        context.load_verify_locations({.cadata = data});

        EXPECT_EQ(context.cert_store_stats().x509_ca, 1);
        TLSPair(context, server_context()).handshake();
    }
    SSLContext context(PROTOCOL_TLS_CLIENT);
    EXPECT_THROW(context.load_verify_locations({.cadata = "nonsense"}), SSLError);
}

TEST(SSLContext, trusts_nobody_of_what_it_could_not_read_all_of) {
    const TestAuthority& authority = TestAuthority::instance();
    SSLContext context(PROTOCOL_TLS_CLIENT);

    EXPECT_THROW(context.load_verify_locations({.cafile = authority.ca_file, .cadata = "nonsense"}),
                 SSLError);
    const std::string half = authority.authority.pem() + "-----BEGIN CERTIFICATE-----\nAAAA\n";
    EXPECT_THROW(context.load_verify_locations({.cadata = half}), SSLError);
    EXPECT_THROW(
        context.load_verify_locations({.cafile = "/nobody", .cadata = authority.authority.pem()}),
        FileNotFoundError);

    EXPECT_EQ(context.cert_store_stats().x509, 0);
}

TEST(SSLContext, knows_its_ciphers) {
    SSLContext context(PROTOCOL_TLS_CLIENT);
    context.set_ciphers("ECDHE+AESGCM");

    const std::vector<std::string> names = context.get_ciphers();
    EXPECT_NE(std::find(names.begin(), names.end(), "ECDHE-RSA-AES128-GCM-SHA256"), names.end());
    EXPECT_THROW(context.set_ciphers("NO-SUCH-CIPHER"), SSLError);
}

TEST(SSLContext, is_a_handle) {
    const SSLContext context = server_context();
    SSLContext same = context;

    same.set_alpn_protocols({"h2"});

    EXPECT_EQ(context, same);
    EXPECT_FALSE(context == server_context());
}

// ------------------------------------------------------------------------------ verification

TEST(Verification, accepts_a_certificate_for_the_name_and_the_address) {
    const std::string& file = TestAuthority::instance().server_file;

    EXPECT_EQ(refusal(file, "localhost"), "");
    EXPECT_EQ(refusal(file, "127.0.0.1"), "");
}

TEST(Verification, refuses_another_name_or_address) {
    const std::string& file = TestAuthority::instance().server_file;

    EXPECT_EQ(refusal(file, "example.org"),
              "Hostname mismatch, certificate is not valid for 'example.org'.");
    EXPECT_EQ(refusal(file, "127.0.0.2"),
              "IP address mismatch, certificate is not valid for '127.0.0.2'.");
    EXPECT_EQ(refusal(file, "::1"), "IP address mismatch, certificate is not valid for '::1'.");
}

TEST(Verification, refuses_an_expired_and_a_future_certificate) {
    using std::chrono::hours;
    const std::string expired =
        issue("expired.pem", {.valid_from = hours(-48), .valid_until = hours(-24)});
    const std::string future =
        issue("future.pem", {.valid_from = hours(24), .valid_until = hours(48)});

    EXPECT_EQ(refusal(expired, "localhost"), "certificate has expired");
    EXPECT_EQ(refusal(future, "localhost"), "certificate is not yet valid");
}

TEST(Verification, refuses_a_certificate_of_its_own_or_of_an_unknown_authority) {
    const TestAuthority& authority = TestAuthority::instance();
    const TestCertificate own;
    const std::string self = authority.directory.file("self.pem", own.pem() + own.key_pem());

    EXPECT_EQ(refusal(self, "localhost"), "self-signed certificate");
    EXPECT_EQ(refusal(authority.server_file, "localhost", SSLContext(PROTOCOL_TLS_CLIENT)),
              "unable to get local issuer certificate");
}

TEST(Verification, knows_wildcards_of_one_whole_label) {
    const std::string file = issue("wildcard.pem", {.names = {"DNS:*.example.org"}});

    EXPECT_EQ(refusal(file, "www.example.org"), "");
    EXPECT_NE(refusal(file, "example.org"), "");
    EXPECT_NE(refusal(file, "a.b.example.org"), "");
    EXPECT_NE(refusal(issue("partial.pem", {.names = {"DNS:w*.example.org"}}), "www.example.org"),
              "");
    EXPECT_NE(refusal(issue("all.pem", {.names = {"DNS:*"}}), "localhost"), "");
}

TEST(Verification, does_not_take_an_address_for_a_name) {
    EXPECT_NE(refusal(issue("address.pem", {.names = {"DNS:127.0.0.1"}}), "127.0.0.1"), "");
    EXPECT_NE(refusal(issue("any.pem", {.names = {"DNS:*.0.0.1"}}), "127.0.0.1"), "");
}

TEST(Verification, looks_at_the_common_name_only_where_there_is_no_other_and_it_may) {
    const std::string common = issue("common.pem", {.common_name = "example.org", .names = {}});
    const std::string both =
        issue("both.pem", {.common_name = "example.org", .names = {"DNS:example.net"}});
    SSLContext strict = client_context();
    strict.set_hostname_checks_common_name(false);

    EXPECT_EQ(refusal(common, "example.org"), "");
    EXPECT_NE(refusal(common, "example.org", strict), "");
    EXPECT_NE(refusal(both, "example.org"), "");
}

TEST(Verification, accepts_an_international_name_in_its_encoded_form) {
    const std::string file = issue("idn.pem", {.names = {"DNS:xn--mnchen-3ya.de"}});

    EXPECT_EQ(refusal(file, "xn--mnchen-3ya.de"), "");
}

TEST(Verification, follows_the_chain_that_the_server_sends) {
    const TestAuthority& authority = TestAuthority::instance();
    const TestCertificate intermediate(
        {.common_name = "intermediate", .names = {}, .authority = true}, &authority.authority);
    const TestCertificate leaf({}, &intermediate);
    const std::string whole =
        authority.directory.file("chain.pem", leaf.pem() + intermediate.pem() + leaf.key_pem());
    const std::string broken = authority.directory.file("nochain.pem", leaf.pem() + leaf.key_pem());

    EXPECT_EQ(refusal(whole, "localhost"), "");
    EXPECT_EQ(refusal(broken, "localhost"), "unable to get local issuer certificate");
}

TEST(Verification, says_what_is_wrong_as_python_does) {
    SSLContext server(PROTOCOL_TLS_SERVER);
    server.load_cert_chain(TestAuthority::instance().server_file);
    TLSPair pair(client_context(), server, "example.org");

    try {
        pair.handshake();
        ADD_FAILURE() << "accepted";
    } catch (const SSLCertVerificationError& error) {
        EXPECT_STREQ(error.what(),
                     "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: Hostname "
                     "mismatch, certificate is not valid for 'example.org'.");
        EXPECT_EQ(error.library(), "SSL");
        EXPECT_EQ(error.reason(), "CERTIFICATE_VERIFY_FAILED");
        EXPECT_EQ(error.verify_code(), 62);
        EXPECT_EQ(error.ssl_errno(), 1);
        EXPECT_EQ(describe(std::current_exception()).substr(0, 25), "SSLCertVerificationError(");
    }
    pair.move();
    const auto error = thrown_by([&] { pair.server.do_handshake(); });
    EXPECT_NE(text_of(error).find("ALERT"), std::string::npos) << text_of(error);
}

TEST(Verification, goes_without_when_it_was_turned_off) {
    SSLContext client(PROTOCOL_TLS_CLIENT);
    client.set_check_hostname(false);
    client.set_verify_mode(CERT_NONE);
    TLSPair pair(client, server_context(), "");

    pair.handshake();

    ASSERT_TRUE(pair.client.getpeercert().has_value());
    EXPECT_TRUE(pair.client.getpeercert()->empty());
    EXPECT_EQ(pair.client.getpeercert_der(), TestAuthority::instance().server.der());
}

TEST(Verification, of_clients_is_the_servers_to_ask_for) {
    const TestAuthority& authority = TestAuthority::instance();
    SSLContext server = server_context();
    server.set_verify_mode(CERT_REQUIRED);
    server.load_verify_locations(authority.ca_file);
    SSLContext client = client_context();

    for (const TLSVersion version : {TLSVersion::TLSv1_2, TLSVersion::TLSv1_3}) {
        client = client_context();
        client.set_maximum_version(version);
        TLSPair without(client, server);
        EXPECT_THROW(without.handshake(), SSLError);

        client.load_cert_chain(issue("client.pem", {.common_name = "me", .names = {}}));
        TLSPair with(client, server);
        with.handshake();
        EXPECT_EQ(with.server.getpeercert().value_or(Certificate()).subject_name("commonName"),
                  "me");
        EXPECT_EQ(with.server.get_unverified_chain().size(), 1u);
    }
}

// --------------------------------------------------------------------------------- SSLObject

TEST(SSLObject, carries_bytes_both_ways) {
    TLSPair pair(client_context(), server_context());
    pair.handshake();

    EXPECT_EQ(pair.client.write("hello"), 5u);
    EXPECT_EQ(pair.server.write("world"), 5u);
    pair.move();

    EXPECT_EQ(pair.server.read(), "hello");
    EXPECT_EQ(read_available(pair.client), "world");
}

TEST(SSLObject, does_so_when_everything_comes_byte_by_byte) {
    for (const TLSVersion version : {TLSVersion::TLSv1_2, TLSVersion::TLSv1_3}) {
        SSLContext client = client_context();
        client.set_maximum_version(version);
        TLSPair pair(client, server_context());
        pair.handshake(1);
        const std::string message(300, 'x');
        write_all(pair.client, message);
        std::string received;

        while (pair.move(1)) {
            received += read_available(pair.server);
        }

        EXPECT_EQ(received, message);
    }
}

TEST(SSLObject, is_indifferent_to_where_a_record_is_cut) {
    TLSPair pair(client_context(), server_context());
    pair.handshake();
    const std::string message(100, 'm');
    for (std::ptrdiff_t cut = 0; cut < 130; ++cut) {
        write_all(pair.client, message);
        std::string received;

        pair.to_server.write(pair.from_client.read(cut));
        received += read_available(pair.server);
        pair.to_server.write(pair.from_client.read());
        received += read_available(pair.server);

        EXPECT_EQ(received, message) << cut;
    }
}

TEST(SSLObject, cuts_large_writes_into_records) {
    TLSPair pair(client_context(), server_context());
    pair.handshake();
    std::string message;
    for (int i = 0; message.size() < 1'000'000; ++i) {
        message += std::to_string(i);
    }

    EXPECT_EQ(pair.client.write(message), message.size()) << "as in Python";
    pair.move();

    EXPECT_EQ(read_available(pair.server), message);
}

TEST(SSLObject, asks_for_more_before_it_can_go_on) {
    TLSPair pair(client_context(), server_context());

    const auto error = thrown_by([&] { pair.client.do_handshake(); });
    EXPECT_THROW(std::rethrow_exception(error), SSLWantReadError);
    EXPECT_EQ(text_of(error), "The operation did not complete (read)");
    EXPECT_FALSE(pair.client.version().has_value());
    EXPECT_FALSE(pair.client.cipher().has_value());
    EXPECT_THROW(static_cast<void>(pair.client.getpeercert()), std::invalid_argument);
}

TEST(SSLObject, tells_what_the_handshake_came_to) {
    TLSPair pair(client_context(), server_context());
    pair.handshake();

    EXPECT_EQ(pair.client.version(), "TLSv1.3");
    const Cipher cipher = pair.client.cipher().value_or(Cipher());
    EXPECT_EQ(cipher.name, "TLS_AES_256_GCM_SHA384");
    EXPECT_EQ(cipher.protocol, "TLSv1.3");
    EXPECT_EQ(cipher.secret_bits, 256);
    EXPECT_EQ(pair.client.compression(), std::nullopt);
    EXPECT_EQ(pair.client.server_hostname(), "localhost");
    EXPECT_TRUE(pair.server.server_side());
    const Certificate certificate = pair.client.getpeercert().value_or(Certificate());
    EXPECT_EQ(certificate.subject_name("commonName"), "localhost");
    EXPECT_EQ(certificate.issuer.front().second, "test authority");
    EXPECT_EQ(certificate.subject_alt_name,
              (Certificate::Names{{"DNS", "localhost"}, {"IP Address", "127.0.0.1"}}));
    EXPECT_EQ(certificate.version, 3);
    EXPECT_FALSE(certificate.serial_number.empty());
    EXPECT_FALSE(pair.server.getpeercert().has_value());
}

TEST(SSLObject, agrees_on_a_protocol_that_the_server_prefers) {
    SSLContext client = client_context();
    SSLContext server = server_context();
    client.set_alpn_protocols({"http/1.1", "h2"});
    server.set_alpn_protocols({"h2", "http/1.1"});
    TLSPair pair(client, server);
    pair.handshake();
    EXPECT_EQ(pair.client.selected_alpn_protocol(), "h2");
    EXPECT_EQ(pair.server.selected_alpn_protocol(), "h2");

    server.set_alpn_protocols({"spdy"});
    TLSPair without(client, server);
    without.handshake();
    EXPECT_EQ(without.client.selected_alpn_protocol(), std::nullopt);

    EXPECT_THROW(client.set_alpn_protocols({""}), SSLError);
    EXPECT_THROW(client.set_alpn_protocols({std::string(256, 'x')}), SSLError);
}

TEST(SSLObject, ends_when_both_have_said_so) {
    TLSPair pair(client_context(), server_context());
    pair.handshake();
    write_all(pair.client, "last words");

    EXPECT_THROW(pair.client.unwrap(), SSLWantReadError);
    pair.move();
    EXPECT_EQ(pair.server.read(), "last words");
    EXPECT_EQ(pair.server.read(), "");
    pair.server.unwrap();
    pair.move();
    pair.client.unwrap();

    EXPECT_EQ(pair.client.read(), "");
    EXPECT_THROW(pair.client.write("more"), SSLError);
}

TEST(SSLObject, takes_an_end_without_a_word_for_an_error) {
    TLSPair pair(client_context(), server_context());
    pair.handshake();
    write_all(pair.client, "some");
    pair.move();
    pair.to_server.write_eof();

    EXPECT_EQ(pair.server.read(), "some");
    const auto error = thrown_by([&] { static_cast<void>(pair.server.read()); });
    ASSERT_NE(error, nullptr);
    EXPECT_THROW(std::rethrow_exception(error), SSLEOFError);
    EXPECT_EQ(text_of(error),
              "[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol");
}

TEST(SSLObject, takes_an_end_anywhere_in_the_handshake_for_an_error) {
    for (std::ptrdiff_t size = 0; size < 600; size += 7) {
        TLSPair pair(client_context(), server_context());
        EXPECT_THROW(pair.client.do_handshake(), SSLWantReadError);
        const std::string hello = pair.from_client.read();
        pair.to_server.write(hello.substr(0, static_cast<std::size_t>(size)));
        if (static_cast<std::size_t>(size) >= hello.size()) {
            break;
        }
        pair.to_server.write_eof();

        EXPECT_THROW(pair.server.do_handshake(), SSLEOFError) << size;
    }
}

TEST(SSLObject, says_again_that_the_end_came_without_a_word) {
    const auto incoming = std::make_shared<detail::TLSBuffer>();
    const auto outgoing = std::make_shared<detail::TLSBuffer>();
    const auto engine =
        server_context().implementation()->make_engine(incoming, outgoing, true, "");
    incoming->end();

    EXPECT_EQ(engine->handshake(), detail::TLSStatus::ended);
    EXPECT_EQ(engine->handshake(), detail::TLSStatus::ended);
    char byte = 0;
    std::size_t size = 0;
    EXPECT_EQ(engine->read({&byte, 1}, size), detail::TLSStatus::ended);
}

TEST(SSLObject, refuses_what_is_no_tls) {
    TLSPair pair(client_context(), server_context());
    pair.to_server.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const auto http = thrown_by([&] { pair.server.do_handshake(); });
    EXPECT_EQ(text_of(http), "[SSL: HTTP_REQUEST] http request");

    TLSPair other(client_context(), server_context());
    EXPECT_THROW(other.client.do_handshake(), SSLWantReadError);
    other.to_client.write("220 mail.example.org ESMTP\r\n");
    const auto mail = thrown_by([&] { other.client.do_handshake(); });
    EXPECT_EQ(text_of(mail), "[SSL: WRONG_VERSION_NUMBER] wrong version number");
    EXPECT_EQ(text_of(thrown_by([&] { other.client.do_handshake(); })), text_of(mail))
        << "it stays failed";
}

TEST(SSLObject, notices_every_changed_byte) {
    for (std::size_t changed = 0; changed < 60; ++changed) {
        TLSPair pair(client_context(), server_context());
        pair.handshake();
        write_all(pair.client, "a message of some length");
        std::string record = pair.from_client.read();
        if (changed >= record.size()) {
            break;
        }
        record[changed] = static_cast<char>(record[changed] ^ 0x40);
        pair.to_server.write(record);

        // The length may have become a larger one, which is then waited for.
        const auto error = thrown_by([&] { static_cast<void>(pair.server.read()); });
        EXPECT_NE(error, nullptr) << changed;
    }
}

TEST(SSLObject, has_no_protocol_in_common_with_one_that_is_too_old) {
    SSLContext client = client_context();
    client.set_maximum_version(TLSVersion::TLSv1_2);
    SSLContext server = server_context();
    server.set_minimum_version(TLSVersion::TLSv1_3);
    TLSPair pair(client, server);

    EXPECT_THROW(pair.handshake(), SSLError);
}

TEST(SSLObject, keeps_errors_to_itself) {
    TLSPair good(client_context(), server_context());
    good.handshake();
    TLSPair bad(client_context(), server_context());
    bad.to_server.write("nonsense that is no TLS at all");
    const auto error = thrown_by([&] { bad.server.do_handshake(); });
    ASSERT_NE(error, nullptr);

    EXPECT_THROW(static_cast<void>(good.server.read()), SSLWantReadError);
    write_all(good.client, "fine");
    good.move();
    EXPECT_EQ(good.server.read(), "fine");
}

TEST(SSLObject, refuses_a_record_that_is_too_long_before_it_is_there) {
    for (const std::string_view size :
         {std::string_view("\x48\x01"), std::string_view("\xff\xff")}) {
        TLSPair pair(client_context(), server_context());
        pair.handshake();

        pair.to_server.write("\x17\x03\x03" + std::string(size));
        const auto error = thrown_by([&] { static_cast<void>(pair.server.read()); });

        ASSERT_NE(error, nullptr);
        EXPECT_EQ(text_of(error), "[SSL: PACKET_LENGTH_TOO_LONG] packet length too long");
    }
}

TEST(SSLObject, survives_a_flood_of_empty_records_or_refuses_it) {
    SSLContext client = client_context();
    client.set_maximum_version(TLSVersion::TLSv1_2);
    TLSPair pair(client, server_context());
    pair.handshake();

    // Application data of no length, unencrypted: the server must not go on for ever.
    for (int i = 0; i < 100; ++i) {
        pair.to_server.write(std::string_view("\x17\x03\x03\x00\x00", 5));
    }

    EXPECT_THROW(static_cast<void>(pair.server.read()), SSLError);
}

// ------------------------------------------------------------------------- sessions and names

TEST(SSLSession, is_taken_up_again) {
    for (const TLSVersion version : {TLSVersion::TLSv1_2, TLSVersion::TLSv1_3}) {
        SSLContext client = client_context();
        client.set_maximum_version(version);
        const SSLContext server = server_context();
        TLSPair first(client, server);
        first.handshake();
        EXPECT_FALSE(first.client.session_reused());
        write_all(first.server, "x");  // TLS 1.3 has its tickets after the handshake
        first.move();
        EXPECT_EQ(first.client.read(), "x");

        const SSLSession session = first.client.session();
        ASSERT_TRUE(session);
        EXPECT_TRUE(session.has_ticket());
        EXPECT_GT(session.timeout().count(), 0);
        TLSPair second(client, server, "localhost", &session);
        second.handshake();

        EXPECT_TRUE(second.client.session_reused());
        EXPECT_TRUE(second.server.session_reused());
        EXPECT_THROW(second.client.set_session(session), std::invalid_argument);
        EXPECT_THROW(second.server.set_session(session), std::invalid_argument);
        EXPECT_THROW(TLSPair(client_context(), server, "localhost", &session),
                     std::invalid_argument);
    }
}

TEST(SSLContext, gives_each_host_name_a_certificate_of_its_own) {
    SSLContext other(PROTOCOL_TLS_SERVER);
    other.load_cert_chain(issue("other.pem", {.names = {"DNS:example.org"}}));
    SSLContext server = server_context();
    std::vector<std::string> names;
    server.set_sni_callback(
        [&](SSLObject& object, std::optional<std::string_view> name, SSLContext&) {
            names.emplace_back(name.value_or("none"));
            if (name == "example.org") {
                object.set_context(other);
            }
        });

    TLSPair(client_context(), server, "localhost").handshake();
    TLSPair(client_context(), server, "example.org").handshake();
    EXPECT_THROW(TLSPair(client_context(), server, "example.net").handshake(),
                 SSLCertVerificationError);

    EXPECT_EQ(names, (std::vector<std::string>{"localhost", "example.org", "example.net"}));
    EXPECT_THROW(client_context().set_sni_callback([](auto&&...) {}), std::invalid_argument);
}

TEST(SSLContext, of_a_client_is_not_for_an_sni_callback_to_give) {
    SSLContext server = server_context();
    const SSLContext client = client_context();
    server.set_sni_callback([&client](SSLObject& object, std::optional<std::string_view>,
                                      SSLContext&) { object.set_context(client); });
    TLSPair pair(client, server);

    EXPECT_THROW(pair.handshake(), std::invalid_argument);
}

TEST(SSLContext, lets_its_sni_callback_refuse) {
    SSLContext server = server_context();
    server.set_sni_callback([](SSLObject&, std::optional<std::string_view>, SSLContext&) {
        return std::optional(ALERT_DESCRIPTION_UNRECOGNIZED_NAME);
    });
    TLSPair pair(client_context(), server);
    EXPECT_THROW(pair.client.do_handshake(), SSLWantReadError);
    pair.move();
    EXPECT_THROW(pair.server.do_handshake(), SSLError);
    pair.move();
    const auto error = thrown_by([&] { pair.client.do_handshake(); });
    EXPECT_NE(text_of(error).find("UNRECOGNIZED_NAME"), std::string::npos) << text_of(error);

    server.set_sni_callback([](SSLObject&, std::optional<std::string_view>, SSLContext&) {
        throw std::runtime_error("mine");
    });
    TLSPair throwing(client_context(), server);
    EXPECT_THROW(throwing.client.do_handshake(), SSLWantReadError);
    throwing.move();
    EXPECT_EQ(text_of(thrown_by([&] { throwing.server.do_handshake(); })), "mine");

    server.set_sni_callback(nullptr);
    TLSPair(client_context(), server).handshake();
}

TEST(SSLContext, gets_another_certificate_while_it_is_used) {
    const SSLContext server = server_context();
    TLSPair before(client_context(), server);
    before.handshake();

    SSLContext same = server;
    same.load_cert_chain(issue("new.pem", {.common_name = "new"}));
    TLSPair after(client_context(), server);
    after.handshake();
    EXPECT_THROW(same.load_cert_chain("/does/not/exist"), FileNotFoundError);
    TLSPair still(client_context(), server);
    still.handshake();

    EXPECT_EQ(after.client.getpeercert().value_or(Certificate()).subject_name("commonName"), "new");
    EXPECT_EQ(still.client.getpeercert().value_or(Certificate()).subject_name("commonName"), "new");
    write_all(before.client, "the old connection goes on");
    before.move();
    EXPECT_EQ(before.server.read(100), "the old connection goes on");
}

TEST(SSLContext, logs_keys_only_if_it_is_told_to) {
    ::setenv("SSLKEYLOGFILE", TestAuthority::instance().directory.path("never").c_str(), 1);
    SSLContext client = create_default_context({.cafile = TestAuthority::instance().ca_file});
    TLSPair(client, server_context()).handshake();
    ::unsetenv("SSLKEYLOGFILE");
    EXPECT_FALSE(std::filesystem::exists(TestAuthority::instance().directory.path("never")));

    const std::string path = TestAuthority::instance().directory.path("keys");
    client.set_keylog_filename(path);
    TLSPair(client, server_context()).handshake();
    EXPECT_EQ(client.keylog_filename(), path);
    client.set_keylog_filename("");
    EXPECT_GT(std::filesystem::file_size(path), 100u);
}

TEST(SSLObject, is_empty_when_it_was_not_made) {
    SSLObject object;

    EXPECT_FALSE(object);
    EXPECT_THROW(object.do_handshake(), RuntimeError);
    EXPECT_EQ(object.pending(), 0u);
}
