// context.hpp - what an SSLContext is a handle of.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/ssl.hpp>

#include "openssl.hpp"

#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace asyncio::detail {

class OpenSSLContext final : public TLSContext {
public:
    explicit OpenSSLContext(SSLMethod protocol);

    std::shared_ptr<TLSEngine> make_engine(std::shared_ptr<TLSBuffer> incoming,
                                           std::shared_ptr<TLSBuffer> outgoing, bool server_side,
                                           std::string_view server_hostname) override;

    [[nodiscard]] SSL_CTX* ctx() const noexcept { return ctx_.get(); }
    [[nodiscard]] SSLMethod protocol() const noexcept { return protocol_; }

    [[nodiscard]] bool check_hostname() const noexcept { return check_hostname_; }
    [[nodiscard]] VerifyMode verify_mode() const noexcept;
    void set_verify_mode(VerifyMode mode);
    void set_check_hostname(bool check) noexcept;
    [[nodiscard]] unsigned host_flags() const noexcept { return host_flags_; }
    void set_host_flags(unsigned flags) noexcept { host_flags_ = flags; }

    void load_cert_chain(const std::string& certfile, const std::string& keyfile,
                         std::string_view password);

    void set_alpn_protocols(const std::vector<std::string>& protocols);
    void set_sni_callback(SSLContext::SniCallback callback);

    [[nodiscard]] const std::string& keylog_filename() const noexcept { return keylog_filename_; }
    void set_keylog_filename(std::string path);

private:
    struct CloseFile {
        void operator()(std::FILE* file) const noexcept { std::fclose(file); }
    };

    static int on_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                       const unsigned char* in, unsigned in_size, void* context) noexcept;
    static int on_server_name(SSL* ssl, int* alert, void* context) noexcept;
    static void on_key(const SSL* ssl, const char* line) noexcept;

    SSLCtxPtr ctx_;
    std::vector<unsigned char> alpn_;  // each protocol after its length
    SSLContext::SniCallback sni_callback_;
    std::string keylog_filename_;
    std::unique_ptr<std::FILE, CloseFile> keylog_;
    std::mutex keylog_mutex_;
    unsigned host_flags_ = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
    SSLMethod protocol_;
    bool check_hostname_ = false;
};

[[nodiscard]] inline OpenSSLContext& context_of(const SSLContext& context) noexcept {
    return static_cast<OpenSSLContext&>(*context.implementation());
}

}  // namespace asyncio::detail
