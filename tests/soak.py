#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Whole hand-offs under writers that never stop, one after the other: export,
load, proof and hand-off are killed at random moments and said again, the
target is restarted meanwhile.  When the writers have ended and nothing is
missing, every row has to be equal and what held in every transaction at the
source has to hold in the target.

    tests/soak.py PGHAUL [N] [SEED]

Ends with "N passed, N failed"; a run is repeated, about, by its seed.
"""
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad');
CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL, t text);
CREATE TABLE branches (id int PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE journal (id bigserial PRIMARY KEY, a int, b int, amount int);
CREATE TABLE docs (id int PRIMARY KEY, n int, body text);
ALTER TABLE docs ALTER body SET STORAGE EXTERNAL;
CREATE TABLE parts (k int, at date, v text, PRIMARY KEY (k, at))
  PARTITION BY RANGE (at);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2024-01-01')
  TO ('2024-07-01');
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM ('2024-07-01')
  TO ('2025-01-01');
CREATE TABLE hashed (m mood, i int, n int, PRIMARY KEY (m, i))
  PARTITION BY HASH (m);
CREATE TABLE hashed_0 PARTITION OF hashed
  FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE hashed_1 PARTITION OF hashed
  FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE bare (n int, t text);
CREATE SEQUENCE tickets INCREMENT BY 3;
CREATE TABLE used (ticket bigint PRIMARY KEY);
INSERT INTO accounts SELECT i, 1000, md5(i::text)
  FROM generate_series(1, 20000) AS i;
INSERT INTO branches SELECT i, 0 FROM generate_series(1, 50) AS i;
INSERT INTO docs SELECT i, 0, repeat(md5(i::text), 200)
  FROM generate_series(1, 500) AS i;
INSERT INTO parts SELECT i, date '2024-01-01' + i % 366, md5(i::text)
  FROM generate_series(1, 5000) AS i;
INSERT INTO hashed SELECT (ARRAY['sad', 'ok', 'glad']::mood[])[1 + i % 3], i, 0
  FROM generate_series(1, 3000) AS i;
INSERT INTO bare SELECT i % 50, 'x' FROM generate_series(1, 100) AS i;
"""

WRITERS = {
    # Money moves; the journal says how much: all three or none.
    "transfer": r"""
\set a random(1, 20000)
\set b random(1, 50)
\set d random(1, 9)
BEGIN;
UPDATE accounts SET balance = balance - :d WHERE id = :a;
UPDATE branches SET balance = balance + :d WHERE id = :b;
INSERT INTO journal (a, b, amount) VALUES (:a, :b, :d);
COMMIT;
""",
    # What is large is not in the change when only its neighbour changes.
    "docs": r"""
\set i random(1, 500)
\set j random(1, 500)
UPDATE docs SET n = n + 1 WHERE id = :i;
UPDATE docs SET body = repeat(md5(:j::text || n), 200) WHERE id = :j;
""",
    # Rows come, go, and go over from one partition to another.
    "parts": r"""
\set k random(1, 6000)
\set d random(0, 365)
INSERT INTO parts VALUES (:k, date '2024-01-01' + :d, md5(:k::text))
  ON CONFLICT DO NOTHING;
UPDATE parts SET at = date '2024-01-01' + :d WHERE k = :k AND at =
  (SELECT min(at) FROM parts WHERE k = :k) AND NOT EXISTS
  (SELECT FROM parts WHERE k = :k AND at = date '2024-01-01' + :d);
\set k random(1, 6000)
DELETE FROM parts WHERE k = :k;
""",
    "hashed": r"""
\set i random(1, 3000)
UPDATE hashed SET n = n + 1 WHERE i = :i;
UPDATE hashed SET m = (ARRAY['sad', 'ok', 'glad']::mood[])[1 + :i % 3]
  WHERE i = :i + 1;
""",
    # No key, and rows that are the same.
    "bare": r"""
\set n random(0, 49)
BEGIN;
INSERT INTO bare VALUES (:n, 'x');
SAVEPOINT s;
UPDATE bare SET t = t || 'y' WHERE n = :n;
ROLLBACK TO s;
UPDATE bare SET n = (n + 1) % 50 WHERE ctid = (SELECT min(ctid) FROM bare);
DELETE FROM bare WHERE ctid = (SELECT max(ctid) FROM bare);
COMMIT;
""",
    "tickets": r"""
BEGIN;
INSERT INTO used VALUES (nextval('tickets'));
COMMIT;
BEGIN;
INSERT INTO used VALUES (nextval('tickets'));
ROLLBACK;
""",
}

