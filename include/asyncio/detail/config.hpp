// config.hpp - version and the assertion of the library's own invariants; the only public header
// with preprocessor conditions.
//
// No layout and no inline behaviour in a public header may depend on what is tested here: programs
// mix build types and compilers. ASYNCIO_ASSERT is therefore for the library's own source files.
// SPDX-License-Identifier: MIT
#pragma once

#define ASYNCIO_VERSION_MAJOR 0
#define ASYNCIO_VERSION_MINOR 1
#define ASYNCIO_VERSION_PATCH 0

namespace asyncio::detail {

/// Reports a broken invariant of the library and ends the program.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace asyncio::detail

#if defined(NDEBUG) && !defined(ASYNCIO_CHECKED)
#define ASYNCIO_ASSERT(condition) static_cast<void>(0)
#else
#define ASYNCIO_ASSERT(condition)       \
    ((condition) ? static_cast<void>(0) \
                 : ::asyncio::detail::assertion_failed(#condition, __FILE__, __LINE__))
#endif

namespace asyncio::detail {

/// Recycled coroutine frames hide mistakes from the sanitizers: there every frame is freed at once.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool recycle_blocks = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool recycle_blocks = false;
#else
inline constexpr bool recycle_blocks = true;
#endif
#else
inline constexpr bool recycle_blocks = true;
#endif

}  // namespace asyncio::detail

namespace asyncio::detail {

/// std::is_trivially_destructible_v, a hundred times cheaper to ask: options are asked everywhere.
/// They must be: g++ 12 miscompiles arguments of coroutines that are not.
#if defined(__clang__)
template <class T>
inline constexpr bool trivially_destructible = __is_trivially_destructible(T);
#else
template <class T>
inline constexpr bool trivially_destructible = __has_trivial_destructor(T);
#endif

}  // namespace asyncio::detail
