#!/usr/bin/env bash
# Fuzzes each target for some seconds, beginning with the inputs that were kept; what is new stays
# below the build directory. An input that fails is left there, too, as TARGET-crash-...:
#
#     build/dev/fuzz/TARGET_fuzzer build/dev/fuzz/found/TARGET-crash-...
#
# Put it into fuzz/corpus/TARGET/ together with the fix.
# SPDX-License-Identifier: MIT
set -euo pipefail

seconds=${1:-20}
build=${2:-build/dev}
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

found=$build/fuzz/found
mkdir -p "$found"
count=0
failed=()
for fuzzer in "$build"/fuzz/*_fuzzer; do
    target=$(basename "$fuzzer" _fuzzer)
    mkdir -p "$found/$target"
    echo "== $target"
    if ! "$fuzzer" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 \
        -artifact_prefix="$found/$target-" -print_final_stats=1 \
        "$found/$target" "fuzz/corpus/$target" 2>&1 |
        grep -vE '^#[0-9]+[[:space:]]+(REDUCE|NEW|pulse)' | tail -n 40; then
        failed+=("$target")
    fi
    count=$((count + 1))
done
if [[ $count -eq 0 ]]; then
    echo "no fuzzers in $build/fuzz; the preset dev has them"
    exit 1
fi
if [[ ${#failed[@]} -gt 0 ]]; then
    echo "FAILED: ${failed[*]}"
    exit 1
fi
