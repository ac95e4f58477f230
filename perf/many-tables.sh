#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# How long a plan of very many tables takes, and how much memory: locks, plan,
# and for comparison pg_dump's schema of the same.
#
#     perf/many-tables.sh BUILD-DIRECTORY [TABLES]
#
# Makes a throw-away cluster with so many tables (100,000) of four columns and
# a primary key, which takes some minutes, and prints one line a part:
# seconds that pass, of the server's CPU, of the program's CPU, MB of the
# program at its peak, what.  Needs the server's programs in
# PATH or in $PGBIN, and no superuser; root becomes the user postgres.
set -eu

build=$(realpath "$1")
n_tables=${2:-100000}
bin=${PGBIN:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)}
PATH="${bin:+$bin:}$PATH"
dir=$(mktemp -d /tmp/many.XXXXXX)
as=
if [ "$(id -u)" = 0 ]; then
    as="setpriv --reuid=postgres --regid=postgres --clear-groups"
    chown postgres: "$dir"
fi

clean_up() {
    $as pg_ctl -D "$dir/data" -m immediate -s stop || true
    rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

cd "$dir"
$as initdb -D data -U postgres -A trust --no-sync >/dev/null
cat >>data/postgresql.conf <<CONF
listen_addresses = ''
unix_socket_directories = '$dir'
fsync = off
full_page_writes = off
synchronous_commit = off
autovacuum = off
max_wal_size = 4GB
shared_buffers = 256MB
max_connections = 20
max_locks_per_transaction = $((n_tables / 5))
CONF
$as pg_ctl -D data -l "$dir/log" -w -s start
db="host=$dir user=postgres dbname=postgres"

# A transaction of 1,000 tables each: the lock table is no concern then.
psql -qX -v ON_ERROR_STOP=1 -d "$db" <<SQL
CREATE PROCEDURE make(n int) LANGUAGE plpgsql AS \$\$
BEGIN
  FOR i IN 1..n LOOP
    EXECUTE format('CREATE TABLE t%s (id bigint PRIMARY KEY, name text,'
                   ' at timestamptz, amount numeric(10, 2))', i);
    IF i % 1000 = 0 THEN COMMIT; END IF;
  END LOOP;
END \$\$;
CALL make($n_tables);
ANALYZE pg_catalog.pg_class, pg_catalog.pg_attribute, pg_catalog.pg_depend,
  pg_catalog.pg_type, pg_catalog.pg_index, pg_catalog.pg_inherits;
SQL

mkdir -m 700 run
printf 'seconds\tserver CPU\tCPU\tMB\twhat\n'
"$build/perf/bench-plan" "$db" "$dir/run"
/usr/bin/env python3 - "$db" <<'PY'
import resource, subprocess, sys, time
begun = time.monotonic()
subprocess.run(["pg_dump", "--schema-only", "--format=custom", "--no-sync",
                "--file=schema.dump", "-d", sys.argv[1]], check=True)
use = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"{time.monotonic() - begun:.1f}", "-", f"{use.ru_utime + use.ru_stime:.1f}",
      f"{use.ru_maxrss / 1024:.0f}", "pg_dump --schema-only", sep="\t")
PY
