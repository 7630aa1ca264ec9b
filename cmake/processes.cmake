# Processes: a library of their own, so that who does not use them needs no MessagePack. Only its
# sources include that; it is headers only, so who links this library needs nothing.
# SPDX-License-Identifier: MIT
find_path(MSGPACK_INCLUDE_DIR msgpack.hpp)
mark_as_advanced(MSGPACK_INCLUDE_DIR)
set(found OFF)
if(MSGPACK_INCLUDE_DIR)
    set(found ON)
endif()
option(ASYNCIO_PROCESSES "Build asyncio::processes, with MessagePack (libmsgpack-cxx-dev)" ${found})

if(ASYNCIO_PROCESSES)
    if(NOT MSGPACK_INCLUDE_DIR)
        message(FATAL_ERROR "asyncio::processes needs msgpack.hpp (on Debian: apt-get install libmsgpack-cxx-dev)")
    endif()
    file(GLOB processes_sources CONFIGURE_DEPENDS src/processes/*.cpp)
    add_library(asyncio_processes ${processes_sources})
    add_library(asyncio::processes ALIAS asyncio_processes)
    target_sources(asyncio_processes PUBLIC
        FILE_SET HEADERS BASE_DIRS include FILES ${processes_headers})
    target_include_directories(asyncio_processes PRIVATE src)
    target_include_directories(asyncio_processes SYSTEM PRIVATE ${MSGPACK_INCLUDE_DIR})
    target_compile_definitions(asyncio_processes PRIVATE MSGPACK_NO_BOOST)
    target_link_libraries(asyncio_processes PUBLIC asyncio PRIVATE ${CMAKE_DL_LIBS})
    set_target_properties(asyncio_processes PROPERTIES
        EXPORT_NAME processes
        CXX_EXTENSIONS OFF
        DEFINE_SYMBOL ""
        VERSION ${PROJECT_VERSION}
        SOVERSION ${soversion})
endif()
