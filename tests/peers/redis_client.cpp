// redis_client.cpp - speaks to a Redis server over raw streams, by its protocol RESP.
//
// usage: redis_client HOST:PORT|PATH; prints what the server answers, a line for each step.
// SPDX-License-Identifier: MIT
#include "connect.hpp"

#include <asyncio/asyncio.hpp>

#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace asyncio;

class Redis {
public:
    explicit Redis(StreamPair streams)
        : reader_(std::move(streams.reader)), writer_(std::move(streams.writer)) {}

    /// An array of strings, each with its length: so they may hold anything.
    template <class... Words>
    void send(const Words&... words) {
        std::string request = "*" + std::to_string(sizeof...(words)) + "\r\n";
        for (const std::string_view word : {std::string_view(words)...}) {
            request += "$" + std::to_string(word.size()) + "\r\n";
            request.append(word).append("\r\n");
        }
        writer_.write(request);
    }

    /// An answer as text; of an array its elements, separated by spaces.
    Coroutine<std::string> receive() {
        std::string line = co_await reader_.readuntil("\r\n");
        line.resize(line.size() - 2);
        const std::string rest = line.substr(1);
        if (line[0] == '+' || line[0] == ':') {
            co_return rest;
        }
        if (line[0] == '-') {
            throw std::runtime_error(rest);
        }
        if (rest == "-1") {
            co_return "(nil)";
        }
        if (line[0] == '$') {
            std::string text = co_await reader_.readexactly(std::stol(rest) + 2);
            text.resize(text.size() - 2);
            co_return text;
        }
        std::string text;
        for (long left = std::stol(rest); left > 0; --left) {
            text += co_await receive();
            text += left > 1 ? " " : "";
        }
        co_return text;
    }

    template <class... Words>
    Coroutine<std::string> call(const Words&... words) {
        send(words...);  // now: the words are only borrowed
        return answer();
    }

    Coroutine<> close() {
        writer_.close();
        co_await writer_.wait_closed();
    }

private:
    Coroutine<std::string> answer() {
        co_await writer_.drain();
        co_return co_await receive();
    }

    StreamReader reader_;
    StreamWriter writer_;
};

void say(std::string_view step, std::string_view answer) {
    std::printf("%.*s: %.*s\n", static_cast<int>(step.size()), step.data(),
                static_cast<int>(answer.size()), answer.data());
}

Coroutine<> get_and_set(Redis& redis) {
    say("PING", co_await redis.call("PING"));
    std::string value("a\r\nb\0c", 6);
    say("SET", co_await redis.call("SET", "key", value));
    std::string answer = co_await redis.call("GET", "key");
    say("GET is what was set", answer == value ? "yes" : "no");
    say("GET of nothing", co_await redis.call("GET", "nothing"));
    auto wrong = co_await as_result(redis.call("INCR", "key"));
    say("INCR of a text", describe(wrong.error()));

    value.assign(3'000'000, 'x');
    say("SET of 3 MB", co_await redis.call("SET", "large", value));
    answer = co_await redis.call("GET", "large");
    say("GET of 3 MB is what was set", answer == value ? "yes" : "no");
}

Coroutine<> send_ahead(Redis& redis) {
    constexpr int count = 10'000;
    for (int i = 0; i < count; ++i) {
        redis.send("INCR", "counter");
    }
    std::string last;
    for (int i = 0; i < count; ++i) {
        last = co_await redis.receive();
    }
    say("INCR, 10000 sent ahead", last);
}

/// An answer that does not come: the wait is given up, and the connection still good.
Coroutine<> wait_for_others(const std::string& where, Redis& redis) {
    Redis other(co_await connect_to(where));
    redis.send("BLPOP", "list", "0");
    auto answer = [&] { return redis.receive(); };
    auto waited = co_await as_result(timeout(0.05, answer));
    say("BLPOP", describe(waited.error()));
    say("RPUSH", co_await other.call("RPUSH", "list", "element"));
    say("BLPOP then", co_await redis.receive());
    co_await other.close();
}

Coroutine<> subscribe(const std::string& where, Redis& redis) {
    Redis subscriber(co_await connect_to(where));
    say("SUBSCRIBE", co_await subscriber.call("SUBSCRIBE", "news"));
    say("PUBLISH", co_await redis.call("PUBLISH", "news", "hello"));
    say("message", co_await subscriber.receive());
    co_await subscriber.close();
}

Coroutine<> amain(std::string where) {
    Redis redis(co_await connect_to(where));
    co_await get_and_set(redis);
    co_await send_ahead(redis);
    co_await wait_for_others(where, redis);
    co_await subscribe(where, redis);
    say("QUIT", co_await redis.call("QUIT"));
    auto after = co_await as_result(redis.receive());
    say("after QUIT", describe(after.error()).substr(0, 19));
    co_await redis.close();
}

int main(int, char** argv) {
    run(amain(argv[1]));
}