# The rows of "hashed" may lie in other partitions: the hash of an enum's value
# is another one in each database.
TABLES = ["accounts", "branches", "journal", "docs", "parts_1", "parts_2",
          "hashed", "bare", "used"]

INVARIANTS = {
    "money": "SELECT (SELECT sum(balance) FROM accounts) + (SELECT sum(balance)"
             " FROM branches) = 20000000",
    "journal": "SELECT coalesce((SELECT sum(amount) FROM journal), 0) ="
               " (SELECT sum(balance) FROM branches)",
    "tickets": "SELECT nextval('tickets') > (SELECT max(ticket) FROM used)",
    "next": "SELECT nextval('journal_id_seq') > (SELECT max(id) FROM journal)",
}


class Failed(Exception):
    pass


class Cluster:
    def __init__(self, root, name, port, bindir):
        self.dir, self.port, self.bin = root / name, port, bindir
        self.root = root
        as_server([bindir / "initdb", "-D", self.dir, "-A", "trust", "-U",
                   "postgres", "--no-sync", "--locale=C", "-E", "UTF8"])
        with open(self.dir / "postgresql.conf", "a") as f:
            f.write(f"unix_socket_directories='{root}'\nlisten_addresses=''\n"
                    f"port={port}\nwal_level=logical\nfsync=off\n"
                    "max_replication_slots=20\nmax_wal_senders=20\n"
                    "wal_retrieve_retry_interval='200ms'\n")
        self.control("start")

    def control(self, what, *words):
        as_server([self.bin / "pg_ctl", "-D", self.dir, "-l",
                   self.root / f"{self.dir.name}.log", "-w", what, *words])

    def conninfo(self, database):
        return (f"host={self.root} port={self.port} user=postgres"
                f" dbname={database}")


def as_server(words):
    words = [str(w) for w in words]
    if os.geteuid() == 0:
        words = ["setpriv", "--reuid=postgres", "--regid=postgres",
                 "--init-groups", *words]
    r = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       cwd="/", stdin=subprocess.DEVNULL)
    if r.returncode:
        raise Failed(f"{words}: {r.stdout.decode()}")


def sql(conninfo, text):
    r = subprocess.run(["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-d",
                        conninfo], input=text, capture_output=True, text=True)
    if r.returncode:
        raise Failed(r.stderr)
    return r.stdout.strip()


def fingerprint(conninfo, table):
    return sql(conninfo,
               "SET search_path = public; SELECT count(*) || ' ' ||"
               " coalesce(sum(hashtextextended(t::text, 1)::numeric), 0) || ' '"
               f" || coalesce(sum(hashtextextended(t::text, 2)::numeric), 0)"
               f" FROM {table} AS t")


