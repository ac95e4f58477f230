#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# fuzz.sh BUILD MINUTES [NAME...]: run the fuzzers of tests/fuzz, all or these,
# so long each.  What they find interesting stays in BUILD/corpus for the next
# time; what makes one fail, in BUILD/crashes.  Ends with "N passed, N failed".
set -eu
cd "$(dirname "$0")/.."

# fuzz_one BUILD MINUTES NAME: in a process of its own.
fuzz_one() {
    program=$1/tests/fuzz/fuzz-$3 corpus=$1/corpus/$3 crashes=$1/crashes
    cp tests/fuzz/seeds/"$3"/* "$corpus" 2>/dev/null || :
    if "$program" -max_total_time=$(($2 * 60)) -timeout=20 \
        -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="$crashes/$3-" "$corpus" >"$crashes/$3.log" 2>&1; then
        echo "ok $3: $(sed -n 's/^stat::number_of_executed_units: *//p' \
            "$crashes/$3.log") inputs"
    else
        tail -n 40 "$crashes/$3.log" >&2
        input=$(sed -n 's/.*Test unit written to //p' "$crashes/$3.log")
        echo "not ok $3: to repeat it: $program ${input:-# $crashes/$3.log}"
    fi
}

if [ "$1" = --one ]; then
    shift
    fuzz_one "$@"
    exit
fi
build=$1 minutes=$2
shift 2
readers=$(find tests/fuzz -name '*.c' ! -name seeds.c -exec basename {} .c \; |
    sort)
# shellcheck disable=SC2086 # words
[ $# -gt 0 ] || set -- $readers
mkdir -p "$build/crashes"
for name in $readers; do
    mkdir -p "$build/corpus/$name"
done
"$build/tests/fuzz/fuzz-seeds" "$build/corpus"
[ -w /dev/shm ] && export TMPDIR=/dev/shm
results=$(printf '%s\n' "$@" |
    xargs -P "$(nproc)" -I NAME "$0" --one "$build" "$minutes" NAME |
    tee /dev/stderr)
passed=$(echo "$results" | grep -c '^ok' || :)
failed=$(echo "$results" | grep -c '^not ok' || :)
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
