#!/usr/bin/env bash
# Installs what the peers need. usage: setup.sh DIRECTORY
#
# Boost is unpacked below DIRECTORY and not installed: Debian's packages of two versions of Boost
# exclude each other, and other packages need the older one.
# SPDX-License-Identifier: MIT
set -euo pipefail

# shellcheck source=../../scripts/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/setup.sh"
directory=$1
mkdir -p "$directory"

ensure_packages "${build_packages[@]}" libbenchmark-dev
# A peer that cannot be installed is left out of the comparison, which says so.
ensure_packages golang-go=go python3=python3 python3-uvloop || true
if [[ ! -d $directory/boost ]] && command -v apt-get >/dev/null; then
    if (cd "$directory" && apt-get download libboost1.81-dev >/dev/null 2>&1); then
        dpkg -x "$directory"/libboost1.81-dev_*.deb "$directory/boost.new"
        mv "$directory/boost.new" "$directory/boost"
        rm "$directory"/libboost1.81-dev_*.deb
    fi
fi
