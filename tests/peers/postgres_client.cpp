// postgres_client.cpp - speaks to a PostgreSQL server over raw streams, by its protocol 3.0.
//
// usage: postgres_client HOST:PORT|PATH; prints what the server answers, a line for each step.
// SPDX-License-Identifier: MIT
#include "connect.hpp"

#include <asyncio/asyncio.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace asyncio;
using namespace std::string_literals;

/// A number of so many bytes, the highest first.
std::string big_endian(std::uint32_t number, int bytes = 4) {
    std::string text;
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
        text += static_cast<char>(number >> shift);
    }
    return text;
}

/// Takes a number off the beginning of `text`.
std::uint32_t take_number(std::string_view& text, std::size_t bytes = 4) {
    std::uint32_t number = 0;
    for (const char c : text.substr(0, bytes)) {
        number = number << 8 | static_cast<unsigned char>(c);
    }
    text.remove_prefix(bytes);
    return number;
}

struct Message {
    char type = 0;
    std::string body;
};

using Rows = std::vector<std::vector<std::string>>;

class Postgres {
public:
    explicit Postgres(StreamPair streams)
        : reader_(std::move(streams.reader)), writer_(std::move(streams.writer)) {}

    Coroutine<> begin() {
        constexpr std::uint32_t version = 3 << 16;
        send_untyped(big_endian(version) + "user\0peer\0database\0postgres\0\0"s);
        while (true) {
            const Message message = co_await receive();
            std::string_view body = message.body;
            if (message.type == 'E') {
                throw std::runtime_error(text_of(message));
            }
            if (message.type == 'R' && take_number(body) != 0) {
                throw std::runtime_error("it wants to know who we are");
            }
            if (message.type == 'K') {
                key_ = message.body;
            }
            if (message.type == 'Z') {
                break;  // ready
            }
        }
    }

    Coroutine<Rows> query(std::string_view sql) {
        std::string body(sql);
        body += '\0';
        writer_.write("Q" + big_endian(static_cast<std::uint32_t>(body.size() + 4)) + body);
        return rows();
    }

    /// Up to where the server is ready again; throws what it says instead.
    Coroutine<Rows> rows() {
        Rows rows;
        std::string error;
        while (true) {
            const Message message = co_await receive();
            if (message.type == 'D') {
                rows.push_back(columns_of(message.body));
            } else if (message.type == 'E') {
                error = text_of(message);
            } else if (message.type == 'Z') {
                break;
            }
        }
        if (!error.empty()) {
            throw std::runtime_error(error);
        }
        co_return rows;
    }

    /// Asks on a connection of its own for `other` to give up what it does.
    Coroutine<> cancel(const Postgres& other) {
        send_untyped(big_endian(80877102) + other.key_);
        co_await reader_.read();  // the server closes it
        writer_.close();
        co_await writer_.wait_closed();
    }

    Coroutine<> end() {
        writer_.write("X" + big_endian(4));
        const std::string rest = co_await reader_.read();
        std::printf("end: %zu more bytes\n", rest.size());
        writer_.close();
        co_await writer_.wait_closed();
    }

private:
    void send_untyped(const std::string& body) {
        writer_.write(big_endian(static_cast<std::uint32_t>(body.size() + 4)) + body);
    }

    Coroutine<Message> receive() {
        Message message;
        const std::string header = co_await reader_.readexactly(5);
        std::string_view length(header);
        length.remove_prefix(1);
        message.type = header[0];
        message.body = co_await reader_.readexactly(take_number(length) - 4);
        co_return message;
    }

    static std::vector<std::string> columns_of(std::string_view body) {
        std::vector<std::string> columns(take_number(body, 2));
        for (std::string& column : columns) {
            const std::uint32_t size = take_number(body);
            if (size == 0xffffffff) {
                column = "(null)";
                continue;
            }
            column = body.substr(0, size);
            body.remove_prefix(size);
        }
        return columns;
    }

    /// The code of an error: of its fields, each with a letter before and a zero after, that of C.
    static std::string text_of(const Message& message) {
        const auto field = message.body.find(std::string("\0C", 2));
        return message.body.substr(field + 2, 5);
    }

    StreamReader reader_;
    StreamWriter writer_;
    std::string key_;
};

Coroutine<> ask(Postgres& postgres, std::string sql) {
    auto answer = co_await as_result(postgres.query(sql));
    std::printf("%s:", sql.c_str());
    if (!answer.has_value()) {
        std::printf(" %s", describe(answer.error()).c_str());
    } else {
        for (const auto& row : *answer) {
            for (const std::string& column : row) {
                std::printf(" %s", column.c_str());
            }
        }
    }
    std::printf("\n");
}

Coroutine<> large_answer(Postgres& postgres) {
    const Rows rows = co_await postgres.query(
        "SELECT i, repeat('x', i % 1000) FROM generate_series(1, 20000) AS i");
    bool right = rows.size() == 20'000;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        right = right && rows[i][0] == std::to_string(i + 1) && rows[i][1].size() == (i + 1) % 1000;
    }
    std::printf("20000 rows: %s\n", right ? "right" : "wrong");
}

/// A query that takes too long is given up, here and there; then the connection is as good as ever.
Coroutine<> give_up(const std::string& where, Postgres& postgres) {
    auto query = [&] { return postgres.query("SELECT pg_sleep(60)"); };
    auto slow = co_await as_result(timeout(0.1, query));
    std::printf("in time: %s\n", describe(slow.error()).c_str());
    Postgres canceller(co_await connect_to(where));
    co_await canceller.cancel(postgres);
    auto rest = co_await as_result(postgres.rows());
    std::printf("cancelled: %s\n", describe(rest.error()).c_str());
}

Coroutine<Rows> ask_alone(std::string where, std::string sql) {
    Postgres postgres(co_await connect_to(where));
    co_await postgres.begin();
    co_return co_await postgres.query(sql);
}

Coroutine<> at_the_same_time(const std::string& where) {
    std::vector<Task<Rows>> asked;
    for (int i = 0; i < 10; ++i) {
        asked.push_back(
            create_task(ask_alone(where, "SELECT " + std::to_string(i) + " FROM pg_sleep(0.1)")));
    }
    std::printf("at the same time:");
    for (auto& rows : co_await gather(std::move(asked))) {
        std::printf(" %s", rows[0][0].c_str());
    }
    std::printf("\n");
}

Coroutine<> amain(std::string where) {
    Postgres postgres(co_await connect_to(where));
    co_await postgres.begin();
    co_await ask(postgres, "SELECT 6 * 7, NULL, 'two words'");
    co_await ask(postgres, "SELECT 1 / 0");
    co_await ask(postgres, "CREATE TABLE t (i int); INSERT INTO t VALUES (1), (2)");
    co_await ask(postgres, "SELECT sum(i) FROM t");
    co_await large_answer(postgres);
    co_await give_up(where, postgres);
    co_await ask(postgres, "SELECT 'still here'");
    co_await at_the_same_time(where);
    co_await postgres.end();
}

int main(int, char** argv) {
    run(amain(argv[1]));
}
