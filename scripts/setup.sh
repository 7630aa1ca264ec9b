# setup.sh - sourced by ./run and ./test: finds out which Debian packages are missing, installs them.
#
# A package is written `name` or `name=command`; with a command it counts as installed when the command
# is there, wherever it came from.
# SPDX-License-Identifier: MIT
# shellcheck shell=bash

build_packages=(g++=g++ cmake=cmake ninja-build=ninja liburing-dev)
ssl_packages=(libssl-dev)
processes_packages=(libmsgpack-cxx-dev)
tools_packages=(libcli11-dev)
clang_packages=(clang-19=clang++-19)
tour_packages=(libsqlite3-dev)
test_packages=(ccache=ccache pkg-config=pkg-config python3=python3 libclang-rt-19-dev
    clang-format-19=clang-format-19 libgtest-dev libbenchmark-dev libssl-dev openssl=openssl
    curl=curl libglib2.0-dev libmsgpack-cxx-dev)
# What `asyncio compare --html` writes is looked at with.
browser_packages=(chromium=chromium)
# What tests/peers has at the other end, besides.
peer_packages=(wrk=wrk nginx=nginx redis-server=redis-server postgresql socat=socat)

# Prints those of the given packages that are not installed, on one line.
missing_packages() {
    local spec installed names=() missing=()
    for spec in "$@"; do
        if [[ $spec != *=* ]]; then
            names+=("$spec")
        elif ! command -v "${spec#*=}" >/dev/null; then
            missing+=("${spec%%=*}")
        fi
    done
    if [[ ${#names[@]} -gt 0 ]]; then
        # It fails when it does not know one of them, which is an answer, too.
        installed=" $(dpkg-query -W -f='${db:Status-Status}:${Package} ' "${names[@]}" 2>/dev/null ||
            true)"
        for spec in "${names[@]}"; do
            [[ $installed == *" installed:$spec "* ]] || missing+=("$spec")
        done
    fi
    echo "${missing[*]}"
}

# Installs what is missing of the given packages; when that cannot be done, says what to do on
# standard error and returns 1.
ensure_packages() {
    local missing log line
    missing=$(missing_packages "$@")
    if [[ -z $missing ]]; then
        return 0
    fi
    line="apt-get update && apt-get install -y --no-install-recommends $missing"
    if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
        echo "$(basename "$0"): these Debian packages are missing: $missing" >&2
        echo "$(basename "$0"): as root, run: $line" >&2
        return 1
    fi
    if [[ -t 2 || -n ${CI:-} ]]; then
        echo "$(basename "$0"): installing $missing" >&2
    fi
    log=$(mktemp)
    if ! install_packages "$missing" >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        echo "$(basename "$0"): these Debian packages are missing: $missing" >&2
        echo "$(basename "$0"): they could not be installed; is there a network? The command was:" >&2
        echo "    $line" >&2
        return 1
    fi
    rm -f "$log"
}

# Lets ccache know the files of the given checkout in another place again, and keeps its cache
# below build/ where there is no home to write to: it refuses to work then.
set_up_ccache() {
    local cache=${CCACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-/}/.cache}/ccache}
    if ! mkdir -p "$cache/tmp" 2>/dev/null || [[ ! -w $cache/tmp ]]; then
        export CCACHE_DIR=$1/build/ccache
    fi
    export CCACHE_BASEDIR=$1 CCACHE_NOHASHDIR=1
}

install_packages() {
    local names options
    read -r -a names <<<"$1"
    options=(-y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=1 -o Acquire::http::Timeout=30)
    # The servers among them are not to be started: the tests start their own.
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    apt-get "${options[@]}" update &&
        apt-get "${options[@]}" --no-install-recommends install "${names[@]}"
}
