// recording_protocols.hpp - protocols that note what they are told.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/transports.hpp>

#include "network.hpp"
#include "observe.hpp"

#include <cstddef>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace asyncio::testing {

/// A Protocol that notes each call in a trace and does what the test wants done there.
class RecordingProtocol : public Protocol {
public:
    using Hook = detail::UniqueFunction<void(RecordingProtocol&)>;

    explicit RecordingProtocol(Trace& trace, std::string name = "")
        : trace_(trace), name_(std::move(name)) {}
    ~RecordingProtocol() override {
        if (note_destruction) {
            note("destroyed");
        }
    }

    void connection_made(Transport& made) override {
        transport = &made;
        note("made");
        run(on_made);
    }
    void data_received(std::string_view data) override {
        received += data;
        note("data " + (data.size() > 20 ? std::to_string(data.size()) : std::string(data)));
        run(on_data);
    }
    bool eof_received() override {
        note("eof");
        run(on_eof);
        return keep_open;
    }
    void connection_lost(std::exception_ptr exc) override {
        note("lost " + describe(exc));
        error = exc;
        run(on_lost);
        lost.set_result();
    }
    void pause_writing() override {
        note("pause");
        run(on_pause);
    }
    void resume_writing() override {
        note("resume");
        run(on_resume);
    }

    void note(const std::string& what) {
        trace_.push_back(name_.empty() ? what : name_ + ": " + what);
    }

    Transport* transport = nullptr;
    std::string received;
    std::exception_ptr error;
    bool keep_open = false;
    bool note_destruction = false;
    Future<> lost = get_running_loop().create_future();
    Hook on_made, on_data, on_eof, on_lost, on_pause, on_resume;

private:
    void run(const Hook& hook) {
        if (hook) {
            hook(*this);
        }
    }

    Trace& trace_;
    std::string name_;
};

/// The same for a BufferedProtocol, with a buffer of so many bytes.
class RecordingBufferedProtocol : public BufferedProtocol {
public:
    using Hook = detail::UniqueFunction<void(RecordingBufferedProtocol&)>;

    RecordingBufferedProtocol(Trace& trace, std::size_t size) : trace_(trace), buffer_(size, ' ') {}

    void connection_made(Transport& made) override {
        transport = &made;
        trace_.push_back("made");
    }
    std::span<std::byte> get_buffer(std::ptrdiff_t sizehint) override {
        trace_.push_back("get_buffer " + std::to_string(sizehint));
        run(on_get_buffer);
        return std::as_writable_bytes(std::span(buffer_));
    }
    void buffer_updated(std::size_t nbytes) override {
        trace_.push_back("updated " + std::to_string(nbytes));
        received.append(buffer_, 0, nbytes);
        run(on_updated);
    }
    bool eof_received() override {
        trace_.push_back("eof");
        return keep_open;
    }
    void connection_lost(std::exception_ptr exc) override {
        trace_.push_back("lost " + describe(exc));
        lost.set_result();
    }

    Transport* transport = nullptr;
    std::string received;
    bool keep_open = false;
    Future<> lost = get_running_loop().create_future();
    Hook on_get_buffer, on_updated;

private:
    void run(const Hook& hook) {
        if (hook) {
            hook(*this);
        }
    }

    Trace& trace_;
    std::string buffer_;
};

/// Connects `protocol`; the other end becomes `peer`.
template <class P>
Coroutine<ProtocolPair<P>> connect_protocol(Peer& peer, std::shared_ptr<P> protocol) {
    const PeerListener listener;
    ProtocolPair<P> pair =
        co_await create_connection([&protocol] { return protocol; }, "127.0.0.1", listener.port());
    peer = listener.accept();
    co_return pair;
}

}  // namespace asyncio::testing
