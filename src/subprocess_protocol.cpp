// subprocess_protocol.cpp - streams made of the events of a process: SubprocessStreamProtocol.
//
// SPDX-License-Identifier: MIT
#include <asyncio/subprocess.hpp>

#include "protocol_transport.hpp"
#include "streams.hpp"

#include <utility>

namespace asyncio {

namespace detail {

namespace {

/// A reader that is fed by a protocol, and tells the transport when it wants more.
class PipeStream final : public Stream {
public:
    PipeStream(std::size_t limit, ReadTransport* transport)
        : Stream(limit), transport_(transport) {}

    void want_data() noexcept override {
        if (transport_ != nullptr && std::exchange(paused_, false)) {
            transport_->resume_reading();
        }
    }
    /// As CPython's StreamReader.feed_data(); but for a task that waits for more than that.
    void pause_if_full() {
        if (transport_ != nullptr && buffered().size() > 2 * limit() && !paused_ &&
            !reader_waits()) {
            transport_->pause_reading();
            paused_ = true;
        }
    }
    void forget_transport() noexcept { transport_ = nullptr; }

private:
    void destroy() noexcept override { delete this; }
    void abandoned() noexcept override {}

    ReadTransport* transport_;
    bool paused_ = false;
};

PipeStream& pipe_stream_of(const StreamKeep& keep) noexcept {
    return static_cast<PipeStream&>(stream_of(keep.get()));
}

}  // namespace

}  // namespace detail

using detail::pipe_stream_of;

SubprocessStreamProtocol::SubprocessStreamProtocol(std::size_t limit) : limit_(limit) {
    if (limit == 0) {
        detail::raise_value_error("Limit cannot be <= 0");
    }
}

SubprocessStreamProtocol::~SubprocessStreamProtocol() {
    for (const auto& [fd, stream] : streams_) {
        pipe_stream_of(stream).forget_transport();
    }
}

std::optional<StreamReader> SubprocessStreamProtocol::make_reader(SubprocessTransport& transport,
                                                                  int fd) {
    BaseTransport* const pipe = transport.get_pipe_transport(fd);
    if (pipe == nullptr) {
        return std::nullopt;
    }
    auto* const stream = new detail::PipeStream(limit_, dynamic_cast<ReadTransport*>(pipe));
    StreamReader reader(*stream);
    streams_.emplace_back(fd, *stream);
    ++open_readers_;
    return reader;
}

void SubprocessStreamProtocol::connection_made(SubprocessTransport& transport) {
    process_ = &transport;
    streams_.reserve(2);
    output_ = make_reader(transport, 1);
    errors_ = make_reader(transport, 2);
    auto* const pipe = dynamic_cast<detail::ProtocolTransport*>(transport.get_pipe_transport(0));
    if (pipe != nullptr) {
        input_.emplace(pipe->connection());
    }
}

void SubprocessStreamProtocol::pipe_data_received(int fd, std::string_view data) {
    for (const auto& [number, stream] : streams_) {
        if (number == fd) {
            pipe_stream_of(stream).feed_data(data);
            pipe_stream_of(stream).pause_if_full();
        }
    }
}

void SubprocessStreamProtocol::pipe_connection_lost(int fd, std::exception_ptr exc) {
    if (fd == 0) {
        if (input_.has_value()) {
            input_->close();
        }
        return;
    }
    for (const auto& [number, stream] : streams_) {
        if (number == fd) {
            pipe_stream_of(stream).forget_transport();
            if (exc != nullptr) {
                pipe_stream_of(stream).set_exception(exc);
            } else {
                pipe_stream_of(stream).feed_eof();
            }
            --open_readers_;
        }
    }
    close_if_done();
}

void SubprocessStreamProtocol::process_exited() {
    exited_ = true;
    close_if_done();
}

void SubprocessStreamProtocol::close_if_done() {
    if (exited_ && open_readers_ == 0 && process_ != nullptr) {
        std::exchange(process_, nullptr)->close();
    }
}

}  // namespace asyncio
