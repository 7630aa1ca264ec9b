// pair_lock.hpp - a lock that two threads, or two processes, hold in turn.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include <pthread.h>

namespace compare {

/// A mutex does not pass itself on: whoever unlocks it may well lock it again. So there is a
/// condition, as there would be in a program that must not starve anybody.
///
/// The first to hold it is whoever says so. (Not destroyed as POSIX has it: on Linux neither a
/// mutex nor a condition owns anything, and a process that was killed may be waiting.)
class PairLock {
public:
    enum class Of : std::uint8_t { threads, processes };

    explicit PairLock(Of units = Of::processes) noexcept {
        const int shared =
            units == Of::processes ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE;
        pthread_mutexattr_t mutex_attributes;
        ::pthread_mutexattr_init(&mutex_attributes);
        ::pthread_mutexattr_setpshared(&mutex_attributes, shared);
        ::pthread_mutex_init(&mutex_, &mutex_attributes);
        pthread_condattr_t attributes;
        ::pthread_condattr_init(&attributes);
        ::pthread_condattr_setpshared(&attributes, shared);
        ::pthread_cond_init(&changed_, &attributes);
    }

    /// Holds it `count` times, never twice without the other one in between.
    void hold_in_turn(bool first, std::size_t count) noexcept {
        for (std::size_t i = 0; i < count; ++i) {
            ::pthread_mutex_lock(&mutex_);
            while (turn_of_first_ != first) {
                ::pthread_cond_wait(&changed_, &mutex_);
            }
            turn_of_first_ = !first;
            ::pthread_cond_signal(&changed_);
            ::pthread_mutex_unlock(&mutex_);
        }
    }

private:
    pthread_mutex_t mutex_;
    pthread_cond_t changed_;
    bool turn_of_first_ = true;
};

}  // namespace compare
