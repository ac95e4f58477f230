# SPDX-License-Identifier: PostgreSQL
"""Who runs against whom, with which command lines."""
import dataclasses
import pathlib
import shlex
import shutil
import sqlite3
from collections.abc import Callable

from cluster import Cluster

OURS, FLOOR, PEER, PROBE = "ours", "floor", "peer", "probe"


class Unequal(Exception):
    """A contestant did not do the work."""


@dataclasses.dataclass(frozen=True, eq=False)
class Contestant:
    name: str
    role: str  # a probe is there to be looked at, nobody is compared with it
    command: list[str]
    stdin: pathlib.Path | None = None
    prepare: Callable[[], None] = lambda: None
    check: Callable[[], None] = lambda: None


@dataclasses.dataclass(frozen=True)
class Contest:
    name: str
    contestants: list[Contestant]


def one_after_the_other(*commands: list[str]) -> list[str]:
    return ["sh", "-c", " && ".join(map(shlex.join, commands))]


class Arena:
    """Two servers, the data, and what contestants read, made beforehand."""

    def __init__(self, source: Cluster, target: Cluster, root: pathlib.Path,
                 build: pathlib.Path, jobs: int):
        self.source, self.target, self.root = source, target, root
        self.build, self.jobs = build, f"-j{jobs}"
        self.source_uri = source.uri("bench")
        self.target_uri = target.uri("bench")
        self.verified_uri = target.uri("verified")
        self.out = root / "out"  # where a contestant may write; made anew
        self.output = root / "output"  # its standard output
        self.run, self.dump = root / "run", root / "dump"
        self.staged_bytes = 0

    def pghaul(self, command: str, *args: str) -> list[str]:
        return [str(self.build / "loader/pghaul"), command, "--quiet",
                self.jobs, *args]

    def export(self, *args: str) -> list[str]:
        return self.pghaul("export", "--source", self.source_uri,
                           "--dir", str(self.out), *args)

    def load(self, run: pathlib.Path, uri: str) -> list[str]:
        return self.pghaul("load", "--target", uri, "--dir", str(run))

    def verify(self) -> list[str]:
        return self.pghaul("verify", "--target", self.verified_uri,
                           "--dir", str(self.run))

    def drain(self, uri: str, *args: str) -> list[str]:
        return [str(self.build / "perf/drain"), self.jobs, *args, uri]

    def pg_dump(self, *args: str) -> list[str]:
        return ["pg_dump", "-Fd", self.jobs, *args, self.source_uri]

    def pg_restore(self, dump: pathlib.Path) -> list[list[str]]:
        """pg_restore leaves it to others to gather statistics."""
        return [["pg_restore", self.jobs, "-d", self.target_uri, str(dump)],
                ["vacuumdb", self.jobs, "-q", "--analyze-only",
                 "-d", self.target_uri]]

    def statements(self, name: str) -> pathlib.Path:
        return self.root / f"{name}.sql"

    def make_inputs(self, must_run: Callable[[list[str]], None]) -> None:
        """Staged files, a dump, a loaded target; and the COPY statements of
        pghaul, as the servers have seen them."""
        def keep(name: str, cluster: Cluster, command: list[str]) -> None:
            copies = cluster.copies_out(lambda: must_run(command))
            self.statements(name).write_text("".join(f"{c}\n" for c in copies))

        keep("export-text", self.source, self.export("--format", "text"))
        self.out.rename(self.root / "run-text")
        keep("export", self.source, self.export())
        self.out.rename(self.run)
        must_run(self.pg_dump("-f", str(self.dump)))
        self.target.new_database("verified")
        must_run(self.load(self.run, self.verified_uri))
        keep("verify", self.target, self.verify())

        with sqlite3.connect(self.run / "run.db") as catalog:
            query = "SELECT sum(raw_len) FROM chunks"
            (self.staged_bytes,) = catalog.execute(query).fetchone()
        self.expected = self.source.fingerprint("bench")

    def check_copy(self) -> None:
        found = self.target.fingerprint("bench")
        wrong = sorted(set(found) ^ set(self.expected))
        if wrong:
            raise Unequal("\n".join(wrong[:10]))

    def check_drained(self) -> None:
        """The floor moves what pghaul stages, neither more nor less."""
        n_bytes = int(self.output.read_text().split()[0])
        if n_bytes != self.staged_bytes:
            raise Unequal(f"{n_bytes} bytes drained,"
                          f" {self.staged_bytes} staged")

    def empty_target(self) -> None:
        self.target.new_database("bench")

    def with_copied_run(self) -> None:
        """A load marks its run directory: each begins with an unmarked one."""
        self.empty_target()
        shutil.copytree(self.run, self.out)

    def contests(self) -> list[Contest]:
        return [self.of_export(), self.of_clone(), self.of_load(),
                self.of_verify()]

    def of_export(self) -> Contest:
        dump = ["-f", str(self.out)]
        same, text = self.statements("export"), self.statements("export-text")
        return Contest("export", [
            Contestant("pghaul", OURS, self.export()),
            Contestant("pghaul --compress none", OURS,
                       self.export("--compress", "none")),
            Contestant("drain", FLOOR, self.drain(self.source_uri), same,
                       check=self.check_drained),
            Contestant("drain, awake for every 8 KB", PROBE,
                       self.drain(self.source_uri, "-n"), same,
                       check=self.check_drained),
            Contestant("drain, all as text", PROBE,
                       self.drain(self.source_uri), text),
            Contestant("pg_dump -Fd", PEER, self.pg_dump(*dump)),
            Contestant("pg_dump -Fd -Z0", PEER, self.pg_dump("-Z0", *dump)),
        ])

    def of_clone(self) -> Contest:
        def clone(name: str, role: str, command: list[str]) -> Contestant:
            return Contestant(name, role, command, prepare=self.empty_target,
                              check=self.check_copy)

        dump = ["-f", str(self.out)]
        ends = ["--source", self.source_uri, "--target", self.target_uri,
                "--dir", str(self.out)]
        jobs = self.jobs.removeprefix("-j")
        pgcopydb = ["pgcopydb", "clone", *ends, "--table-jobs", jobs,
                    "--index-jobs", jobs]
        return Contest("clone", [
            clone("pghaul", OURS, self.pghaul("clone", *ends)),
            clone("pg_dump -Fd, pg_restore", PEER, one_after_the_other(
                self.pg_dump(*dump), *self.pg_restore(self.out))),
            clone("pg_dump -Fd -Z0, pg_restore", PEER, one_after_the_other(
                self.pg_dump("-Z0", *dump), *self.pg_restore(self.out))),
            clone("pgcopydb", PEER, pgcopydb),
            clone("pgcopydb, tables split at 128MB", PEER,
                  [*pgcopydb, "--split-tables-larger-than", "128MB"]),
        ])

    def of_load(self) -> Contest:
        return Contest("load", [
            Contestant("pghaul", OURS, self.load(self.out, self.target_uri),
                       prepare=self.with_copied_run, check=self.check_copy),
            Contestant("pg_restore", PEER, one_after_the_other(
                           *self.pg_restore(self.dump)),
                       prepare=self.empty_target, check=self.check_copy),
        ])

    def of_verify(self) -> Contest:
        return Contest("verify", [
            Contestant("pghaul", OURS, self.verify()),
            Contestant("drain", FLOOR, self.drain(self.verified_uri),
                       self.statements("verify"), check=self.check_drained),
        ])
