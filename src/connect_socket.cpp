// connect_socket.cpp - looking up a host, and trying its addresses.
//
// SPDX-License-Identifier: MIT
#include "connect_socket.hpp"

#include <asyncio/detail/config.hpp>
#include <asyncio/staggered.hpp>

#include "addresses.hpp"
#include "endpoints.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <exception>
#include <utility>
#include <vector>

namespace asyncio::detail {

namespace {

// Nobody listens, and the socket was given the very port that it is to connect to: TCP then makes a
// connection of one end.
bool connected_to_itself(const Socket& socket, const Address& peer) {
    return socket.getsockname() == peer;
}

/// The exception as Python's str() writes it: an OSError with its number.
std::string python_text(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const OSError& e) {
        if (e.error_number() == 0) {
            return e.doing();
        }
        return "[Errno " + std::to_string(e.error_number()) + "] " +
               (e.doing().empty() ? std::strerror(e.error_number()) : e.doing());
    } catch (const std::exception& e) {
        return e.what();
    } catch (...) {
        return describe(error);
    }
}

[[noreturn]] void raise_all(const std::vector<std::exception_ptr>& errors, bool all_errors) {
    ASYNCIO_ASSERT(!errors.empty());
    if (all_errors) {
        throw ExceptionGroup("create_connection failed", errors);
    }
    const std::string first = python_text(errors.front());
    std::string all;
    bool same = true;
    for (const std::exception_ptr& error : errors) {
        const std::string text = python_text(error);
        same = same && text == first;
        all += (all.empty() ? "" : ", ") + text;
    }
    if (same) {
        std::rethrow_exception(errors.front());
    }
    throw OSError("Multiple exceptions: " + all);
}

using Errors = std::vector<std::exception_ptr>;

Socket make_client_socket(const AddressInfo& info, const std::vector<AddressInfo>& local,
                          Errors& errors) {
    Socket socket(info.family);
    if (!local.empty()) {
        bind_local(socket, info.family, local, errors);
    }
    return socket;
}

/// What all attempts have in common, and each one's errors, in the order in which they began.
struct Attempts {
    std::vector<AddressInfo> infos;
    std::vector<AddressInfo> local;
    std::vector<Errors> errors;
};

// Of OSErrors it takes note, whatever else there is leaves it.
Coroutine<Connected> attempt(Attempts& attempts, std::size_t index) {
    const AddressInfo& info = attempts.infos[index];
    const std::size_t place = attempts.errors.size();
    attempts.errors.emplace_back();
    std::exception_ptr error;
    try {
        Socket socket = make_client_socket(info, attempts.local, attempts.errors[place]);
        co_await sock_connect(socket, info.address);
        if (connected_to_itself(socket, info.address)) {
            raise_os_error(ECONNREFUSED, "Connect call failed " + python_address(info.address));
        }
        co_return Connected{std::move(socket), info.address};
    } catch (const OSError&) {
        error = std::current_exception();
    }
    attempts.errors[place].push_back(error);
    std::rethrow_exception(error);
}

[[noreturn]] void raise_all(const Attempts& attempts, bool all_errors) {
    Errors all;
    for (const Errors& errors : attempts.errors) {
        all.insert(all.end(), errors.begin(), errors.end());
    }
    raise_all(all, all_errors);
}

}  // namespace

bool is_os_error(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const OSError&) {
        return true;
    } catch (...) {
        return false;
    }
}

std::vector<AddressInfo> interleave_addresses(const std::vector<AddressInfo>& infos,
                                              int first_family_count) {
    std::vector<std::vector<AddressInfo>> families;
    for (const AddressInfo& info : infos) {
        const auto family = std::find_if(families.begin(), families.end(), [&](const auto& list) {
            return list.front().family == info.family;
        });
        if (family != families.end()) {
            family->push_back(info);
        } else {
            families.push_back({info});
        }
    }
    std::vector<AddressInfo> result;
    for (std::size_t round = 0; result.size() < infos.size(); ++round) {
        for (std::vector<AddressInfo>& family : families) {
            // The first round of the first family is longer.
            const bool longer = round == 0 && &family == &families.front();
            const std::size_t wanted =
                longer && first_family_count > 1 ? static_cast<std::size_t>(first_family_count) : 1;
            const std::size_t taken = std::min(wanted, family.size());
            const auto end = family.begin() + static_cast<std::ptrdiff_t>(taken);
            result.insert(result.end(), family.begin(), end);
            family.erase(family.begin(), end);
        }
    }
    return result;
}

Coroutine<Connected> connect_to_one(std::vector<AddressInfo> infos, std::vector<AddressInfo> local,
                                    std::optional<Duration> happy_eyeballs_delay, bool all_errors) {
    Attempts attempts{std::move(infos), std::move(local), {}};
    if (!happy_eyeballs_delay.has_value()) {
        for (std::size_t i = 0; i < attempts.infos.size(); ++i) {
            Result<Connected> connected = co_await as_result(attempt(attempts, i));
            if (connected.has_value() || !is_os_error(connected.error())) {
                co_return std::move(connected).get();
            }
        }
        raise_all(attempts, all_errors);
    }
    const auto start = [&attempts](std::size_t i) {
        return [&attempts, i] { return attempt(attempts, i); };
    };
    std::vector<decltype(start(0))> starts;
    for (std::size_t i = 0; i < attempts.infos.size(); ++i) {
        starts.push_back(start(i));
    }
    auto race = staggered_race(std::move(starts), happy_eyeballs_delay);
    StaggeredRace<Connected> ended = co_await std::move(race);
    if (!ended.winner_result.has_value()) {
        for (const std::exception_ptr& error : ended.exceptions) {
            if (error != nullptr && !is_os_error(error)) {
                std::rethrow_exception(error);
            }
        }
        raise_all(attempts, all_errors);
    }
    co_return std::move(*ended.winner_result);
}

Coroutine<Connected> connect_socket(ConnectRequest request) {
    const bool has_local = request.has_local();
    AddressInfoOptions wanted = stream_addresses(request.family, request.flags);
    wanted.proto = request.proto;
    std::vector<AddressInfo> infos =
        co_await getaddrinfo(request.host_view(), request.port, wanted);
    std::vector<AddressInfo> local;
    if (!request.local_host.empty()) {
        local = co_await getaddrinfo(request.local_host, request.local_port, wanted);
    } else if (has_local) {
        for (const Address& any : all_interfaces(request.local_port, request.family)) {
            local.push_back({any.family(), SocketType::stream, 0, "", any});
        }
    }
    if (infos.empty() || (has_local && local.empty())) {
        throw OSError("getaddrinfo() returned empty list");
    }
    const int by_default = request.happy_eyeballs_delay.has_value() ? 1 : 0;
    const int interleave = request.interleave.value_or(by_default);
    if (interleave != 0) {
        infos = interleave_addresses(infos, interleave);
    }
    co_return co_await connect_to_one(std::move(infos), std::move(local),
                                      request.happy_eyeballs_delay, request.all_errors);
}

}  // namespace asyncio::detail
