#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# demo.sh PGHAUL [--keep]: a database is copied while it is being written to,
# between two throw-away servers, and the copy is proved to be right: by
# pghaul, and by PostgreSQL without it.
set -eu

case ${2-} in
'' | --keep) pghaul=$1 keep=${2-} ;;
*)
    echo "usage: $0 PGHAUL [--keep]" >&2
    exit 2
    ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck disable=SC2012 # no odd names there
bin=${PGBIN:-$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)}
unset PGHOST PGPORT PGUSER PGDATABASE PGPASSWORD PGSERVICE PGOPTIONS
begun=$(date +%s)

tmp=$(mktemp -d /tmp/pghaul-demo.XXXXXX)
chmod 755 "$tmp"
source="host=$tmp/source user=postgres dbname=bank"
target="host=$tmp/target user=postgres dbname=bank"
run=$tmp/run
writer=

# ---- two servers ----

# PostgreSQL does not run as root.
as_server() {
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid postgres --regid postgres --init-groups -- "$@"
    else
        "$@"
    fi
}

start_server() {
    mkdir "$tmp/$1"
    [ "$(id -u)" -ne 0 ] || chown postgres "$tmp/$1"
    cd "$tmp"
    as_server "$bin/initdb" -D "$tmp/$1/data" -U postgres -A trust -N \
        -E UTF8 --locale=C.UTF-8 >"$tmp/$1.log"
    as_server tee -a "$tmp/$1/data/postgresql.conf" >/dev/null <<END
listen_addresses = ''
unix_socket_directories = '$tmp/$1'
shared_buffers = 128MB
max_wal_size = 4GB
fsync = off
END
    as_server "$bin/pg_ctl" -D "$tmp/$1/data" -w -s -l "$tmp/$1/log" start
    "$bin/createdb" -h "$tmp/$1" -U postgres bank
}

# All that was begun ends: a server that is still starting could not be
# stopped.  The shell would tell of everyone it saw killed.
stop_writer() {
    [ -z "$writer" ] || kill "$writer" 2>/dev/null || :
    writer=
    wait 2>/dev/null
}

tell_what_is_kept() {
    as_owner=
    [ "$(id -u)" -ne 0 ] || as_owner='runuser -u postgres -- '
    cat <<END

Kept:
    psql '$source'
    psql '$target'
    $run
To be rid of it:
    $as_owner$bin/pg_ctl -D $tmp/source/data stop
    $as_owner$bin/pg_ctl -D $tmp/target/data stop
    rm -r $tmp
END
}

clean_up() {
    trap '' INT TERM HUP
    stop_writer
    if [ -n "$keep" ]; then
        tell_what_is_kept
        return
    fi
    for server in source target; do
        as_server "$bin/pg_ctl" -D "$tmp/$server/data" -s -m immediate stop \
            2>/dev/null || :
    done
    rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# ---- asking and telling ----

ask() {
    "$bin/psql" -XAtq -v ON_ERROR_STOP=1 -d "$1" -c "$2"
}

title() {
    printf '\n%s\n' "$*"
}

# figure FILE NAME: a number of pghaul's JSON.
figure() {
    sed -n "s/^ *\"$2\": *\"\{0,1\}\([0-9]*\).*/\1/p" "$1"
}

# copy NAME WORD...: run pghaul, show a line of figures.
copy() {
    name=$1
    shift
    echo "   \$ pghaul $name $1 '...' --dir RUN"
    "$pghaul" "$name" --dir "$run" --json "$@" >"$tmp/$name.json"
}

tell_speed() {
    awk -v rows="$(figure "$tmp/$1.json" rows)" \
        -v bytes="$(figure "$tmp/$1.json" raw_bytes)" \
        -v file="$(figure "$tmp/$1.json" file_bytes)" \
        -v ms="$(figure "$tmp/$1.json" milliseconds)" 'BEGIN {
        printf "   %d rows, %.0f MB (%.0f MB staged) in %.1f s: %.0f MB/s\n",
            rows, bytes / 1e6, file / 1e6, ms / 1e3, bytes / 1e3 / ms }'
}

