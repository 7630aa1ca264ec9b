// ssl.hpp - TLS: SSLContext, and SSLObject, which encrypts without any socket.
//
// Mirrors Python's ssl module, as far as asyncio uses it; how to use it: docs/tls.md. In a library
// of its own (asyncio::ssl), and not part of <asyncio/asyncio.hpp>.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/config.hpp>
#include <asyncio/detail/function.hpp>
#include <asyncio/detail/ssl_errors.hpp>
#include <asyncio/detail/ssl_types.hpp>
#include <asyncio/detail/tls_engine.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace asyncio {

class SSLObject;
class SSLContext;

/// Bytes on their way between an SSLObject and whatever carries them. A handle: copies share them.
///
/// Threads: those of the SSLObject.
class MemoryBIO {
public:
    MemoryBIO() : buffer_(std::make_shared<detail::TLSBuffer>()) {}

    /// How many bytes were written: all. SSLError after write_eof().
    std::size_t write(std::string_view bytes);
    /// Up to `n` bytes, all by default; empty if there are none.
    std::string read(std::ptrdiff_t n = -1);
    /// Nothing more will be written.
    void write_eof() noexcept { buffer_->end(); }
    [[nodiscard]] std::size_t pending() const noexcept { return buffer_->pending(); }
    /// Has everything been read, and the end been written?
    [[nodiscard]] bool eof() const noexcept { return buffer_->eof(); }

    [[nodiscard]] const std::shared_ptr<detail::TLSBuffer>& buffer() const noexcept {
        return buffer_;
    }

private:
    std::shared_ptr<detail::TLSBuffer> buffer_;
};

/// Keyword arguments of create_default_context() and SSLContext::load_verify_locations().
struct VerifyLocations {
    std::string_view cafile = {};  ///< of certificates, PEM
    std::string_view capath = {};  ///< a directory of such files, named by hash
    std::string_view cadata = {};  ///< certificates themselves, PEM or DER
};
static_assert(detail::trivially_destructible<VerifyLocations>);

/// Keyword arguments of SSLContext::wrap_bio().
struct WrapBioOptions {
    bool server_side = false;
    std::string_view server_hostname = {};  ///< of the peer: sent to it, and compared
    const SSLSession* session = nullptr;    ///< to be taken up again
};
static_assert(detail::trivially_destructible<WrapBioOptions>);

/// What connections have in common: certificates, whom to trust, protocols.
///
///     SSLContext context = create_default_context();             // verifies servers
///     auto [reader, writer] = co_await open_connection("example.org", 443, {.ssl = &context});
///
///     SSLContext context(PROTOCOL_TLS_SERVER);
///     context.load_cert_chain("server.pem", "server.key");
///     Server server = co_await start_server(handler, "", 8443, {.ssl = &context});
///
/// A client verifies its server's certificate and compares the host name unless both are turned
/// off, in two steps: set_check_hostname(false), then set_verify_mode(CERT_NONE).
///
/// A handle: copies are the same context, and connections and servers keep it. A server whose
/// context gets another certificate by load_cert_chain() uses it for the connections that come.
///
/// Renegotiation is refused, compression is off, TLS 1.2 is the least that is spoken.
///
/// Errors:  SSLError; FileNotFoundError and its kin for files; std::invalid_argument (ValueError).
///          A call that throws has changed nothing.
/// Threads: one at a time may change it. Connections may be made of it in several threads at once,
///          while none changes it.
class SSLContext {
public:
    /// PROTOCOL_TLS_CLIENT or PROTOCOL_TLS_SERVER. Knows no certificates at first.
    explicit SSLContext(SSLMethod protocol);
    /// The free function, by another name.
    [[nodiscard]] static SSLContext create_default_context(Purpose purpose = Purpose::SERVER_AUTH,
                                                           VerifyLocations locations = {});

    [[nodiscard]] SSLMethod protocol() const noexcept;

    /// The own certificate, with those between it and a root that peers know, and its private key,
    /// which is in the same file if `keyfile` is empty. PEM. SSLError if they do not belong
    /// together or the password is wrong. Never asks on the terminal.
    void load_cert_chain(std::string_view certfile, std::string_view keyfile = {},
                         std::string_view password = {});
    /// Whom to trust besides. std::invalid_argument if all of it is empty.
    void load_verify_locations(VerifyLocations locations);
    void load_verify_locations(std::string_view cafile, std::string_view capath = {},
                               std::string_view cadata = {}) {
        load_verify_locations(VerifyLocations{cafile, capath, cadata});
    }
    /// To trust whom the system trusts; the environment's SSL_CERT_FILE and SSL_CERT_DIR count.
    void load_default_certs(Purpose purpose = Purpose::SERVER_AUTH);
    /// How many certificates are trusted that were loaded, and of what kind.
    [[nodiscard]] CertStoreStats cert_store_stats() const;

