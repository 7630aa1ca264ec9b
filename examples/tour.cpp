// tour.cpp - the three waits of every program with asyncio, each many times: files, an API over
// HTTP, a database. First one after another, then many at a time; a table shows what that gains.
//
// `tour --help` lists what can be put in the place of the tour's own files, server and database.
// What each wait is: support/{files,requests,database}.hpp. How they are done: support/work.hpp.
// SPDX-License-Identifier: MIT
#include "support/failures.hpp"
#include "support/options.hpp"
#include "support/progress.hpp"
#include "support/setup.hpp"
#include "support/table.hpp"
#include "support/text.hpp"
#include "support/threads.hpp"
#include "support/work.hpp"

#include <asyncio/asyncio.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace asyncio;

namespace tour {

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
Coroutine<bool> go(const Options& options, Pools& pools) {
    Progress progress;
    Failures failures(progress);
    Surroundings own(pools);
    auto sources = co_await make_sources(options, own, failures);
    Work work(std::move(sources), options.deadline, progress, failures);
    Round first("one after another");
    Round second(std::to_string(options.workers) + " at a time");

    auto result = co_await as_result(do_both(work, first, second, options.workers));

    // Also after Ctrl-C: what was done until then.
    const std::string table = make_table(work, first, second).text();
    if (std::fputs(table.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
        failures.report(OSError(errno, "the table cannot be written").what());
    }
    result.get();
    co_return !failures.any();
}

/// The program but for its end: the exit status.
int run_tour(const std::vector<std::string>& arguments, Pools& pools) {
    try {
        const Options options = parse_options(arguments);
        if (options.help) {
            std::fputs(usage().c_str(), stdout);
            return 0;
        }
        return run(go(options, pools)) ? 0 : 1;
    } catch (const UsageError& error) {
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

}  // namespace tour

int main(int argc, char** argv) {
    tour::Pools pools;
    const int status = tour::run_tour({argv + 1, argv + argc}, pools);
    if (const auto line = pools.left_behind()) {
        std::fprintf(stderr, "tour: %s\n", line->c_str());
        std::_Exit(status);  // destructors would wait for the threads, and so may exit()
    }
    return status;
}