# prove WHAT SQL: both sides give the same answer.
prove() {
    of_source=$(ask "$source" "$2")
    of_target=$(ask "$target" "$2")
    if [ "$of_source" != "$of_target" ]; then
        printf '   NOT EQUAL: %s\n%s\n%s\n' "$1" "$of_source" "$of_target"
        exit 1
    fi
    echo "   equal: $1"
}

# ---- the account ----

title "1. Two PostgreSQL servers in $tmp"
start_server source &
first=$!
start_server target &
wait "$first"
wait "$!"
echo "   $("$bin/postgres" --version)"

title "2. A bank at the source, and a shop"
"$bin/pgbench" -h "$tmp/source" -U postgres -i -q -s 8 bank 2>/dev/null
"$bin/psql" -XqAt -v ON_ERROR_STOP=1 -d "$source" -f "$here/demo.sql"
echo "   $(ask "$source" "SELECT pg_size_pretty(pg_database_size('bank'))");" \
    "pgbench goes on writing to it"
"$bin/pgbench" -h "$tmp/source" -U postgres -n -c 2 -R 300 -T 3600 bank \
    >"$tmp/writer.log" 2>&1 &
writer=$!
sleep 1

title "3. One snapshot of it, staged"
copy export --source "$source"
tell_speed export
stop_writer

title "4. Loaded, with its indexes and keys"
copy load --target "$target"
tell_speed load

title "5. Proved by pghaul: the digest of every row of every table"
copy verify --target "$target"
echo "   equal: $(figure "$tmp/verify.json" equal) tables"

title "6. Proved by PostgreSQL alone"
prove "every row of the shop, by a hash that the servers compute" \
    "SELECT count(*), sum(hashtextextended(o::text, 0)::numeric)
     FROM shop.orders o"
prove "sequences" \
    "SELECT schemaname, sequencename, last_value, increment_by
     FROM pg_sequences ORDER BY 1, 2"
prove "definitions of all indexes and constraints" \
    "SELECT pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class c
     ON c.oid = indrelid WHERE relnamespace IN
     ('public'::regnamespace, 'shop'::regnamespace)
     UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid)
     FROM pg_constraint WHERE connamespace IN
         ('public'::regnamespace, 'shop'::regnamespace) ORDER BY 1"
balances=$(ask "$target" "SELECT
    (SELECT sum(abalance) FROM pgbench_accounts),
    (SELECT sum(tbalance) FROM pgbench_tellers),
    (SELECT sum(bbalance) FROM pgbench_branches),
    (SELECT coalesce(sum(delta), 0) FROM pgbench_history)")
case $balances in
"${balances%%|*}|${balances%%|*}|${balances%%|*}|${balances%%|*}") ;;
*)
    echo "   NOT ONE INSTANT: accounts, tellers, branches, history: $balances"
    exit 1
    ;;
esac
written='SELECT count(*) FROM pgbench_history'
echo "   the books balance: accounts, tellers, branches and history of the"
echo "   copy all sum to ${balances%%|*}, after $(ask "$target" "$written")" \
    "payments; the source went on to $(ask "$source" "$written")"

title "7. And if one value were wrong?"
ask "$target" "UPDATE shop.orders SET weight = weight + 1e-9
               WHERE note = 'order ' || md5('4')"
echo "   one number of one order is changed by a billionth"
status=0
"$pghaul" verify --target "$target" --dir "$run" --quiet 2>&1 |
    sed 's/^/   /' || :
"$pghaul" verify --target "$target" --dir "$run" --quiet >/dev/null 2>&1 ||
    status=$?
echo "   exit status $status"
[ "$status" -eq 1 ]

title "Done in $(($(date +%s) - begun)) s."
