// synchronisation.cpp - what it costs that one unit waits for another: for a lock that the other
// holds, and for its message.
//
// SPDX-License-Identifier: MIT
#include <asyncio/locks.hpp>
#include <asyncio/queues.hpp>
#include <asyncio/runners.hpp>
#include <asyncio/tasks.hpp>

#include "format.hpp"
#include "measure.hpp"
#include "measurement.hpp"
#include "pair_lock.hpp"
#include "pair_mail.hpp"
#include "shared.hpp"
#include "units.hpp"

#include <algorithm>
#include <cstddef>

namespace compare {
namespace {

// Values: those of the lock, then as many of the messages.
Values joined(Values lock, const Values& message) {
    const std::size_t count = std::min(lock.size(), message.size());
    lock.resize(count);
    lock.insert(lock.end(), message.begin(), message.begin() + static_cast<std::ptrdiff_t>(count));
    return lock;
}

// --- Tasks -------------------------------------------------------------------------------------

struct Pair {
    asyncio::Lock lock;
    int last = -1;               ///< who held it
    std::size_t changes = 0;     ///< how often that was the other one
    asyncio::Queue<Mail> to[2];  // the mail boxes of both
};

asyncio::Coroutine<> hold_in_turn(Pair& pair, int me, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        co_await pair.lock.acquire();
        if (i == 0) {
            co_await asyncio::sleep(0);  // until the other one waits; from then on they alternate
        }
        pair.changes += pair.last != me ? 1 : 0;
        pair.last = me;
        pair.lock.release();
    }
}

asyncio::Coroutine<> pass_lock(std::size_t count) {
    Pair pair;
    co_await asyncio::gather(hold_in_turn(pair, 0, count / 2), hold_in_turn(pair, 1, count / 2));
    require(pair.changes + 2 >= count / 2 * 2, "the tasks did not hold the lock in turn");
}

asyncio::Coroutine<> answer(Pair& pair, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        const Mail mail = co_await pair.to[1].get();
        co_await pair.to[0].put(mail);
    }
}

asyncio::Coroutine<> ask(Pair& pair, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        const Mail question(i);
        co_await pair.to[1].put(question);
        const Mail mail = co_await pair.to[0].get();
        require(mail.number == i, "a task got another message");
    }
}

asyncio::Coroutine<> pass_messages(std::size_t count) {
    Pair pair;
    co_await asyncio::gather(ask(pair, count / 2), answer(pair, count / 2));
}

Values of_tasks(const Scale& scale) {
    stay_on_one_processor();
    const std::size_t count = scale.hand_overs.asyncio;
    const Values lock = repeat_ns(scale, count, [&] { asyncio::run(pass_lock(count)); });
    return joined(lock, repeat_ns(scale, count, [&] { asyncio::run(pass_messages(count)); }));
}

// --- Threads -----------------------------------------------------------------------------------

/// One of the two asks and the other answers, `count` times in all.
template <class Box>
void pass_mail(Box& questions, Box& answers, std::size_t me, std::size_t count) {
    for (std::size_t i = 0; i < count / 2; ++i) {
        if (me == 0) {
            questions.put(Mail(i));
            require(answers.get().number == i, "another message was got");
        } else {
            answers.put(questions.get());
        }
    }
}

Values of_threads(const Scale& scale) {
    stay_on_one_processor();
    const std::size_t count = scale.hand_overs.threads;
    const Values lock = repeat_ns(scale, count, [&] {
        PairLock pair(PairLock::Of::threads);
        in_threads(2, [&](std::size_t me) { pair.hold_in_turn(me == 0, count / 2); });
    });
    return joined(lock, repeat_ns(scale, count, [&] {
                      ThreadMail questions;
                      ThreadMail answers;
                      in_threads(2,
                                 [&](std::size_t me) { pass_mail(questions, answers, me, count); });
                  }));
}

// --- Processes ---------------------------------------------------------------------------------

Values of_processes(const Scale& scale) {
    stay_on_one_processor();
    const std::size_t count = scale.hand_overs.processes;
    const Values lock = repeat_ns(scale, count, [&] {
        const Shared<PairLock> pair;
        in_processes(2, [&](std::size_t me) { pair->hold_in_turn(me == 0, count / 2); });
    });
    return joined(lock, repeat_ns(scale, count, [&] {
                      PipeMail questions;
                      PipeMail answers;
                      in_processes(
                          2, [&](std::size_t me) { pass_mail(questions, answers, me, count); });
                  }));
}

Cell cell(Model, const Values& values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    const double lock = median(Values(values.begin(), middle));
    const double message = median(Values(middle, values.end()));
    return {"lock " + quantity(lock) + ", message " + quantity(message),
            {{"lock_hand_over", lock},
             {"message", message},
             {"repetitions", static_cast<double>(values.size() / 2)}}};
}

}  // namespace

const Measurement synchronisation = {
    .key = "synchronisation",
    .title = "synchronisation",
    .unit = "ns",
    .method =
        "Two units on one processor. Lock: they hold one in turn, each waiting while the other has "
        "it; the time from one to the other. Tasks: Lock, which is fair. Threads and processes: a "
        "mutex and a condition variable, of processes in common memory. Message: 64 bytes to the "
        "other unit, which sends them back; half of the time of both ways. Tasks: two Queues. "
        "Threads: two queues with a mutex and a condition variable. Processes: two pipes.",
    .measure = {of_tasks, of_threads, of_processes},
    .cell = cell,
};

}  // namespace compare
