// setup.hpp - what there is to wait for, as the command line says: make_sources().
//
// SPDX-License-Identifier: MIT
#pragma once

#include "database.hpp"
#include "failures.hpp"
#include "files.hpp"
#include "options.hpp"
#include "requests.hpp"
#include "source.hpp"
#include "text.hpp"
#include "threads.hpp"

#include <asyncio/coroutines.hpp>
#include <asyncio/result.hpp>
#include <asyncio/servers.hpp>
#include <asyncio/timeouts.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tour {

/// What the waits need, and the tour's own server and database where the command line names none.
struct Surroundings {
    explicit Surroundings(Pools& threads) : pools(threads) {}

    Pools& pools;
    std::optional<asyncio::Server> server;
    std::unique_ptr<SampleDatabase> database;
};

inline asyncio::Coroutine<std::unique_ptr<Source>> make_files(const Options& options,
                                                              Surroundings& own) {
    return FileSource::below(options.files, options.max_files, own.pools.files);
}

inline asyncio::Coroutine<std::unique_ptr<Source>> make_requests(const Options& options,
                                                                 Surroundings& own) {
    std::string url = options.url.value_or("");
    if (!options.url.has_value()) {
        own.server = co_await start_slow_server(options.delay);
        url = "http://127.0.0.1:" + std::to_string(own.server->addresses().front().port()) + "/";
    }
    co_return std::make_unique<RequestSource>(url, options.requests);
}

inline asyncio::Coroutine<std::unique_ptr<Source>> make_queries(const Options& options,
                                                                Surroundings& own) {
    std::string path = options.db.value_or("");
    std::string sql = "SELECT name, type FROM sqlite_master";
    if (!options.db.has_value()) {
        own.database = co_await own.pools.queries.call("a new database", SampleDatabase::create);
        path = own.database->path();
        sql = SampleDatabase::query;
    }
    co_return std::make_unique<QuerySource>(path, options.sql.value_or(sql), options.queries,
                                            own.pools.queries);
}

/// What there is to wait for. What cannot even be begun is reported, and left out.
inline asyncio::Coroutine<std::vector<std::unique_ptr<Source>>> make_sources(const Options& options,
                                                                             Surroundings& own,
                                                                             Failures& failures) {
    struct Part {
        std::string kind;
        std::size_t count;
        asyncio::Coroutine<std::unique_ptr<Source>> (*make)(const Options&, Surroundings&);
    };
    const std::array<Part, 3> parts{{{"files", options.max_files, make_files},
                                     {"requests", options.requests, make_requests},
                                     {"queries", options.queries, make_queries}}};
    constexpr asyncio::Duration patience = std::chrono::seconds(10);
    std::vector<std::unique_ptr<Source>> sources;
    for (const Part& part : parts) {
        if (part.count == 0) {
            continue;
        }
        asyncio::Timeout limit = asyncio::timeout(patience);
        auto make = [&] { return part.make(options, own); };
        auto source = co_await asyncio::as_result(asyncio::with(limit, make));
        if (source.cancelled()) {
            source.get();
        } else if (source.has_value()) {
            sources.push_back(std::move(*source));
        } else {
            failures.report(part.kind + ": " +
                            (limit.expired() ? "not ready within " + seconds_text(patience)
                                             : text_of(source.error())));
        }
    }
    co_return sources;
}

}  // namespace tour
