// fed_stream.hpp - a reader that is fed by hand, or by the protocol of a transport: FedStream.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/transports.hpp>

#include "streams.hpp"

#include <string_view>

namespace asyncio::detail {

/// Fed by whoever calls feed(). With a transport it is that which is paused while more than twice
/// the limit waits to be read, as in CPython.
class FedStream final : public Stream {
public:
    using Stream::Stream;

    /// The FedStream of a reader; null if a connection feeds it.
    [[nodiscard]] static FedStream* of(StreamCount& stream) noexcept;

    void feed(std::string_view data);
    /// RuntimeError if it has one.
    void set_transport(ReadTransport& transport);
    void forget_transport() noexcept { transport_ = nullptr; }
    /// Is there no reader any more?
    [[nodiscard]] bool unread() const noexcept { return unread_; }

    void want_data() noexcept override;

private:
    void destroy() noexcept override { delete this; }
    void abandoned() noexcept override { unread_ = true; }
    void consumed() noexcept override;
    void resume() noexcept;

    ReadTransport* transport_ = nullptr;
    bool unread_ = false;
};

}  // namespace asyncio::detail
