#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Break every step of export, load and clone, and see that the same command,
given again, makes it right.

Cases, each "COMMAND/CALL/FAULT/WHEN":

    export/pwrite64/kill/17    killed when a thread is about to make its 17th
                               pwrite64 (strace counts them by thread)
    load/fsync/EIO/3           the third fsync of a thread fails
    export/disk/full/96        96 kB of disk are all there is, at first
    clone/target/restart/5     at a random moment, the 5th from the seed

After the fault, the command must end with 0 sooner or later when it is given
again, pghaul must verify the target, and PostgreSQL, asked for sums of hashes
of the rows, for indexes, constraints and sequences, must see no difference
either.  A command that met an error may have failed or not; said that all was
well when it was not, never.

A case that fails is printed with the command that repeats it; the last line is
"N passed, N failed".
"""
import argparse
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "perf"))
sys.dont_write_bytecode = True
from cluster import Cluster  # noqa: E402

# What decides what a crash leaves behind: bytes, their being on disk, names,
# and what the servers have been told.
CALLS = ("pwrite64", "fdatasync", "fsync", "renameat2", "renameat", "rename",
         "unlinkat", "unlink", "ftruncate", "fallocate", "mkdirat",
         "io_uring_enter", "sendto")
FAILING = {"pwrite64", "fdatasync", "fsync", "renameat2", "ftruncate",
           "fallocate", "mkdirat", "unlinkat"}
COMMANDS = ("export", "load", "clone")
VICTIMS = ("pghaul", "source-session", "target-session", "target-restart",
           "source-restart")
SETTINGS = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off",
            "wal_level": "logical", "shared_buffers": "64MB"}
TIME_OUT_S = 120
KILLED = -signal.SIGKILL


class Wrong(Exception):
    """The case has failed."""


def look(cluster: Cluster, database: str) -> set[str]:
    """All but statistics, which are no loss."""
    return {line for line in cluster.fingerprint(database)
            if not line.endswith(" has statistics")}


class Case:
    """One directory, one target, one command."""

    def __init__(self, lab: "Lab", name: str):
        self.lab = lab
        self.name = name
        self.command = name.partition("/")[0]
        self.dir = pathlib.Path(tempfile.mkdtemp(dir=lab.root))
        self.run_dir = self.dir / "run"
        self.database = self.dir.name.lower()
        lab.target.sql(f"CREATE DATABASE {self.database} TEMPLATE template0")
        if self.command == "load":
            shutil.copytree(lab.staged, self.run_dir)

    def close(self) -> None:
        self.lab.target.sql(f"DROP DATABASE {self.database} WITH (FORCE)")
        shutil.rmtree(self.dir, ignore_errors=True)

    def words(self, command: str, *more: str) -> list[str]:
        words = [str(self.lab.pghaul), command, "--dir", str(self.run_dir)]
        if command in ("export", "clone"):
            words += ["--source", self.lab.source.uri("fault"),
                      "--chunk-size", "1MB"]
        if command != "export":
            words += ["--target", self.lab.target.uri(self.database)]
        if command != "verify":
            words += ["--jobs", "2", "--progress", "plain"]
        return words + list(more)

    def run(self, words: list[str], before=()) -> subprocess.CompletedProcess:
        """What it says goes into files: a keeper may hold them open."""
        with (open(self.dir / "out", "w+") as out,
              open(self.dir / "err", "w+") as err):
            done = subprocess.run([*before, *words], stdin=subprocess.DEVNULL,
                                  stdout=out, stderr=err, timeout=TIME_OUT_S)
            out.seek(0)
            err.seek(0)
            done.stdout, done.stderr = out.read(), err.read()
        return done

    def expect(self, done: subprocess.CompletedProcess, what: str) -> None:
        if done.returncode != 0:
            raise Wrong(f"{what}: status {done.returncode}: {done.stderr}")

    def go_on(self, *more: str) -> None:
        """The same command again, to its end, and what must follow."""
        self.expect(self.run(self.words(self.command, *more)), "again")
        self.judge()

    def judge(self) -> None:
        if self.command == "export":
            self.expect(self.run(self.words("load")), "load")
        self.expect(self.run(self.words("verify")), "verify")
        wrong = look(self.lab.target, self.database) ^ self.lab.right
        if wrong:
            raise Wrong(f"not equal: {sorted(wrong)}")
        parts = [str(p) for p in self.run_dir.rglob("*.part")]
        if parts:
            raise Wrong(f"left behind: {parts}")

    # ---- faults; False: there is no such point ----

    def inject(self, call: str, fault: str, when: str) -> bool:
        how = ("signal=SIGKILL" if fault == "kill" else f"error={fault}")
        # -b: neither keeper nor pg_dump, which execute, are concerned.
        strace = ["strace", "-f", "-b", "execve", "-o", str(self.dir / "trace"),
                  "-e", f"trace={call}", "-e", f"inject={call}:{how}:when={when}"]
        io = () if fault == "kill" else ("--io", "sync")
        if self.command == "load":
            io = ()
        done = self.run(self.words(self.command, *io), strace)
        if fault == "kill":
            if done.returncode == 0:
                return False
            if done.returncode != KILLED:
                raise Wrong(f"status {done.returncode}: {done.stderr}")
        elif "(INJECTED)" not in (self.dir / "trace").read_text():
            return False
        elif done.returncode != 0:
            self.assert_honest(done)
        else:
            self.judge()  # it has tried again, or needed it not
            return True
        self.go_on(*io)
        return True

    def assert_honest(self, done: subprocess.CompletedProcess) -> None:
        if done.returncode not in (3, 4, 5, 6):
            raise Wrong(f"status {done.returncode}: {done.stderr}")
        if "pghaul: error: " not in done.stderr:
            raise Wrong(f"no word of what failed: {done.stderr}")

    def fill_disk(self, kb: str) -> bool:
        self.run_dir.mkdir(mode=0o700)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={kb}k,mode=0700", "fault",
                 str(self.run_dir)]
        subprocess.run(mount, check=True)
        try:
            done = self.run(self.words(self.command))
            if done.returncode == 0:
                return False
            self.assert_honest(done)
            if done.returncode != 5 or "No space left" not in done.stderr:
                raise Wrong(f"status {done.returncode}: {done.stderr}")
            subprocess.run(["mount", "-o", "remount,size=64m",
                            str(self.run_dir)], check=True)
            self.go_on()
        finally:
            self.run(self.words("abort"))
            subprocess.run(["umount", "-l", str(self.run_dir)], check=True)
        return True

    def disturb(self, victim: str, seed: str) -> bool:
        """Something happens at a random moment."""
        chance = random.Random(f"{self.name}/{seed}")
        with open(self.dir / "err", "w+") as err:
            p = subprocess.Popen(self.words(self.command), stderr=err,
                                 stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL)
            time.sleep(chance.random() * self.lab.usual_s[self.command])
            self.lab.hurt(victim, p)
            status = p.wait(TIME_OUT_S)
            err.seek(0)
            said = err.read()
        if status not in (0, KILLED):
            if status not in (3, 6):
                raise Wrong(f"status {status}: {said}")
        self.repeat(victim)
        self.judge()
        return True

    def repeat(self, victim: str) -> None:
        done = self.run(self.words(self.command))
        if done.returncode == 0:
            return
        if victim != "source-restart" or done.returncode != 6 or (
                "snapshot" not in done.stderr):
            raise Wrong(f"again: status {done.returncode}: {done.stderr}")
        # Rows of the lost snapshot are not mixed with others.
        if self.command == "clone":
            self.lab.target.sql(f"DROP DATABASE {self.database} WITH (FORCE)")
            self.lab.target.sql(f"CREATE DATABASE {self.database}"
                                " TEMPLATE template0")
        self.expect(self.run(self.words(self.command, "--start-over")),
                    "start over")

    def play(self) -> bool:
        _, call, fault, when = self.name.split("/")
        if call == "disk":
            return self.fill_disk(when)
        if fault == "random":
            return self.disturb(call, when)
        return self.inject(call, fault, when)


class Lab:
    """Two servers, a source, and how a right copy of it looks."""

    def __init__(self, root: pathlib.Path, pghaul: pathlib.Path):
        self.root, self.pghaul = root, pghaul
        self.source = Cluster(root, "source", SETTINGS)
        self.target = Cluster(root, "target", SETTINGS)

    def fill(self) -> None:
        self.source.sql("CREATE DATABASE fault TEMPLATE template0")
        self.source.psql("fault", "-f", str(HERE / "fault.sql"))
        # What a crash makes of its sequences is done once and for all.
        self.source.restart()
        self.right = look(self.source, "fault")
        self.usual_s = {}
        for command in COMMANDS:
            case = Case(self, f"{command}/undisturbed")
            begun = time.monotonic()
            case.expect(case.run(case.words(command)), command)
            self.usual_s[command] = time.monotonic() - begun
            if command == "export":
                self.staged = self.root / "staged"
                shutil.copytree(case.run_dir, self.staged)
            case.close()

    def stop(self) -> None:
        for cluster in (self.source, self.target):
            cluster.stop()

    def hurt(self, victim: str, p: subprocess.Popen) -> None:
        side = self.source if victim.startswith("source") else self.target
        if victim == "pghaul":
            p.kill()
        elif victim.endswith("-session"):
            side.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                     " WHERE application_name LIKE 'pghaul%'"
                     " ORDER BY random() LIMIT 1")
        else:
            side.restart()


def points(commands, calls, faults):
    for command in commands:
        for call in calls:
            for fault in faults:
                yield f"{command}/{call}/{fault}"


class Tally:
    def __init__(self, lab: Lab):
        self.lab, self.passed, self.failed = lab, 0, 0

    def play(self, name: str) -> bool:
        """Whether there was such a point."""
        case = Case(self.lab, name)
        try:
            there = case.play()
            self.passed += there
            return there
        except (Wrong, subprocess.SubprocessError) as why:
            self.failed += 1
            print(f"FAILED {name}: {why}\n    ./run fault {name}", flush=True)
            return True
        finally:
            case.close()

    def sweep(self, point: str, step: int) -> None:
        """Until the command makes no more such calls."""
        before = self.passed + self.failed
        when = random.randint(2, step) if step > 1 else 1
        if step > 1:
            self.play(f"{point}/1")
        while self.play(f"{point}/{when}"):
            when += step
        n = self.passed + self.failed - before
        if n:
            print(f"{point}: {n} points", flush=True)


def may_mount(lab: Lab) -> bool:
    """Said when not: a disk that is full is not tried then."""
    place = lab.root / "mount"
    place.mkdir()
    tried = subprocess.run(["mount", "-t", "tmpfs", "fault", str(place)],
                           capture_output=True, text=True)
    if tried.returncode == 0:
        subprocess.run(["umount", str(place)], check=True)
    else:
        print(f"SKIP disk: {tried.stderr.strip()}")
    return tried.returncode == 0


def play_all(tally: Tally, step: int, moments: int) -> None:
    for point in points(COMMANDS, CALLS, ("kill",)):
        tally.sweep(point, step)
    for point in points(COMMANDS, sorted(FAILING), ("EIO", "ENOSPC")):
        tally.sweep(point, step)
    for command in ("export", "clone") if may_mount(tally.lab) else ():
        for kb in range(32, 1 << 20, 32):
            if not tally.play(f"{command}/disk/full/{kb}"):
                break
    for i in range(moments):
        seed = random.randrange(1 << 30)
        command = COMMANDS[i % len(COMMANDS)]
        victims = [v for v in VICTIMS if not (
            (command == "load" and v.startswith("source"))
            or (command == "export" and v.startswith("target")))]
        victim = victims[i // len(COMMANDS) % len(victims)]
        tally.play(f"{command}/{victim}/random/{seed}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("pghaul", type=pathlib.Path)
    parser.add_argument("case", nargs="*", help="only these")
    parser.add_argument("--step", type=int, default=1, metavar="N",
                        help="only every Nth point, beginning anywhere")
    parser.add_argument("--moments", type=int, default=50, metavar="N",
                        help="random ones (default: 50)")
    options = parser.parse_args()

    root = pathlib.Path(tempfile.mkdtemp(prefix="pghaul-fault-", dir="/tmp"))
    root.chmod(0o755)
    lab = Lab(root, options.pghaul.resolve())
    tally = Tally(lab)
    try:
        lab.fill()
        for name in options.case:
            if not tally.play(name):
                print(f"{name}: there is no such point")
        if not options.case:
            play_all(tally, options.step, options.moments)
    finally:
        lab.stop()
        shutil.rmtree(root, ignore_errors=True)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return tally.failed > 0 or tally.passed == 0


sys.exit(main())
