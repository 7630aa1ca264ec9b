// work.hpp - doing the waits: one after another, or many at a time; and counting.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "failures.hpp"
#include "progress.hpp"
#include "source.hpp"
#include "text.hpp"
#include "usage.hpp"

#include <asyncio/events.hpp>
#include <asyncio/queues.hpp>
#include <asyncio/result.hpp>
#include <asyncio/taskgroups.hpp>
#include <asyncio/timeouts.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace tour {

/// One wait of a source.
struct Job {
    Source* source = nullptr;
    std::size_t index = 0;
};

/// What has come of the waits of one source in one round.
struct Tally {
    std::size_t done = 0;
    std::size_t failed = 0;
    std::size_t skipped = 0;  ///< not tried any more, having failed in the same way again and again
    std::string last_failure;
    int repeated = 0;  ///< how often it failed in this way, one time after another
};

/// One of the two ways of doing all the work, and what came of it.
struct Round {
    explicit Round(std::string title) : name(std::move(title)) {}

    [[nodiscard]] std::size_t sum(std::size_t Tally::* member) const {
        std::size_t sum = 0;
        for (const auto& [source, tally] : tallies) {
            sum += tally.*member;
        }
        return sum;
    }

    std::string name;
    bool finished = false;
    double elapsed = 0;  ///< seconds
    double waited = 0;   ///< seconds: the sum of all waits
    Usage usage;         ///< of this round alone
    std::map<const Source*, Tally> tallies;
};

class Work {
public:
    Work(std::vector<std::unique_ptr<Source>> sources, asyncio::Duration deadline,
         Progress& progress, Failures& failures)
        : sources_(std::move(sources)),
          deadline_(deadline),
          progress_(progress),
          failures_(failures) {}

    [[nodiscard]] const std::vector<std::unique_ptr<Source>>& sources() const { return sources_; }

    asyncio::Coroutine<> one_after_another(Round& round) {
        for (const Job& job : jobs()) {
            co_await attempt(job, round);
        }
    }

    asyncio::Coroutine<> concurrently(Round& round, std::size_t workers) {
        asyncio::Queue<Job> queue(static_cast<int>(2 * workers));
        co_await asyncio::task_group([&](asyncio::TaskGroup& group) -> asyncio::Coroutine<> {
            for (std::size_t worker = 0; worker < workers; ++worker) {
                group.create_task(work_off(queue, round));
            }
            for (const Job& job : jobs()) {
                co_await queue.put(job);
            }
            queue.shutdown();  // the workers finish what is in it, and end
        });
    }

    /// Does `body`, one of the two above, and measures it, however it ends.
    asyncio::Coroutine<> measure(Round& round, asyncio::Coroutine<> body) {
        const asyncio::EventLoop& loop = asyncio::get_running_loop();
        Usage::forget_peak();
        const Usage before = Usage::now();
        const asyncio::TimePoint started = loop.time();
        progress_.begin(round.name, jobs().size());
        auto show = asyncio::create_task(progress_.show());

        auto result = co_await asyncio::as_result(std::move(body));

        show.cancel();
        progress_.end();
        round.elapsed = asyncio::Duration(loop.time() - started).seconds();
        round.usage = Usage::now();
        round.usage.context_switches -= before.context_switches;
        round.finished = result.has_value();
        result.get();
    }

private:
    /// The kinds take turns, so that each is seen from the beginning.
    [[nodiscard]] std::vector<Job> jobs() const {
        std::vector<Job> jobs;
        std::size_t most = 0;
        for (const auto& source : sources_) {
            most = std::max(most, source->count());
        }
        for (std::size_t index = 0; index < most; ++index) {
            for (const auto& source : sources_) {
                if (index < source->count()) {
                    jobs.push_back({source.get(), index});
                }
            }
        }
        return jobs;
    }

    asyncio::Coroutine<> work_off(asyncio::Queue<Job>& queue, Round& round) {
        try {
            while (true) {
                const Job job = co_await queue.get();
                co_await attempt(job, round);
            }
        } catch (const asyncio::QueueShutDown&) {
            // all done
        }
    }

    /// One wait, with its deadline. Only a cancellation leaves it: what else goes wrong is counted
    /// and reported, and the rest of the work goes on.
    asyncio::Coroutine<> attempt(Job job, Round& round) {
        constexpr int give_up_after = 3;
        Tally& tally = round.tallies[job.source];
        if (tally.repeated >= give_up_after) {
            ++tally.skipped;
            progress_.step();
            co_return;
        }
        const asyncio::EventLoop& loop = asyncio::get_running_loop();
        const asyncio::TimePoint started = loop.time();
        asyncio::Timeout limit = asyncio::timeout(deadline_);
        auto body = [&] { return job.source->wait(job.index); };
        auto result = co_await asyncio::as_result(asyncio::with(limit, body));
        round.waited += asyncio::Duration(loop.time() - started).seconds();
        if (result.cancelled()) {
            result.get();
        }
        progress_.step();
        if (result.has_value()) {
            ++tally.done;
            tally.repeated = 0;
            co_return;
        }
        count_failure(tally, job,
                      limit.expired() ? "no answer within " + seconds_text(deadline_)
                                      : text_of(result.error()));
    }

    void count_failure(Tally& tally, Job job, const std::string& reason) {
        const Source& source = *job.source;
        const std::string line = source.kind() + ": " + source.subject(job.index) + ": " + reason;
        ++tally.failed;
        tally.repeated = line == tally.last_failure ? tally.repeated + 1 : 1;
        tally.last_failure = line;
        failures_.report(line);
    }

    std::vector<std::unique_ptr<Source>> sources_;
    asyncio::Duration deadline_;
    Progress& progress_;
    Failures& failures_;
};

}  // namespace tour
