# SPDX-License-Identifier: PostgreSQL
"""A throw-away PostgreSQL cluster whose CPU time is known."""
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import time

# The same for all contestants and both servers.  What a machine's crash may
# cost is not traded for speed; what would only add chance is off.
SETTINGS = {
    "shared_buffers": "1GB",
    "maintenance_work_mem": "256MB",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "wal_level": "replica",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "autovacuum": "off",
    "timezone": "UTC",
}

TICK = os.sysconf("SC_CLK_TCK")

# All that a contestant could save time by leaving out: one line a thing.
THINGS = """
SELECT pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON oid = indrelid
WHERE relnamespace = 'public'::regnamespace AND indisvalid
UNION ALL
SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT concat_ws(' ', sequencename, last_value) FROM pg_sequences
WHERE schemaname = 'public'
UNION ALL
SELECT DISTINCT concat_ws(' ', tablename, 'has statistics') FROM pg_stats
WHERE schemaname = 'public'
"""
ROWS = """
UNION ALL
SELECT concat_ws(' ', '{0}', count(*),
    sum(hashtextextended(r::text, 0)::numeric)) FROM {0} AS r
"""


def process_stat(pid: int) -> list[int]:
    """Fields 4... of /proc/PID/stat, as numbers."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return [int(word) for word in text.rpartition(")")[2].split()[1:]]


def children(pid: int) -> list[int]:
    tasks = pathlib.Path(f"/proc/{pid}/task")
    return [
        int(child)
        for task in tasks.iterdir()
        for child in (task / "children").read_text().split()
    ]


def empty_files(folder: pathlib.Path) -> None:
    """Free the room but keep the names.  Where a file was deleted within
    minutes ext4 passes it over, one by one, whenever it looks for a free
    inode: the next contestant would pay for what the last one wrote."""
    for path in folder.rglob("*"):
        if path.is_file():
            os.truncate(path, 0)


def server_user() -> str | None:
    """Whom to become, for a server does not run as root."""
    if os.geteuid() != 0:
        return None
    names = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


class Cluster:
    def __init__(self, root: pathlib.Path, name: str, settings=SETTINGS):
        self.dir = root / name
        self.log = self.dir / "log"
        self.dir.mkdir()
        if server_user():
            shutil.chown(self.dir, server_user())
        self._run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8",
                  "--locale=C.UTF-8")
        settings = settings | {
            "listen_addresses": "''",
            "unix_socket_directories": f"'{self.dir}'",
            "log_line_prefix": "'%p '",
        }
        with open(self.dir / "data/postgresql.conf", "a") as conf:
            conf.writelines(f"{k} = {v}\n" for k, v in settings.items())
        self._run("pg_ctl", "-w", "-l", str(self.log), "start")
        pid_file = self.dir / "data/postmaster.pid"
        self.postmaster = int(pid_file.read_text().split()[0])
        self.own_processes = set(children(self.postmaster))

    def _run(self, program: str, *args: str) -> None:
        done = subprocess.run(
            [program, "-D", self.dir / "data", *args],
            user=server_user(), cwd="/", text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr}")

    def stop(self) -> None:
        self._run("pg_ctl", "-m", "immediate", "stop")

    def restart(self) -> None:
        """As after a crash."""
        self._run("pg_ctl", "-w", "-l", str(self.log), "-m", "immediate",
                  "restart")

    def uri(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.dir}"

    def sql(self, sql: str, database: str = "postgres") -> str:
        return self.psql(database, "-c", sql)

    def psql(self, database: str, *args: str) -> str:
        return subprocess.run(
            ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1",
             *args, self.uri(database)],
            check=True, text=True, stdout=subprocess.PIPE).stdout.strip()

    def new_database(self, name: str) -> None:
        """What had this name before is kept, empty: see empty_files."""
        oid = self.sql(f"SELECT oid FROM pg_database WHERE datname = '{name}'")
        if oid:
            self.sql(f"ALTER DATABASE {name} RENAME TO old_{oid}")
            self.sql("CHECKPOINT")  # then nobody writes to its files
            empty_files(self.dir / "data/base" / oid)
        self.sql(f"CREATE DATABASE {name} TEMPLATE template0")

    def settle(self) -> None:
        """Wait until all sessions have ended, and been counted."""
        while not set(children(self.postmaster)) <= self.own_processes:
            time.sleep(0.02)

    def cpu_s(self) -> float:
        """Of all its processes, ended ones too; settle() first."""
        live = sum(sum(process_stat(pid)[10:12])
                   for pid in children(self.postmaster))
        return (live + sum(process_stat(self.postmaster)[10:14])) / TICK

    def fingerprint(self, database: str) -> list[str]:
        """What two databases have in common that are equal."""
        tables = self.sql(
            "SELECT oid::regclass FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'public'::regnamespace", database).split()
        sql = THINGS + "".join(map(ROWS.format, tables))
        return sorted(self.sql(sql, database).splitlines())

    def copies_out(self, run) -> list[str]:
        """The COPY TO STDOUT statements that run() makes here."""
        begin = self.log.stat().st_size
        self.sql("ALTER SYSTEM SET log_statement = 'all'")
        self.sql("SELECT pg_reload_conf()")
        run()
        self.sql("ALTER SYSTEM RESET log_statement")
        self.sql("SELECT pg_reload_conf()")
        with open(self.log) as log:
            log.seek(begin)
            return re.findall(r"^\d+ LOG:  (?:statement|execute [^:]*): "
                              r"(COPY .* TO STDOUT.*)$", log.read(), re.M)