    [[nodiscard]] VerifyMode verify_mode() const noexcept;
    /// std::invalid_argument for CERT_NONE as long as host names are checked.
    void set_verify_mode(VerifyMode mode);
    [[nodiscard]] bool check_hostname() const noexcept;
    /// To turn it on makes CERT_NONE a CERT_REQUIRED.
    void set_check_hostname(bool check) noexcept;
    /// May a certificate that names no host name it by its common name? Yes by default, as in
    /// Python.
    [[nodiscard]] bool hostname_checks_common_name() const noexcept;
    void set_hostname_checks_common_name(bool checks) noexcept;
    /// Some of the VERIFY_... together.
    [[nodiscard]] unsigned long verify_flags() const noexcept;
    void set_verify_flags(unsigned long flags);

    [[nodiscard]] TLSVersion minimum_version() const noexcept;
    void set_minimum_version(TLSVersion version);
    [[nodiscard]] TLSVersion maximum_version() const noexcept;
    void set_maximum_version(TLSVersion version);
    /// Of TLS 1.2, in OpenSSL's notation; those of TLS 1.3 are all on. SSLError if none is known.
    void set_ciphers(std::string_view ciphers);
    /// What is on: names, in order of preference.
    [[nodiscard]] std::vector<std::string> get_ciphers() const;
    /// Protocols to be spoken over TLS, the preferred one first: {"h2", "http/1.1"}.
    void set_alpn_protocols(const std::vector<std::string>& protocols);
    void set_alpn_protocols(std::initializer_list<std::string_view> protocols) {
        set_alpn_protocols(std::vector<std::string>(protocols.begin(), protocols.end()));
    }
    /// How many session tickets a TLS 1.3 server sends, 2 by default.
    [[nodiscard]] std::size_t num_tickets() const noexcept;
    void set_num_tickets(std::size_t count);

    /// Where the keys of connections are appended, for Wireshark: whoever has the file can read
    /// them all. Off (empty) by default, also where SSLKEYLOGFILE is set.
    [[nodiscard]] std::string keylog_filename() const;
    void set_keylog_filename(std::string_view path);

    /// Called when a client says whom it wants to talk to: fn(SSLObject&, std::optional<
    /// std::string_view> server_name, SSLContext&). It may give the object another context, with
    /// another certificate (SSLObject::set_context()). It returns nothing, or an optional number of
    /// an alert (ALERT_DESCRIPTION_...) to refuse with; what it throws fails the handshake.
    template <class Fn>
        requires std::invocable<Fn&, SSLObject&, std::optional<std::string_view>, SSLContext&>
    void set_sni_callback(Fn fn);
    void set_sni_callback(std::nullptr_t) { set_sni(nullptr); }

    /// An end of a connection that reads ciphertext from `incoming` and writes it to `outgoing`.
    /// std::invalid_argument if host names are to be checked and there is none.
    [[nodiscard]] SSLObject wrap_bio(const MemoryBIO& incoming, const MemoryBIO& outgoing,
                                     WrapBioOptions options = {}) const;

    bool operator==(const SSLContext& other) const noexcept = default;

    // For the library.
    using SniCallback = detail::UniqueFunction<std::optional<int>(
        SSLObject&, std::optional<std::string_view>, SSLContext&)>;
    explicit SSLContext(std::shared_ptr<detail::TLSContext> context) noexcept
        : context_(std::move(context)) {}
    [[nodiscard]] const std::shared_ptr<detail::TLSContext>& implementation() const noexcept {
        return context_;
    }

private:
    void set_sni(SniCallback callback);

    std::shared_ptr<detail::TLSContext> context_;
};

/// A context with the best settings there are: SERVER_AUTH for clients, which verify their server;
/// CLIENT_AUTH for servers. Without locations a client trusts whom the system trusts.
[[nodiscard]] SSLContext create_default_context(Purpose purpose = Purpose::SERVER_AUTH,
                                                VerifyLocations locations = {});
[[nodiscard]] inline SSLContext create_default_context(VerifyLocations locations) {
    return create_default_context(Purpose::SERVER_AUTH, locations);
}

