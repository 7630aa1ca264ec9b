// tour.cpp - the three waits of every program with asyncio, each many times: files, an API over
// HTTP, a database. First one after another, then many at a time; a table shows what that gains.
//
// `tour --help` lists what can be put in the place of the tour's own files, server and database.
// What each wait is: support/{files,requests,database}.hpp. How they are done: support/work.hpp.
// SPDX-License-Identifier: MIT
#include "support/database.hpp"
#include "support/failures.hpp"
#include "support/files.hpp"
#include "support/options.hpp"
#include "support/progress.hpp"
#include "support/requests.hpp"
#include "support/table.hpp"
#include "support/work.hpp"

#include <asyncio/asyncio.hpp>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace asyncio;

namespace tour {

/// The tour's own server and database, where the command line names no other.
struct Surroundings {
    std::optional<Server> server;
    std::unique_ptr<SampleDatabase> database;
};

/// What there is to wait for. What cannot even be begun is reported, and left out.
Coroutine<std::vector<std::unique_ptr<Source>>> make_sources(const Options& options,
                                                             Surroundings& own,
                                                             Failures& failures) {
    std::vector<std::unique_ptr<Source>> sources;
    if (options.max_files > 0) {
        auto files = co_await as_result(FileSource::below(options.files, options.max_files));
        if (files.cancelled()) {
            files.get();
        } else if (files.has_value()) {
            sources.push_back(std::move(*files));
        } else {
            failures.report("files: " + options.files + ": " + text_of(files.error()));
        }
    }
    if (options.requests > 0) {
        std::string url = options.url.value_or("");
        if (!options.url.has_value()) {
            own.server = co_await start_slow_server(options.delay);
            url = "http://127.0.0.1:" +
                  std::to_string(own.server->sockets().front().getsockname().port()) + "/";
        }
        sources.push_back(std::make_unique<RequestSource>(url, options.requests));
    }
    if (options.queries > 0) {
        std::string path = options.db.value_or("");
        std::string sql = "SELECT name, type FROM sqlite_master";
        if (!options.db.has_value()) {
            own.database = co_await to_thread([] { return std::make_unique<SampleDatabase>(); });
            path = own.database->path();
            sql = SampleDatabase::query;
        }
        sources.push_back(
            std::make_unique<QuerySource>(path, options.sql.value_or(sql), options.queries));
    }
    co_return sources;
}

Table make_table(const Work& work, const Round& first, const Round& second) {
    const Round* const rounds[] = {&first, &second};
    Table table;
    const auto add = [&](const std::string& title, auto cell) {
        std::vector<std::string> row{title};
        for (const Round* round : rounds) {
            row.push_back(round->elapsed > 0 ? cell(*round) : "-");
        }
        table.add(std::move(row));
    };
    table.add({"", first.name, second.name});
    for (const auto& source : work.sources()) {
        add(source->kind(), [&](const Round& round) {
            const auto tally = round.tallies.find(source.get());
            return std::to_string(tally == round.tallies.end() ? 0 : tally->second.done) + " of " +
                   std::to_string(source->count());
        });
    }
    add("failed", [](const Round& round) { return std::to_string(round.sum(&Tally::failed)); });
    if (first.sum(&Tally::skipped) + second.sum(&Tally::skipped) > 0) {
        add("given up",
            [](const Round& round) { return std::to_string(round.sum(&Tally::skipped)); });
    }
    add("elapsed", [](const Round& round) { return number(round.elapsed, 3, "s"); });
    add("sum of waits", [](const Round& round) { return number(round.waited, 3, "s"); });
    add("speed-up", [&](const Round& round) {
        return first.finished && round.finished ? number(first.elapsed / round.elapsed, 1, "x")
                                                : "-";
    });
    add("context switches",
        [](const Round& round) { return std::to_string(round.usage.context_switches); });
    add("peak memory", [](const Round& round) {
        return number(static_cast<double>(round.usage.peak_memory) / 1024, 1, "MiB");
    });
    add("threads", [](const Round& round) { return std::to_string(round.usage.threads); });
    return table;
}

Coroutine<> do_both(Work& work, Round& first, Round& second, std::size_t workers) {
    co_await work.measure(first, work.one_after_another(first));
    co_await work.measure(second, work.concurrently(second, workers));
}

/// The whole tour; was everything well?
Coroutine<bool> go(Options options) {
    Progress progress;
    Failures failures(progress);
    Surroundings own;
    auto sources = co_await make_sources(options, own, failures);
    Work work(std::move(sources), options.deadline, progress, failures);
    Round first("one after another");
    Round second(std::to_string(options.workers) + " at a time");

    auto result = co_await as_result(do_both(work, first, second, options.workers));

    // Also after Ctrl-C: what was done until then.
    std::fputs(make_table(work, first, second).text().c_str(), stdout);
    result.get();
    co_return !failures.any();
}

}  // namespace tour

int main(int argc, char** argv) {
    try {
        const auto options = tour::parse_options({argv + 1, argv + argc});
        if (options.help) {
            std::fputs(tour::usage().c_str(), stdout);
            return 0;
        }
        return run(tour::go(options)) ? 0 : 1;
    } catch (const tour::UsageError& error) {
        std::fprintf(stderr, "tour: %s; --help lists the options\n", error.what());
        return 2;
    } catch (const KeyboardInterrupt&) {
        std::fputs("tour: interrupted\n", stderr);
        return 130;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "tour: %s\n", error.what());
        return 1;
    }
}
