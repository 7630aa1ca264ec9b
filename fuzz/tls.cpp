// tls.cpp - what comes over the network to TLS is hostile: a server and a client get bytes of
// anybody's making, before, in and after the handshake, in pieces of any size, with records of the
// other end's that are changed, cut, repeated, swapped or left out. Nothing may be read that the
// other end has not written, and nobody may wait for ever.
//
// SPDX-License-Identifier: MIT
#include "fuzz.hpp"

#include <asyncio/ssl.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/testing/memory_streams.hpp>

#include "support/tls_pair.hpp"
#include "testing/memory_connection.hpp"
#include "tls_handshake.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace asyncio;

/// The same certificates for all inputs, and versions 1.2 and 1.3.
struct Contexts {
    SSLContext server = testing::server_context();
    SSLContext client = testing::client_context();
    SSLContext old_client = testing::client_context();

    Contexts() { old_client.set_maximum_version(TLSVersion::TLSv1_2); }
    static const Contexts& instance() {
        static const Contexts contexts;
        return contexts;
    }
};

constexpr std::string_view said = "What is said over TLS, and nothing else, is heard. ";

/// One end. What it sends and is sent goes by way of `wire`, the other end of its connection, and
/// so by way of us.
struct End {
    explicit End(StreamPair other) : wire(std::move(other)) {}

    StreamPair wire;
    std::string heard = {};
    bool is_over = false;
};

Coroutine<> converse(StreamReader& reader, StreamWriter& writer, End& end) {
    int answers = 0;
    writer.write(said);
    for (;;) {
        const std::string bytes = co_await reader.read(7);
        if (bytes.empty()) {
            break;
        }
        end.heard += bytes;
        if (answers < 3) {
            ++answers;
            writer.write(said);
            co_await writer.drain();
        }
    }
    writer.close();
    co_await writer.wait_closed();
}

Coroutine<> live(detail::StreamKeep carrier, bool server, const SSLContext& context, End& end) {
    detail::TLSSettings settings;
    settings.context = context.implementation();
    settings.server_hostname = server ? "" : "localhost";
    settings.server_side = server;
    auto& connection =
        *new detail::TLSConnection(detail::connection_of(carrier.get()), 100, settings);
    StreamReader reader(connection);
    StreamWriter writer(connection);
    try {
        co_await detail::tls_handshake(connection);
        co_await converse(reader, writer, end);
    } catch (const OSError&) {  // whatever it is, it is told
    }
    end.is_over = true;
}

/// What one end has sent, record by record.
std::vector<std::string> records_of(std::string bytes) {
    std::vector<std::string> records;
    while (bytes.size() >= 5) {
        const auto byte = [&bytes](std::size_t i) {
            return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i]));
        };
        const std::size_t size = std::min(bytes.size(), 5 + (byte(3) << 8) + byte(4));
        records.push_back(bytes.substr(0, size));
        bytes.erase(0, size);
    }
    return records;
}

/// Some of the time honest.
std::string tamper(std::vector<std::string> records, fuzz::Input& input, bool& honest) {
    if (!records.empty() && input.below(4) == 3) {
        honest = false;
        std::string& record = records[input.below(records.size())];
        switch (input.below(6)) {
            case 0:
                record[input.byte() % record.size()] ^= static_cast<char>(1U << input.below(8));
                break;
            case 1:
                record.resize(input.byte() % record.size());
                break;
            case 2:
                records.push_back(record);
                break;
            case 3:
                std::swap(record, records.back());
                break;
            case 4:
                record.clear();
                break;
            default:
                for (std::size_t count = input.below(40); count > 0; --count) {
                    record.insert(record.begin(), static_cast<char>(input.byte()));
                }
        }
    }
    std::string all;
    for (const std::string& record : records) {
        all += record;
    }
    return all;
}

Coroutine<std::string> take(StreamReader& reader) {
    const Result<std::string> bytes = co_await as_result(wait_for(reader.read(100'000), 0.5));
    co_return bytes.has_value() ? bytes.get() : std::string();
}

/// In pieces of that size.
Coroutine<> deliver(StreamWriter& writer, const std::string& bytes, std::size_t piece) {
    for (std::size_t begin = 0; begin < bytes.size(); begin += piece) {
        writer.write(std::string_view(bytes).substr(begin, piece));
        co_await sleep(0.001);
    }
}

bool is_of_what_was_said(std::string_view heard) {
    for (std::size_t i = 0; i < heard.size(); ++i) {
        if (heard[i] != said[i % said.size()]) {
            return false;
        }
    }
    return true;
}

/// `round` by round what one end has sent goes to the other, more or less.
Coroutine<> try_all(fuzz::Input input) {
    constexpr int rounds = 5;
    const Contexts& contexts = Contexts::instance();
    const SSLContext& client = input.below(2) == 1 ? contexts.old_client : contexts.client;
    detail::LoopIO& io = detail::LoopIO::of(get_running_loop());
    testing::MemoryStreamOptions options;
    options.buffer = 1'000'000;
    std::vector<std::unique_ptr<End>> ends;
    std::vector<Task<>> lives;
    for (const bool server : {true, false}) {
        auto& inner = *new testing::MemoryConnection(io, options);
        const detail::StreamKeep carrier(inner);
        auto& outer = *new testing::MemoryConnection(io, options);
        StreamReader reader(outer);
        StreamPair wire{std::move(reader), StreamWriter(outer)};
        testing::MemoryConnection::connect(inner, outer);
        ends.push_back(std::make_unique<End>(std::move(wire)));
        lives.push_back(
            create_task(live(carrier, server, server ? contexts.server : client, *ends.back())));
    }
    bool honest = true;
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t from : {1U, 0U}) {
            const std::string sent = co_await take(ends[from]->wire.reader);
            const std::string passed = tamper(records_of(sent), input, honest);
            const std::size_t piece = 1 + input.byte() * input.below(16);
            co_await deliver(ends[1 - from]->wire.writer, passed,
                             std::max(piece, passed.size() / 8 + 1));
        }
    }
    for (const auto& end : ends) {
        fuzz::require(is_of_what_was_said(end->heard), "something else is heard than was said");
        fuzz::require(!honest || !end->heard.empty(), "nothing is heard of an honest peer");
        end->wire.writer.close();
    }
    co_await sleep(200);
    for (const auto& end : ends) {
        fuzz::require(end->is_over, "an end waits for ever");
    }
    for (const Task<>& task : lives) {
        co_await task;
    }
    ends.clear();
    co_await sleep(1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::run(try_all(fuzz::Input(data, std::min<std::size_t>(size, 1000))));
    return 0;
}
