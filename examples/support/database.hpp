// database.hpp - the third wait: queries to an SQLite database.
//
// SQLite only knows calls that block. Each is made in a thread; a connection is in one thread at a
// time.
// SPDX-License-Identifier: MIT
#pragma once

#include "source.hpp"
#include "threads.hpp"

#include <asyncio/exceptions.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <sqlite3.h>

namespace tour {

class DatabaseError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// An SQLite connection. Every method blocks.
class Connection {
public:
    Connection(const std::string& path, int flags) {
        const int status = sqlite3_open_v2(path.c_str(), &database_, flags, nullptr);
        if (status != SQLITE_OK) {
            const std::string reason = sqlite3_errmsg(database_);
            sqlite3_close(database_);
            throw DatabaseError(path + ": " + reason);
        }
        sqlite3_busy_timeout(database_, 1000);
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() { sqlite3_close(database_); }

    /// Runs the statements of `sql`, reads all they give, and tells how many rows it was. Gives up
    /// when `stop` says so.
    std::size_t execute(const std::string& sql, std::stop_token stop = {}) {
        constexpr int steps_between_looks = 10'000;
        const auto look = [](void* token) {
            return static_cast<std::stop_token*>(token)->stop_requested() ? 1 : 0;
        };
        sqlite3_progress_handler(database_, steps_between_looks, look, &stop);
        std::size_t rows = 0;
        for (const char* rest = sql.c_str(); *rest != '\0' && !stop.stop_requested();) {
            sqlite3_stmt* prepared = nullptr;
            check(sqlite3_prepare_v2(database_, rest, -1, &prepared, &rest));
            const std::unique_ptr<sqlite3_stmt, Finalize> statement(prepared);
            int status = SQLITE_DONE;
            while (prepared != nullptr && (status = sqlite3_step(prepared)) == SQLITE_ROW) {
                ++rows;
            }
            if (status != SQLITE_DONE) {
                check(status);
            }
        }
        sqlite3_progress_handler(database_, 0, nullptr, nullptr);
        return rows;
    }

private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };

    void check(int status) {
        if (status != SQLITE_OK) {
            const std::string reason = sqlite3_errmsg(database_);
            sqlite3_progress_handler(database_, 0, nullptr, nullptr);
            throw DatabaseError(reason);
        }
    }

    sqlite3* database_ = nullptr;
};

/// A database with something in it, in a directory of its own that goes when this goes.
class SampleDatabase {
public:
    SampleDatabase() {
        std::string name = std::filesystem::temp_directory_path() / "asyncio-tour-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) {
            throw asyncio::OSError(errno, name);
        }
        directory_ = name;
        // No care for what a power failure would leave: it is gone in a minute.
        Connection(path(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE).execute(R"(
            PRAGMA synchronous = OFF;
            CREATE TABLE readings (station INTEGER, celsius REAL);
            WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number LIMIT 2000)
            INSERT INTO readings SELECT n % 50, n * 7919 % 600 / 10.0 - 20 FROM number)");
    }
    SampleDatabase(const SampleDatabase&) = delete;
    SampleDatabase& operator=(const SampleDatabase&) = delete;
    ~SampleDatabase() {
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }

    /// In a thread.
    static std::unique_ptr<SampleDatabase> create(std::stop_token) {
        return std::make_unique<SampleDatabase>();
    }

    [[nodiscard]] std::string path() const { return directory_ / "tour.db"; }

    static constexpr const char* query =
        "SELECT station, min(celsius), avg(celsius), max(celsius) FROM readings GROUP BY station";

private:
    std::filesystem::path directory_;
};

/// The same query again and again, on as many connections as are needed at a time.
class QuerySource final : public Source {
public:
    QuerySource(std::string path, std::string sql, std::size_t count, Threads& threads)
        : path_(std::move(path)), sql_(std::move(sql)), count_(count), threads_(threads) {}

    [[nodiscard]] std::string kind() const override { return "queries"; }
    [[nodiscard]] std::size_t count() const override { return count_; }
    [[nodiscard]] std::string subject(std::size_t) const override { return sql_; }

    asyncio::Coroutine<> wait(std::size_t) override {
        std::shared_ptr<Connection> connection;
        if (!idle_.empty()) {
            connection = std::move(idle_.back());
            idle_.pop_back();
        }
        connection = co_await threads_.call(path_, query, connection, path_, sql_);
        idle_.push_back(std::move(connection));  // one that failed is not used again
    }

private:
    /// In a thread. Gives the connection back: a new one if there was none.
    static std::shared_ptr<Connection> query(std::shared_ptr<Connection> connection,
                                             const std::string& path, const std::string& sql,
                                             std::stop_token stop) {
        if (connection == nullptr) {
            // For reading: the query comes from the command line and is run many times.
            connection = std::make_shared<Connection>(path, SQLITE_OPEN_READONLY);
        }
        connection->execute(sql, std::move(stop));
        return connection;
    }

    std::string path_;
    std::string sql_;
    std::size_t count_;
    Threads& threads_;
    std::vector<std::shared_ptr<Connection>> idle_;
};

}  // namespace tour
