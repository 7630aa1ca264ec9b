# Defaults for whoever works on the library itself. A project that includes it by add_subdirectory()
# decides on all of this for itself.
# SPDX-License-Identifier: MIT
if(ASYNCIO_WERROR)
    add_compile_options(-Werror)
endif()

if(PROJECT_IS_TOP_LEVEL)
    add_compile_options(-Wall -Wextra -Wpedantic)
    if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
        # Warns of "text" + string and of string = "text": GCC bugs 105329 and 105651.
        add_compile_options(-Wno-restrict)
    endif()
    set(CMAKE_CXX_EXTENSIONS OFF)
    set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

    if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
        set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo" FORCE)
    endif()

    if(NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
        find_program(CCACHE_PROGRAM ccache)
        mark_as_advanced(CCACHE_PROGRAM)
        if(CCACHE_PROGRAM)
            set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
        endif()
    endif()
endif()
