// tls_echo.cpp - a server and a client that talk over TLS, with a certificate made on the spot.
//
//     ./run examples/tls_echo.cpp
//
// It needs the command `openssl`. Who has a certificate does without the first function.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>
#include <asyncio/ssl.hpp>
#include <asyncio/subprocess.hpp>

#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>

#include <unistd.h>

using namespace asyncio;

// A certificate for localhost that has signed itself, with its key, in one file.
Coroutine<> make_certificate(std::string path) {
    Process openssl = co_await create_subprocess_exec(
        {.stderr_ = DEVNULL}, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=localhost", "-addext",
        "subjectAltName=DNS:localhost", "-addext", "keyUsage=critical,digitalSignature,keyCertSign",
        "-keyout", path, "-out", path + ".crt");
    const int status = co_await openssl.wait();
    if (status != 0) {
        throw std::runtime_error("openssl failed");
    }
}

Coroutine<> echo(StreamReader reader, StreamWriter writer) {
    while (auto line = co_await reader.next()) {
        writer.write(*line);
        co_await writer.drain();
    }
    writer.close();
    co_await writer.wait_closed();
}

Coroutine<> amain(std::string key) {
    co_await make_certificate(key);
    const std::string certificate = key + ".crt";

    SSLContext serving(PROTOCOL_TLS_SERVER);
    serving.load_cert_chain(certificate, key);
    Server server = co_await start_server(echo, "127.0.0.1", 0, {.ssl = &serving});

    SSLContext trusting = create_default_context({.cafile = certificate});
    const int port = server.addresses().front().port();
    auto [reader, writer] = co_await open_connection(
        "127.0.0.1", port, {.ssl = &trusting, .server_hostname = "localhost"});
    std::printf("%s, certificate of %s\n", writer.ssl_object().version()->c_str(),
                writer.ssl_object().getpeercert()->subject_name("commonName").c_str());
    writer.write("nobody else can read this\n");
    const std::string answer = co_await reader.readline();
    std::printf("%s", answer.c_str());

    writer.close();
    co_await writer.wait_closed();
    server.close();
    co_await server.wait_closed();
}

int main() {
    const auto directory = std::filesystem::temp_directory_path();
    const std::string key = directory / ("tls_echo-" + std::to_string(getpid()) + ".key");
    run(amain(key));
    std::filesystem::remove(key);
    std::filesystem::remove(key + ".crt");
}