class Run:
    def __init__(self, number, seed, pghaul, source, target, root):
        self.random = random.Random(seed)
        self.pghaul, self.target_cluster = pghaul, target
        self.name = f"soak_{number}"
        self.dir = root / f"run_{number}"
        self.root = root
        self.source, self.target = (c.conninfo(self.name)
                                    for c in (source, target))
        for c in (source, target):
            sql(c.conninfo("postgres"), f"CREATE DATABASE {self.name}")
        self.events = []

    # ---- writers ----

    def start_writers(self):
        words = ["pgbench", "-n", "-c", "3", "-j", "1", "-T", "3600", "-R",
                 str(self.random.choice([60, 150, 300]))]
        for name, text in WRITERS.items():
            path = self.root / f"{name}.sql"
            path.write_text(text)
            words += ["-f", str(path)]
        self.writers = subprocess.Popen(words + [self.source],
                                        stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE)

    def stop_writers(self):
        if self.writers.poll() is not None:
            raise Failed("the writers have ended: "
                         + self.writers.stderr.read().decode())
        self.writers.terminate()  # in the background SIGINT means nothing
        self.writers.wait()

    # ---- commands ----

    def restart_later(self):
        """At a random moment, the hard way or the soft one; joined by who
        asked for it."""
        wait, how = self.random.random() * 3, self.random.choice(
            ["immediate", "fast"])

        def restart():
            time.sleep(wait)
            self.target_cluster.control("restart", "-m", how)

        self.events.append(f"restart {how}")
        thread = threading.Thread(target=restart)
        thread.start()
        return thread

    def once(self, words, kill, restart):
        thread = self.restart_later() if restart else None
        p = subprocess.Popen([self.pghaul, *words], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
        try:
            out, _ = p.communicate(
                timeout=self.random.random() ** 2 * 4 if kill else 600)
        except subprocess.TimeoutExpired:
            if not kill:
                raise Failed(f"{words[0]} hangs") from None
            p.kill()
            out, _ = p.communicate()
            self.events.append(f"kill {words[0]}")
        if thread:
            thread.join()
        return p.returncode, out

    def command(self, *words, restarts=False):
        """Until it is done: killed at most three times, the target restarted
        at most twice."""
        kills, left = self.random.randrange(4), 2 if restarts else 0
        for _ in range(12):
            restart = left > 0 and self.random.random() < 0.5
            left -= restart
            status, out = self.once(words, kills > 0, restart)
            kills -= 1
            if status == 0:
                return out
            if status not in (-signal.SIGKILL, 3):
                raise Failed(f"{words[0]}: status {status}: {out}")
            if status == 3:
                self.events.append(f"{words[0]} lost a server")
                time.sleep(0.5)
        raise Failed(f"{words[0]} does not come to its end: {out}")

    def servers(self):
        return ["--source", self.source, "--target", self.target, "--dir",
                str(self.dir)]

    def hand_over(self, **more):
        return self.command("handoff", *self.servers(), "--to", "subscription",
                            "--quiet", **more)

    # ---- the whole ----

    def check_equal(self):
        for table in TABLES:
            a, b = (fingerprint(c, table) for c in (self.source, self.target))
            if a != b:
                raise Failed(f"{table}: {a} at the source, {b} in the target")
        for name, question in INVARIANTS.items():
            if sql(self.target, question) != "t":
                raise Failed(f"in the target {name} does not hold")
        status, out = self.once(["verify", "--source", self.source, "--target",
                                 self.target, "--quiet"], False, False)
        if status:
            raise Failed(f"verify: status {status}: {out}")

    def check_nothing_is_left(self):
        self.once(["abort", *self.servers(), "--yes"], False, False)
        left = sql(self.source, "SELECT count(*) FROM pg_replication_slots"
                                " WHERE database = current_database()")
        left += sql(self.source, "SELECT count(*) FROM pg_publication")
        left += sql(self.target, "SELECT count(*) FROM pg_subscription JOIN"
                                 " pg_database d ON d.oid = subdbid"
                                 " WHERE datname = current_database()")
        if left != "000":
            raise Failed(f"slots, publications, subscriptions left: {left}")

    def go(self):
        sql(self.source, SCHEMA)
        self.start_writers()
        try:
            time.sleep(self.random.random() * 2)
            self.command("export", "--source", self.source, "--dir",
                         str(self.dir), "--cdc", "--replica-identity", "full",
                         "--chunk-size", "1MB", "--jobs", "2", "--quiet")
            self.command("load", "--target", self.target, "--dir",
                         str(self.dir), "--jobs", "2", "--quiet",
                         restarts=True)
            self.command("verify", "--target", self.target, "--dir",
                         str(self.dir), "--quiet")
            self.hand_over(restarts=True)
            time.sleep(self.random.random() * 3)
        finally:
            self.stop_writers()
        self.hand_over()
        self.check_equal()
        n = sql(self.source, "SELECT count(*) FROM journal")
        self.check_nothing_is_left()
        return n

    def clean(self, source, target):
        shutil.rmtree(self.dir, ignore_errors=True)
        for c in (source, target):
            sql(c.conninfo("postgres"),
                f"DROP DATABASE {self.name} WITH (FORCE)")


def one(number, seed, pghaul, source, target, root):
    begun = time.monotonic()
    run = Run(number, seed, pghaul, source, target, root)
    try:
        n = run.go()
        run.clean(source, target)
        what = f"passed, {n} transfers"
    except Failed as e:
        what = f"FAILED: {e}"
    print(f"{number}: seed {seed}, {time.monotonic() - begun:.0f} s,"
          f" {', '.join(run.events) or 'undisturbed'}: {what}", flush=True)
    return what.startswith("passed")


def main():
    pghaul = str(pathlib.Path(sys.argv[1]).resolve())
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 25
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else int(time.time())
    bindir = pathlib.Path(os.environ.get("PGBIN") or sorted(
        pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1])
    os.environ["PATH"] = f"{bindir}:{os.environ['PATH']}"
    root = pathlib.Path(tempfile.mkdtemp(prefix="soak."))
    if os.geteuid() == 0:
        shutil.chown(root, "postgres")
    clusters = []
    passed = 0
    try:
        for i, name in enumerate(("source", "target")):
            clusters.append(Cluster(root, name, 5432 + i, bindir))
        for i in range(n):
            passed += one(i + 1, seed + i, pghaul, *clusters, root)
    finally:
        for c in clusters:
            c.control("stop", "-m", "immediate")
        shutil.rmtree(root, ignore_errors=True)
    print(f"{passed} passed, {n - passed} failed")
    return passed != n


if __name__ == "__main__":
    sys.exit(main())
