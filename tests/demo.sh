#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# demo.sh PGHAUL [--keep]: a database moves to another server while it is being
# written to, all of it between two throw-away servers: copied, proved, followed,
# cut over to, gone back from, cut over to again.  Nothing is lost on the way,
# says pghaul, and says PostgreSQL without it.
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
wal_level = logical
fsync = off
END
    as_server "$bin/pg_ctl" -D "$tmp/$1/data" -w -s -l "$tmp/$1/log" start
    "$bin/createdb" -h "$tmp/$1" -U postgres bank
}

# ---- who writes ----

# Clients that go where they are sent, and come back when they were thrown out.
writers() {
    child=
    trap 'kill "$child" 2>/dev/null; exit 0' TERM
    while :; do
        "$bin/pgbench" -h "$tmp/$(cat "$tmp/where")" -U postgres -n -c 2 \
            -R 300 -T 3600 -b tpcb-like@3 -f "$here/demo-shop.sql@1" bank \
            >>"$tmp/writer.log" 2>&1 &
        child=$!
        wait "$child" || :
        sleep 0.1
    done
}

start_writers() {
    writers &
    writer=$!
}

# All that was begun ends: a server that is still starting could not be
# stopped.  The shell would tell of everyone it saw killed.
stop_writers() {
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
    stop_writers
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

# payments SERVER: how many the bank has seen.
payments() {
    ask "$1" 'SELECT count(*) FROM pgbench_history'
}

# Accounts, tellers, branches and history of one instant have the same sum.
books_balance() {
    balances=$(ask "$2" "SELECT
        (SELECT sum(abalance) FROM pgbench_accounts),
        (SELECT sum(tbalance) FROM pgbench_tellers),
        (SELECT sum(bbalance) FROM pgbench_branches),
        (SELECT coalesce(sum(delta), 0) FROM pgbench_history)")
    sum=${balances%%|*}
    if [ "$balances" != "$sum|$sum|$sum|$sum" ]; then
        echo "   THE BOOKS OF THE $1 DO NOT BALANCE: $balances"
        exit 1
    fi
    echo "   the books of the $1 balance: accounts, tellers, branches and" \
        "history sum to $sum"
}

# shown WORD...: run pghaul, its lines indented; its status is ours.
shown() {
    "$pghaul" "$@" >"$tmp/shown" 2>&1 || {
        status=$?
        sed 's/^/   /' "$tmp/shown"
        echo "   FAILED: exit status $status"
        exit 1
    }
    sed 's/^/   /' "$tmp/shown"
}

cut_over() {
    shown cutover --source "$source" --target "$target" --dir "$run" --yes \
        --writers terminate --writers-timeout 5s --max-lag 1MB \
        --hook "echo \$PGHAUL_TRAFFIC >$tmp/where" "$@"
}

# Seconds since the demo's begin, and how long it took: what the run directory's
# log says of commands and steps.
timeline() {
    sed -n '/"event":"\(begin\|end\|phase\)"/p' "$run/events.jsonl" | awk '
    function field(name,  v) {
        if (!match($0, "\"" name "\":\"?[^,\"}]*"))
            return ""
        v = substr($0, RSTART, RLENGTH)
        sub(/^[^:]*:"?/, "", v)
        return v
    }
    {
        at = field("at"); event = field("event")
        if (!first) first = at
        if (event == "begin") {
            command = field("command")
            if (/"rollback":true/) command = command " --rollback"
            if (/"finish":true/) command = command " --finish"
            if (/"dry-run":true/) command = command " --dry-run"
            begun = at; n = 0
        } else if (event == "phase" && field("state") == "done") {
            steps[n++] = sprintf("   %17s %-18s %6.2f s", "", field("name"),
                field("ms") / 1000)
        } else if (event == "end") {
            printf "   %6.1f s  %-28s %6.2f s\n", (begun - first) / 1000,
                command, field("ms") / 1000
            for (i = 0; i < n && command ~ /^cutover/; i++) print steps[i]
        }
    }'
}

# ---- the account ----

title "1. Two PostgreSQL servers in $tmp"
start_server source &
first=$!
start_server target &
wait "$first"
wait "$!"
echo "   $("$bin/postgres" --version)"

title "2. A bank and a shop at the source, and people who use them"
"$bin/pgbench" -h "$tmp/source" -U postgres -i -q -s 8 bank 2>/dev/null
"$bin/psql" -XqAt -v ON_ERROR_STOP=1 -d "$source" -f "$here/demo.sql"
echo "   $(ask "$source" "SELECT pg_size_pretty(pg_database_size('bank'))");" \
    "payments and orders go on from here to the end"
echo source >"$tmp/where"
start_writers
sleep 1

title "3. One snapshot of it, from a replication slot that stays"
copy export --source "$source" --cdc
tell_speed export

title "4. Loaded, with its indexes and keys"
copy load --target "$target"
tell_speed load

title "5. Proved, row by row, to be that snapshot"
copy verify --target "$target"
echo "   equal: $(figure "$tmp/verify.json" equal) tables"
books_balance copy "$target"
echo "   after $(payments "$target") payments; the source has gone on to" \
    "$(payments "$source")"

title "6. And if one value were wrong?"
weight=$(ask "$target" "SELECT weight FROM shop.orders
                        WHERE note = 'order ' || md5('4')")
ask "$target" "UPDATE shop.orders SET weight = weight + 1e-9
               WHERE note = 'order ' || md5('4')"
echo "   one number of one order is changed by a billionth"
status=0
"$pghaul" verify --target "$target" --dir "$run" --quiet >"$tmp/shown" 2>&1 ||
    status=$?
sed 's/^/   /' "$tmp/shown"
echo "   exit status $status"
[ "$status" -eq 1 ]
ask "$target" "UPDATE shop.orders SET weight = '$weight'
               WHERE note = 'order ' || md5('4')"
copy verify --target "$target"
echo "   equal again"

title "7. Handed over: the target follows from where the files end"
echo "   \$ pghaul handoff --to subscription --source '...' --target '...'"
"$pghaul" handoff --to subscription --source "$source" --target "$target" \
    --dir "$run" >"$tmp/shown" 2>"$tmp/errors" || {
    cat "$tmp/shown" "$tmp/errors" >&2
    exit 1
}
sed 's/^/   /' "$tmp/shown"
echo "   it goes on from the slot; nothing is copied again"

title "8. Cut over, while they write"
cut_over
sleep 2
books_balance target "$target"

title "9. They write to the target now, and the source follows it"
stop_writers
ask "$target" "INSERT INTO shop.orders (account, state, note)
               VALUES (1, 'paid', 'written after the switch')"
written="SELECT count(*) FROM shop.orders
         WHERE note = 'written after the switch'"
i=0
while [ "$(ask "$source" "$written")" -ne 1 ]; do
    i=$((i + 1))
    [ "$i" -lt 600 ] || {
        echo "   WHAT WAS WRITTEN AFTER THE SWITCH DOES NOT COME BACK"
        exit 1
    }
    sleep 0.1
done
"$pghaul" verify --source "$source" --target "$target" --quiet >/dev/null
echo "   \$ pghaul verify --source '...' --target '...'"
echo "   every row of every table is equal, after $(payments "$target") payments"
prove "every row of the shop, by a hash that the servers compute" \
    "SELECT count(*), sum(hashtextextended(o::text, 0)::numeric)
     FROM shop.orders o"
prove "definitions of all indexes and constraints" \
    "SELECT pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class c
     ON c.oid = indrelid WHERE relnamespace IN
     ('public'::regnamespace, 'shop'::regnamespace)
     UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid)
     FROM pg_constraint WHERE connamespace IN
         ('public'::regnamespace, 'shop'::regnamespace) ORDER BY 1"

title "10. Second thoughts: back to the source, while they write"
start_writers
sleep 2
before=$(payments "$target")
cut_over --rollback
sleep 1
after=$(payments "$source")
echo "   $before payments before, $after at the source now"
[ "$after" -ge "$before" ] && [ "$(ask "$source" "$written")" -eq 1 ]
books_balance source "$source"

title "11. Over again, and this time for good"
cut_over --verify none
sleep 1
stop_writers
shown cutover --finish --source "$source" --target "$target" --dir "$run" --yes
books_balance target "$target"
echo "   left at the source: $(ask "$source" "SELECT
    (SELECT count(*) FROM pg_replication_slots) || ' slots, ' ||
    (SELECT count(*) FROM pg_publication) || ' publications, ' ||
    (SELECT count(*) FROM pg_subscription) || ' subscriptions'")"

title "12. What happened"
timeline

title "Done in $(($(date +%s) - begun)) s."
