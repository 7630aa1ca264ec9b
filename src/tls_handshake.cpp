// tls_handshake.cpp - waiting for a TLS handshake; StreamWriter::start_tls().
//
// SPDX-License-Identifier: MIT
#include "tls_handshake.hpp"

#include <asyncio/futures.hpp>
#include <asyncio/ssl.hpp>
#include <asyncio/stream_protocols.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/transports.hpp>

#include <memory>
#include <utility>

namespace asyncio {

namespace detail {

Coroutine<> tls_handshake(TLSConnection& connection) {
    const StreamKeep keep(connection);
    const Future<> done = get_running_loop().create_future<void>();
    connection.start([done](std::exception_ptr error) {
        if (done.done()) {  // the task that waits was cancelled
            return;
        }
        if (error != nullptr) {
            done.set_exception(std::move(error));
        } else {
            done.set_result();
        }
    });
    const Result<void> result = co_await as_result(done);
    if (!result.has_value()) {
        connection.force_close(nullptr);
        std::rethrow_exception(result.error());
    }
}

Coroutine<> upgrade_to_tls(StreamKeep connection, TLSRequest request) {
    Connection& carrier = connection_of(connection.get());
    co_await Drain(carrier);
    if (carrier.reader() != nullptr) {
        throw RuntimeError(
            "start_tls() called while another coroutine is already waiting for incoming data");
    }
    if (carrier.closing() || carrier.successor() != nullptr) {
        throw ConnectionResetError("Connection lost");
    }
    const TLSSettings settings = upgrade_tls_settings(request, carrier.served());
    auto& upgraded = *new TLSConnection(carrier, carrier.limit(), settings);
    upgraded.supersede_carrier(nullptr);
    co_await tls_handshake(upgraded);
}

// Over a transport with a protocol.
static Coroutine<> upgrade_drained(StreamKeep connection, std::shared_ptr<BaseProtocol> protocol,
                                   Coroutine<Transport&> upgrade) {
    Connection& carrier = connection_of(connection.get());
    co_await Drain(carrier);
    if (auto* const streams = dynamic_cast<StreamReaderProtocol*>(protocol.get())) {
        streams->give_back(carrier);
    }
    co_await std::move(upgrade);
}

}  // namespace detail

Coroutine<> StreamWriter::start_tls(const SSLContext& context, StartTLSOptions options) {
    if (transport_ != nullptr) {
        if (std::shared_ptr<BaseProtocol> protocol = transport().get_protocol()) {
            const auto* const streams = dynamic_cast<StreamReaderProtocol*>(protocol.get());
            return detail::upgrade_drained(
                detail::StreamKeep(connection()), protocol,
                asyncio::start_tls(transport(), protocol, context,
                                   {.server_side = streams != nullptr && streams->serves(),
                                    .server_hostname = options.server_hostname,
                                    .ssl_handshake_timeout = options.ssl_handshake_timeout,
                                    .ssl_shutdown_timeout = options.ssl_shutdown_timeout,
                                    .suppress_ragged_eofs = options.suppress_ragged_eofs}));
        }
    }
    return detail::upgrade_to_tls(detail::StreamKeep(connection()),
                                  detail::tls_request(&context, options));
}

SSLObject StreamWriter::ssl_object() const {
    return SSLObject(detail::connection_of(connection()).tls_engine());
}

}  // namespace asyncio
