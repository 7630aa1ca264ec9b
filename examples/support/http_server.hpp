// http_server.hpp - a small HTTP/1.1 server on streams: HttpServer.
//
// Each client is a task that reads a request, has it answered, and reads the next. What a client
// may make the server keep is bounded, in bytes and in time (ServerLimits); where it gets no answer
// it can see why not. Requests that are sent ahead wait in the stream, and so in the end at the
// client. SPDX-License-Identifier: MIT
#pragma once

#include "http_body.hpp"
#include "http_request.hpp"
#include "http_response.hpp"

#include <asyncio/log.hpp>
#include <asyncio/result.hpp>
#include <asyncio/servers.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/timeouts.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>

namespace http {

/// What a client may do; how many there may be is StartServerOptions::max_connections. The times
/// are to the whole of a step, however it trickles in or out.
struct ServerLimits {
    std::size_t head = 16 << 10;       ///< of a request, in bytes; more is answered 431
    std::size_t body = 1 << 20;        ///< in bytes; more is answered 413
    asyncio::Duration head_time = 15;  ///< until a head is there, from the answer before it; 408
    asyncio::Duration body_time = 30;  ///< until the body is there, too; 408
    asyncio::Duration send_time = 30;  ///< until the client has taken an answer; it is dropped
    asyncio::Duration part_time = 2;   ///< for the client to read the last answer, and close
};

/// Answers a request; what it throws is logged, and answered 500.
using Handler = asyncio::Coroutine<Answer> (*)(const Request& request);

class HttpServer {
public:
    explicit HttpServer(Handler handler, ServerLimits limits = {})
        : handler_(handler), limits_(limits) {}

    /// Serves one client. The server must outlive it: it is what start_server() is given.
    asyncio::Coroutine<> serve(asyncio::StreamReader reader, asyncio::StreamWriter writer);

    /// No further requests: connections that wait for one end now, the others with the answer
    /// that they wait for.
    void stop();

    /// The reader's buffer: for StartServerOptions::limit.
    [[nodiscard]] std::size_t stream_limit() const noexcept { return limits_.head; }

private:
    enum class Step { head, body, answer };

    struct Client {
        asyncio::StreamReader& reader;
        asyncio::StreamWriter& writer;
        asyncio::Timeout deadline{std::nullopt};  // of the step
        Step step = Step::head;
    };

    asyncio::Coroutine<> serve_requests(Client& client);
    asyncio::Coroutine<std::string> read_body(Client& client, const Request& request);
    asyncio::Coroutine<Answer> answer(const Request& request);
    asyncio::Coroutine<> part(Client& client, std::optional<Answer> last);
    static void begin(Client& client, Step step, std::optional<asyncio::Duration> time);
    static void send(Client& client, const Answer& answer, bool keep_alive, bool body);

