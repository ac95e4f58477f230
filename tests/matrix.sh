#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# matrix.sh BUILD [PAIR...]: the tests of whole moves between servers of
# different versions, a PAIR being "13-17"; by default those below.  Prints
# how each pair went, and last "N passed, N failed".
set -eu
cd "$(dirname "$0")/.."

build=$1
shift
[ $# -gt 0 ] || set -- 13-13 13-17 15-15 15-18 17-18 18-18
suites=${PGHAUL_MATRIX_SUITES:-move objects inventory versions check keeper copy session crash}

bin_of() {
    echo "$releases" | sed -n "s/^$1 //p"
}
newer_of() {
    printf '%s\n' "${1%-*}" "${1#*-}" | sort -n | tail -n 1
}

# The results are left in meson-logs/matrix-PAIR.json.
test_pair() {
    source=$(bin_of "${1%-*}") target=$(bin_of "${1#*-}")
    for bin in "$source" "$target"; do
        case $bin in /*) continue ;; esac
        echo "SKIP $1: ${bin#SKIP }"
        return
    done
    echo "== from PostgreSQL ${1%-*} to ${1#*-}"
    # shellcheck disable=SC2086 # words
    PGHAUL_TEST_SOURCE=$source PGHAUL_TEST_TARGET=$target \
        PGBIN=$(bin_of "$(newer_of "$1")") \
        meson test -C "$build" --no-rebuild --print-errorlogs \
        --logbase "matrix-$1" $suites || :
    results="$results $build/meson-logs/matrix-$1.json"
}

# shellcheck disable=SC2046 # words
releases=$(tests/releases.sh $(printf '%s\n' "$@" | tr - '\n' | sort -u))
results=
for pair in "$@"; do
    test_pair "$pair"
done
# shellcheck disable=SC2086 # words
exec python3 tests/count-results.py $results
