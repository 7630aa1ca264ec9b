// version_test.cpp - the version in the headers is the version of the package.
//
// SPDX-License-Identifier: MIT
#include <asyncio/detail/config.hpp>

#include <gtest/gtest.h>

#include <string>

TEST(Version, in_the_headers_is_that_of_the_package) {
    std::string in_headers = std::to_string(ASYNCIO_VERSION_MAJOR) + "." +
                             std::to_string(ASYNCIO_VERSION_MINOR) + "." +
                             std::to_string(ASYNCIO_VERSION_PATCH);

    EXPECT_EQ(in_headers, ASYNCIO_PROJECT_VERSION);
}
