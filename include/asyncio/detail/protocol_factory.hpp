// protocol_factory.hpp - how create_connection() and its like get protocols of whatever makes them.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/function.hpp>
#include <asyncio/protocols.hpp>

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace asyncio::detail {

/// The protocol in what a factory returns: a unique_ptr or shared_ptr, a reference to one that
/// somebody else keeps, or the protocol itself.
template <class R>
struct MadeProtocol {
    using type = R;
};
template <class P, class Deleter>
struct MadeProtocol<std::unique_ptr<P, Deleter>> {
    using type = P;
};
template <class P>
struct MadeProtocol<std::shared_ptr<P>> {
    using type = P;
};

template <class Factory>
using FactoryResult = std::invoke_result_t<std::decay_t<Factory>&>;

template <class Factory>
using ProtocolOf = typename MadeProtocol<std::remove_cvref_t<FactoryResult<Factory>>>::type;

/// Makes a protocol without arguments.
template <class Factory>
concept ProtocolFactory =
    std::invocable<std::decay_t<Factory>&> && std::derived_from<ProtocolOf<Factory>, BaseProtocol>;

/// A protocol by whatever means, kept as long as it is needed.
template <class Factory>
std::shared_ptr<ProtocolOf<Factory>> make_protocol(Factory& factory) {
    using R = FactoryResult<Factory>;
    using P = ProtocolOf<Factory>;
    if constexpr (std::is_same_v<std::remove_cvref_t<R>, P>) {
        if constexpr (std::is_lvalue_reference_v<R>) {
            return std::shared_ptr<P>(std::shared_ptr<void>(), &factory());
        } else {
            return std::shared_ptr<P>(new P(factory()));  // in place: it cannot be moved
        }
    } else {
        return std::shared_ptr<P>(factory());
    }
}

using MakeProtocol = UniqueFunction<std::shared_ptr<BaseProtocol>()>;

template <class Factory>
MakeProtocol erase_factory(Factory&& factory) {
    using F = std::decay_t<Factory>;
    return
        [factory = F(std::forward<Factory>(factory))]() mutable -> std::shared_ptr<BaseProtocol> {
            return make_protocol(factory);
        };
}

}  // namespace asyncio::detail
