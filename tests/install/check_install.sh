#!/usr/bin/env bash
# usage: check_install.sh find_package|pkg_config|add_subdirectory|shared|mixed SOURCE BUILD VERSION
#
# Uses the library built in BUILD as a program from outside would, in BUILD/install/.
# SPDX-License-Identifier: MIT
set -euo pipefail

check=$1 source=$2 build=$3 version=$4
here=$source/tests/install
work=$build/install/$check
rm -rf "$work"
mkdir -p "$work"
cd "$work"

# A consumer that knows nothing of the flags of our own build.
unset CXX CXXFLAGS LDFLAGS
if command -v ccache >/dev/null; then
    export CMAKE_CXX_COMPILER_LAUNCHER=ccache
fi

# Installed copies are moved before they are used: nothing in them may know where they were.
install_from() {
    cmake --install "$1" --prefix "$work/installed first" >/dev/null
    mv "$work/installed first" "$work/moved there"
    prefix=$work/moved\ there
    grep -rIlF -e "$source" -e "$build" "$prefix" && {
        echo "installed files name the directories of the build"
        return 1
    }
    return 0
}

# build_consumer NAME SOURCE_DIRECTORY CMAKE_OPTION...: builds $target of it
target=all
build_consumer() {
    cmake -G Ninja -S "$2" -B "$work/$1" "${@:3}" >"$1.log" || { cat "$1.log"; return 1; }
    cmake --build "$work/$1" --target "$target" >>"$1.log" || { cat "$1.log"; return 1; }
}

expect_ok() {
    local output
    output=$("$@")
    if [[ $output != "consumer $version ok" ]]; then
        echo "$* printed: $output"
        return 1
    fi
}

# Is TLS in that build?
has_ssl() {
    grep -q '^ASYNCIO_SSL:BOOL=\(ON\|1\|TRUE\)$' "$1/CMakeCache.txt"
}

case $check in
find_package)
    install_from "$build"
    if has_ssl "$build"; then
        build_consumer consumer "$here/find_package" -DCMAKE_PREFIX_PATH="$prefix" -DWITH_SSL=ON
        expect_ok consumer/ssl_consumer
    else
        build_consumer consumer "$here/find_package" -DCMAKE_PREFIX_PATH="$prefix"
    fi
    expect_ok consumer/consumer
    expect_ok consumer/testing_consumer
    if grep -q '^ASYNCIO_PROCESSES:BOOL=\(ON\|1\|TRUE\)$' "$build/CMakeCache.txt"; then
        build_consumer processes "$here/find_package" -DCMAKE_PREFIX_PATH="$prefix" \
            -DWITH_PROCESSES=ON
        expect_ok processes/processes_consumer
    fi
    ;;
pkg_config)
    install_from "$build"
    PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name asyncio.pc)")
    export PKG_CONFIG_PATH
    [[ $(pkg-config --modversion asyncio) == "$version" ]]
    # With a space in the path its output is quoted for a shell, hence eval.
    eval "g++ -std=c++20 -o plain '$here/consumer.cpp' $(pkg-config --cflags --libs asyncio)"
    expect_ok ./plain
    eval "g++ -std=c++20 -static -o static '$here/consumer.cpp' \
        $(pkg-config --static --cflags --libs asyncio)"
    expect_ok ./static
    if has_ssl "$build"; then
        eval "g++ -std=c++20 -o ssl '$here/ssl_consumer.cpp' \
            $(pkg-config --static --cflags --libs asyncio-ssl)"
        expect_ok ./ssl
    fi
    ;;
add_subdirectory)
    build_consumer consumer "$here/add_subdirectory" -DASYNCIO_SOURCE_DIR="$source"
    expect_ok consumer/consumer
    ;;
shared)
    options=(-DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON -DASYNCIO_BUILD_TESTS=OFF)
    options+=(-DASYNCIO_BUILD_EXAMPLES=OFF -DASYNCIO_BUILD_BENCHMARKS=OFF)
    build_consumer library "$source" "${options[@]}"
    install_from "$work/library"
    options=()
    if has_ssl "$work/library"; then
        options=(-DWITH_SSL=ON)
    fi
    build_consumer consumer "$here/find_package" -DCMAKE_PREFIX_PATH="$prefix" "${options[@]}"
    if has_ssl "$work/library"; then
        expect_ok consumer/ssl_consumer
    fi
    expect_ok consumer/consumer
    expect_ok consumer/testing_consumer
    readelf -d consumer/consumer | grep -F "libasyncio.so.${version%.*}]"
    ;;
mixed)
    # The library is what BUILD made: g++ in release.
    install_from "$build"
    target=consumer
    for compiler in g++ clang++-19; do
        build_consumer "$compiler" "$here/find_package" -DCMAKE_PREFIX_PATH="$prefix" \
            -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_FLAGS=-O0
        expect_ok "$compiler/consumer"
    done
    build_consumer sanitized "$here/find_package" -DCMAKE_PREFIX_PATH="$prefix" \
        -DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_CXX_FLAGS="-O1 -fsanitize=undefined \
        -fno-sanitize-recover=all"
    expect_ok sanitized/consumer
    ;;
*)
    echo "unknown check: $check"
    exit 2
    ;;
esac
