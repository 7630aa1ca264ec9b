# Install rules, and what makes an installed copy found by find_package() and pkg-config.
# SPDX-License-Identifier: MIT
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/asyncio)

# The path from asyncio.pc to the prefix, so that an installed tree may be moved. Kept relative to
# the file itself unless the library directory is an absolute path outside the prefix.
set(pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
    set(pc_prefix ${CMAKE_INSTALL_PREFIX})
    set(pc_libdir ${CMAKE_INSTALL_LIBDIR})
else()
    file(RELATIVE_PATH pc_prefix /prefix/${pc_dir} /prefix)
    string(REGEX REPLACE "/$" "" pc_prefix ${pc_prefix})
    set(pc_prefix "\${pcfiledir}/${pc_prefix}")
    set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
if(IS_ABSOLUTE ${CMAKE_INSTALL_INCLUDEDIR})
    set(pc_includedir ${CMAKE_INSTALL_INCLUDEDIR})
else()
    set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
# What a static library needs, whoever links it needs.
set(pc_libs "")
set(pc_private_libs "")
if(ASYNCIO_IO_URING)
    if(BUILD_SHARED_LIBS)
        set(pc_private_libs " -luring")
    else()
        set(pc_libs " -luring")
    endif()
endif()
configure_file(cmake/asyncio.pc.in asyncio.pc @ONLY)

configure_package_config_file(cmake/asyncio-config.cmake.in asyncio-config.cmake
    INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(asyncio-config-version.cmake
    COMPATIBILITY SameMinorVersion) # until 1.0

if(ASYNCIO_SSL)
    configure_file(cmake/asyncio-ssl.pc.in asyncio-ssl.pc @ONLY)
endif()

if(ASYNCIO_PROCESSES)
    configure_file(cmake/asyncio-processes.pc.in asyncio-processes.pc @ONLY)
endif()

if(ASYNCIO_INSTALL)
    install(TARGETS asyncio asyncio_testing EXPORT asyncio-targets FILE_SET HEADERS)
    install(EXPORT asyncio-targets NAMESPACE asyncio:: DESTINATION ${package_dir})
    install(FILES
        ${CMAKE_CURRENT_BINARY_DIR}/asyncio-config.cmake
        ${CMAKE_CURRENT_BINARY_DIR}/asyncio-config-version.cmake
        DESTINATION ${package_dir})
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/asyncio.pc DESTINATION ${pc_dir})
    if(ASYNCIO_SSL)
        # A component: find_package(asyncio COMPONENTS ssl). Without it nobody looks for OpenSSL.
        install(TARGETS asyncio_ssl EXPORT asyncio-ssl-targets FILE_SET HEADERS)
        install(EXPORT asyncio-ssl-targets NAMESPACE asyncio:: DESTINATION ${package_dir})
        install(FILES ${CMAKE_CURRENT_BINARY_DIR}/asyncio-ssl.pc DESTINATION ${pc_dir})
    endif()
    if(ASYNCIO_PROCESSES)
        install(TARGETS asyncio_processes EXPORT asyncio-processes-targets FILE_SET HEADERS)
        install(EXPORT asyncio-processes-targets NAMESPACE asyncio:: DESTINATION ${package_dir})
        install(FILES ${CMAKE_CURRENT_BINARY_DIR}/asyncio-processes.pc DESTINATION ${pc_dir})
    endif()
endif()
