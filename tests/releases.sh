#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# releases.sh MAJOR...: PostgreSQL of other versions, from the releases of
# Debian that have them.  Prints "MAJOR DIRECTORY" for each, the directory of
# its programs, or "MAJOR SKIP reason".
#
# Nothing is installed and nobody need be root.  An apt with a state of its
# own fetches the server, its client and their libraries, down to the C
# library; they are unpacked into one directory a version, and the programs
# are told (patchelf) to look for libraries there.
#
# They stay in $PGHAUL_MATRIX, else in ~/.cache/pghaul-matrix; for root in
# /var/cache/pghaul-matrix, since the servers' user cannot enter root's home.
# What is there already needs no network.
set -eu
umask 022

if [ "$(id -u)" -eq 0 ]; then home=/var/cache; else
    home=${XDG_CACHE_HOME:-$HOME/.cache}
fi
cache=${PGHAUL_MATRIX:-$home/pghaul-matrix}

suites_of() {
    case $1 in
    13) echo bullseye ;;
    15) echo bookworm ;;
    17) echo trixie ;;
    18) echo forky sid ;;
    esac
}

# ---- in a process of its own, which ends with the first failure ----

# This machine's apt knows where Debian is.
mirror() {
    # shellcheck disable=SC2016 # apt's
    apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' \
        'Created-By: Packages' | head -n 1 | grep .
}

# An apt that thinks nothing is installed.
own_apt() {
    apt-get -q -o Dir::State="$dir/apt" -o Dir::Cache="$dir/apt" \
        -o Dir::State::status="$dir/apt/status" \
        -o Dir::State::lists="$dir/apt/lists" \
        -o Dir::Etc::sourcelist="$dir/apt/sources.list" \
        -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferences=/dev/null \
        -o Dir::Etc::preferencesparts=/dev/null \
        -o APT::Sandbox::User="$(id -un)" -o Debug::NoLocking=1 \
        -o APT::Install-Recommends=false -o Acquire::Languages=none "$@"
}

# Of all that an installation would bring: the server, its client, and the
# libraries; but not the compiler of queries, the largest of all.
wanted() {
    own_apt install --print-uris -y "postgresql-$major" |
        sed -n "s/^'[^']*' \\([^ _]*\\)_.*/\\1/p" |
        grep -E '^(lib|zlib|postgresql-(client-)?[0-9])' |
        grep -vE '^lib(llvm|z3|perl)|-(perl|modules|common|bin)$'
}

# Libraries here and nowhere else, also for what is loaded later: hence no
# RUNPATH, which would not be inherited.
redirect() {
    linker=$(patchelf --print-interpreter "$bin/postgres")
    linker=$(find "$dir" -name "${linker##*/}" | head -n 1)
    libraries=$(find "$dir/lib" "$dir/usr/lib" -maxdepth 2 \
        -name 'lib*.so.*' -printf '%h\n' | sort -u | paste -s -d :)
    for program in "$bin"/*; do
        patchelf --print-interpreter "$program" >/dev/null 2>&1 || continue
        patchelf --force-rpath --set-rpath "$libraries" \
            --set-interpreter "$linker" "$program"
    done
}

# fetch DIR MAJOR SUITE
fetch() {
    dir=$1 major=$2
    bin=$dir/usr/lib/postgresql/$major/bin
    rm -rf "$dir"
    mkdir -p "$dir/apt/lists/partial" "$dir/apt/archives/partial"
    : >"$dir/apt/status"
    echo "deb $(mirror) $3 main" >"$dir/apt/sources.list"
    own_apt update
    packages=$(wanted)
    cd "$dir/apt/archives"
    # shellcheck disable=SC2086 # words
    own_apt download $packages
    for package in *.deb; do
        dpkg-deb --extract "$package" "$dir"
    done
    rm -rf "$dir/apt" "$dir/usr/lib/postgresql/$major/lib/bitcode" \
        "$dir/usr/lib/postgresql/$major/lib"/llvmjit*
    redirect
    "$bin/postgres" --version
    touch "$dir/complete"
}

# ---- which is here, and what is missing ----

obtain() {
    for suite in $(suites_of "$1"); do
        "$0" --fetch "$cache/$1" "$1" "$suite" >"$cache/$1.log" 2>&1 && return
    done
    return 1
}

if [ "${1-}" = --fetch ]; then
    shift
    fetch "$@"
    exit
fi
mkdir -p "$cache"
for major in "$@"; do
    [ -f "$cache/$major/complete" ] || obtain "$major" || {
        reason=$(grep '^E: ' "$cache/$major.log" || tail -n 1 "$cache/$major.log")
        echo "$major SKIP $(echo "$reason" | head -n 1)"
        continue
    }
    echo "$major $cache/$major/usr/lib/postgresql/$major/bin"
done