/// One end of a TLS connection, which reads and writes MemoryBIOs: no socket, no waiting.
///
///     MemoryBIO incoming, outgoing;
///     SSLObject object = context.wrap_bio(incoming, outgoing, {.server_hostname = "example.org"});
///     try { object.do_handshake(); } catch (const SSLWantReadError&) { /* feed incoming */ }
///
/// Also what StreamWriter::ssl_object() gives: then only to be asked, because reading, writing and
/// shutting down are the connection's.
///
/// A handle: copies are the same object; one that was default-constructed is empty, and false.
///
/// Errors:  SSLWantReadError if more has to be received first, after which the same call is made
///          again; SSLEOFError, SSLCertVerificationError, SSLError.
/// Threads: one at a time.
class SSLObject {
public:
    SSLObject() = default;
    explicit SSLObject(std::shared_ptr<detail::TLSEngine> engine) noexcept
        : engine_(std::move(engine)) {}
    explicit operator bool() const noexcept { return engine_ != nullptr; }

    void do_handshake();
    /// Up to `n` bytes, at least one; empty when the peer has ended its stream.
    [[nodiscard]] std::string read(std::size_t n = 1024);
    std::size_t read_into(std::span<char> into);
    /// How many bytes were taken: all, unless something goes wrong in between, which the next call
    /// will tell.
    std::size_t write(std::string_view bytes);
    /// Ends the own stream, and succeeds when the peer has ended its.
    void unwrap();
    /// Bytes that can be read without anything being received.
    [[nodiscard]] std::size_t pending() const noexcept;

    /// "TLSv1.3"; nullopt before the handshake. The same goes for the others.
    [[nodiscard]] std::optional<std::string> version() const;
    [[nodiscard]] std::optional<Cipher> cipher() const;
    /// Nullopt always.
    [[nodiscard]] std::optional<std::string> compression() const { return std::nullopt; }
    [[nodiscard]] std::optional<std::string> selected_alpn_protocol() const;
    /// The peer's certificate; nullopt if it has none, and empty if it was not verified.
    /// std::invalid_argument (ValueError) before the handshake.
    [[nodiscard]] std::optional<Certificate> getpeercert() const;
    /// The same as DER, verified or not; empty if there is none.
    [[nodiscard]] std::string getpeercert_der() const;
    /// What the peer sent, its own certificate first, each as DER.
    [[nodiscard]] std::vector<std::string> get_unverified_chain() const;

    [[nodiscard]] bool server_side() const noexcept;
    /// Whom the client wants to talk to; nullopt if it does not say.
    [[nodiscard]] std::optional<std::string> server_hostname() const;
    [[nodiscard]] SSLContext context() const;
    /// From inside an sni callback.
    void set_context(const SSLContext& context);
    /// To be taken up again by another connection; empty if there is none (yet: a TLS 1.3 server
    /// sends it after the handshake).
    [[nodiscard]] SSLSession session() const;
    /// Before the handshake of a client, of the same context.
    void set_session(const SSLSession& session);
    [[nodiscard]] bool session_reused() const noexcept;

    bool operator==(const SSLObject& other) const noexcept = default;

private:
    std::shared_ptr<detail::TLSEngine> engine_;
};

template <class Fn>
    requires std::invocable<Fn&, SSLObject&, std::optional<std::string_view>, SSLContext&>
void SSLContext::set_sni_callback(Fn fn) {
    set_sni([fn = std::move(fn)](SSLObject& object, std::optional<std::string_view> name,
                                 SSLContext& context) mutable -> std::optional<int> {
        if constexpr (std::is_void_v<std::invoke_result_t<
                          Fn&, SSLObject&, std::optional<std::string_view>, SSLContext&>>) {
            fn(object, name, context);
            return std::nullopt;
        } else {
            return fn(object, name, context);
        }
    });
}

/// Python's spelling: ssl.create_default_context() is ssl::create_default_context().
namespace ssl {
using asyncio::Certificate;
using asyncio::CertificateError;
using asyncio::Cipher;
using asyncio::create_default_context;
using asyncio::MemoryBIO;
using asyncio::PROTOCOL_TLS_CLIENT;
using asyncio::PROTOCOL_TLS_SERVER;
using asyncio::Purpose;
using asyncio::SSLCertVerificationError;
using asyncio::SSLContext;
using asyncio::SSLEOFError;
using asyncio::SSLError;
using asyncio::SSLObject;
using asyncio::SSLSession;
using asyncio::SSLWantReadError;
using asyncio::SSLWantWriteError;
using asyncio::SSLZeroReturnError;
using asyncio::TLSVersion;
using asyncio::VerifyMode;
using enum asyncio::VerifyMode;
}  // namespace ssl

}  // namespace asyncio
