// contracts.hpp - what every stream and every proactor has to satisfy, as functions that say what
// is violated: for those who write their own, with whatever test framework they have.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/lowlevel/proactor.hpp>
#include <asyncio/streams.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace asyncio::testing {

// ---------------------------------------------------------------------------------- streams

/// The two ends of one connection: what is written to the one is read from the other.
struct ConnectedStreams {
    StreamPair first;
    StreamPair second;
};

/// Makes the connections that check_stream_contract() tries.
class StreamMaker {
public:
    StreamMaker() = default;
    StreamMaker(const StreamMaker&) = delete;
    StreamMaker& operator=(const StreamMaker&) = delete;
    virtual ~StreamMaker() = default;

    /// A new connection, on the running loop; `limit` is that of its readers.
    [[nodiscard]] virtual Coroutine<ConnectedStreams> connect(std::size_t limit) = 0;

    /// False: bytes go from the first to the second only, as in a pipe; then first.reader and
    /// second.writer are not looked at.
    [[nodiscard]] virtual bool duplex() const noexcept { return true; }

    /// More bytes than a connection takes from a writer while nobody reads; the fewer, the quicker.
    [[nodiscard]] virtual std::size_t too_much() const noexcept {
        return std::size_t{8} * 1024 * 1024;
    }
};

/// Tries what the documentation of StreamReader and StreamWriter promises, each in a loop of its
/// own with a virtual clock, on the proactor that is named. Returns what is violated, a line each:
/// nothing if all is well.
///
///     for (const std::string& violation : testing::check_stream_contract(maker)) {
///         ADD_FAILURE() << violation;
///     }
///
/// What hangs is reported, after a virtual time that nothing takes. What crashes, crashes.
[[nodiscard]] std::vector<std::string> check_stream_contract(StreamMaker& maker,
                                                             std::string_view proactor = {});

// --------------------------------------------------------------------------------- proactors

/// Makes a new proactor.
using ProactorMaker = std::unique_ptr<lowlevel::Proactor> (*)();

/// Tries what lowlevel/proactor.hpp and lowlevel/operation.hpp promise, each on a proactor of its
/// own that is driven as a loop drives it. Returns what is violated, a line each, with the place in
/// the library's source that says what was expected: nothing if all is well.
///
/// For proactors that work on descriptors of the system: sockets, pipes and terminals on this
/// machine. `only`: one thing of what proactor_contract() names.
///
///     for (const std::string& violation : testing::check_proactor_contract(&make_mine)) {
///         ADD_FAILURE() << violation;
///     }
///
/// It takes some seconds of real time. While it runs it forks, starts threads, changes
/// RLIMIT_NOFILE and the handlers of SIGUSR1 and SIGALRM, and counts the descriptors of the
/// process: nothing else should be going on in it. What hangs, hangs; what crashes, crashes.
/// Errors: std::invalid_argument if there is no `only`.
[[nodiscard]] std::vector<std::string> check_proactor_contract(ProactorMaker make,
                                                               std::string_view only = {});

/// What it tries: sentences about proactors, with underscores.
[[nodiscard]] std::vector<std::string_view> proactor_contract();

}  // namespace asyncio::testing
