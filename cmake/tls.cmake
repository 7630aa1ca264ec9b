# TLS: a library of its own, so that who does not use it needs no OpenSSL. The core knows it by an
# abstract class only.
# SPDX-License-Identifier: MIT
find_package(OpenSSL 3.0 QUIET)
option(ASYNCIO_SSL "Build asyncio::ssl, TLS by OpenSSL 3" ${OPENSSL_FOUND})

if(ASYNCIO_SSL)
    find_package(OpenSSL 3.0 REQUIRED)
    file(GLOB ssl_sources CONFIGURE_DEPENDS src/ssl/*.cpp)
    add_library(asyncio_ssl ${ssl_sources})
    add_library(asyncio::ssl ALIAS asyncio_ssl)
    target_sources(asyncio_ssl PUBLIC FILE_SET HEADERS BASE_DIRS include FILES ${ssl_headers})
    target_include_directories(asyncio_ssl PRIVATE src)
    target_link_libraries(asyncio_ssl PUBLIC asyncio PRIVATE OpenSSL::SSL)
    set_target_properties(asyncio_ssl PROPERTIES
        EXPORT_NAME ssl
        CXX_EXTENSIONS OFF
        DEFINE_SYMBOL ""
        VERSION ${PROJECT_VERSION}
        SOVERSION ${soversion})
endif()