    Handler handler_;
    ServerLimits limits_;
    std::unordered_set<Client*> clients_;
    bool stopping_ = false;
};

namespace detail {

/// Has anything arrived that was not read? (It is lost to those who read after this.)
inline asyncio::Coroutine<bool> has_input(asyncio::StreamReader& reader) {
    auto read = [&] { return reader.read(1); };
    auto byte = co_await asyncio::as_result(asyncio::timeout(0, read));
    co_return byte.has_value() && !byte->empty();
}

/// Reads on until the client closes, or sends more than anybody reads.
inline asyncio::Coroutine<> read_rest(asyncio::StreamReader& reader) {
    for (std::size_t left = 1 << 20; left > 0;) {
        const std::string data = co_await reader.read(64 << 10);
        if (data.empty()) {
            break;
        }
        left -= std::min(left, data.size());
    }
}

}  // namespace detail

inline asyncio::Coroutine<> HttpServer::serve(asyncio::StreamReader reader,
                                              asyncio::StreamWriter writer) {
    Client client{reader, writer};
    std::optional<Answer> last;
    bool in_head = false;
    clients_.insert(&client);
    auto serve_all = [&] { return serve_requests(client); };
    auto served = co_await asyncio::as_result(asyncio::with(client.deadline, serve_all));
    clients_.erase(&client);
    try {
        served.get();
    } catch (const RequestError& error) {
        last = answer_of(error.status());
    } catch (const BodyTooLarge&) {
        last = answer_of(413);
    } catch (const HttpError&) {
        last = answer_of(400);
    } catch (const asyncio::TimeoutError&) {
        if (client.step == Step::answer) {
            writer.abort();  // it does not take what it has asked for
            co_return;
        }
        in_head = client.step == Step::head;
        last = answer_of(stopping_ ? 503 : 408);
    } catch (const asyncio::OSError&) {
        writer.abort();  // the client has gone
        co_return;
    }
    if (in_head) {
        // Nothing is said to who has not begun to ask: the end of an idle connection is no error.
        const bool asked = co_await detail::has_input(reader);
        if (!asked) {
            last.reset();
        }
    }
    co_await part(client, std::move(last));
}

inline asyncio::Coroutine<> HttpServer::serve_requests(Client& client) {
    while (!stopping_) {
        begin(client, Step::head, limits_.head_time);
        std::string head;
        try {
            // Bare newlines are refused, but not by waiting for better ones.
            head = co_await client.reader.readuntil("\n\r\n", "\n\n");
        } catch (const asyncio::IncompleteReadError& error) {
            if (error.partial().empty()) {
                break;  // the usual end
            }
            throw RequestError(400, "the head is not complete");
        } catch (const asyncio::LimitOverrunError&) {
            throw RequestError(431, "the head is too long");
        }
        Request request = parse_request(head);
        request.body = co_await read_body(client, request);

        begin(client, Step::answer, std::nullopt);  // that takes as long as it takes
        const Answer answer = co_await this->answer(request);
        const bool keep_alive = request.keep_alive() && !stopping_;
        begin(client, Step::answer, limits_.send_time);
        send(client, answer, keep_alive, request.method != "HEAD");
        co_await client.writer.drain();
        if (!keep_alive) {
            break;
        }
    }
}

// What a client has to say after its head.
inline asyncio::Coroutine<std::string> HttpServer::read_body(Client& client,
                                                             const Request& request) {
    const Framing framing = framing_of(request);
    const auto expected = request.header("expect");
    if (expected.has_value() && detail::to_lower(std::string(*expected)) != "100-continue") {
        throw RequestError(417, "something is expected that is not known");
    }
    if (!framing.chunked && framing.length == 0) {
        co_return std::string();
    }
    const Limits limits{.header = limits_.head, .body = limits_.body, .bare_newlines = false};
    detail::check_body_size(framing.length, limits);
    begin(client, Step::body, limits_.body_time);
    if (expected.has_value()) {
        client.writer.write("HTTP/1.1 100 Continue\r\n\r\n");
    }
    if (framing.chunked) {
        co_return co_await detail::read_chunks(client.reader, limits);
    }
    co_return co_await detail::read_exactly(client.reader, framing.length);
}

inline asyncio::Coroutine<Answer> HttpServer::answer(const Request& request) {
    auto answered = co_await asyncio::as_result(handler_(request));
    if (answered.has_value() || answered.cancelled()) {
        co_return std::move(answered).get();
    }
    asyncio::ExceptionContext context;
    context.message = "A request could not be answered";
    context.exception = answered.error();
    asyncio::get_running_loop().call_exception_handler(context);
    co_return answer_of(500);
}

// The end of a connection. Were it closed while something that the client has sent is not read, it
// would be reset, and with it the answer that the client has not read yet: RFC 9112, section 9.6.
inline asyncio::Coroutine<> HttpServer::part(Client& client, std::optional<Answer> last) {
    auto say_rest = [&] {
        if (last.has_value()) {
            send(client, *last, false, true);
        }
        client.writer.set_write_buffer_limits({.high = 0});
        return client.writer.drain();
    };
    auto listen = [&] {
        client.writer.write_eof();
        return detail::read_rest(client.reader);
    };
    auto parted = co_await asyncio::as_result(asyncio::timeout(limits_.send_time, say_rest));
    if (parted.has_value()) {
        parted = co_await asyncio::as_result(asyncio::timeout(limits_.part_time, listen));
    }
    if (parted.has_value()) {
        client.writer.close();
    } else {
        client.writer.abort();
    }
    if (parted.cancelled()) {
        parted.get();
    }
}

inline void HttpServer::begin(Client& client, Step step, std::optional<asyncio::Duration> time) {
    client.step = step;
    std::optional<asyncio::TimePoint> end;
    if (time.has_value()) {
        end = asyncio::get_running_loop().time() + std::chrono::nanoseconds(*time);
    }
    client.deadline.reschedule(end);
}

inline void HttpServer::send(Client& client, const Answer& answer, bool keep_alive, bool body) {
    const std::string head = head_of(answer, keep_alive);
    if (body) {
        client.writer.writelines({head, answer.body});
    } else {
        client.writer.write(head);
    }
}

inline void HttpServer::stop() {
    stopping_ = true;
    for (Client* client : clients_) {
        if (client->step == Step::head && !client->deadline.expired()) {
            client->deadline.reschedule(asyncio::get_running_loop().time());
        }
    }
}

}  // namespace http
