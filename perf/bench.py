#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Measure pghaul against its peers and against what is possible.

Two throw-away servers, one seeded data set, contestants one after the other,
in every other round in the opposite order.  What is to be read is ratios:
seconds are those of one machine at one time.

  ours   pghaul
  floor  a client that throws the bytes of the same COPY statements away
  peer   the tools that people use; ratios are to the best of them
  probe  the floor under other conditions, to be looked at

Before each, the servers are checkpointed and the disk is synced; the source
lies in memory.  After each copy the target's rows, indexes, constraints,
sequences and statistics are compared with the source's.  That and the making
of databases are not in the time.

  wall_s          until the command returns
  client_cpu_s    of the command and all it starts, user and system
  server_cpu_s    of all processes of both servers, until then
  peak_mb         resident, of the largest process of the command
  all_mb          of all its processes, shared pages once (PSS; sampled: a
                  short peak may be missed)
  sleeps          how often the command gave up a CPU to wait
  others_cpu_pct  what everybody else, the kernel's own threads too, took of
                  this machine's CPUs meanwhile: mostly noise
"""
import argparse
import datetime
import os
import pathlib
import platform
import signal
import subprocess
import sys
import tempfile

import report
from cluster import SETTINGS, Cluster
from contests import Arena, Contest
from ring import Ring

ROOT = pathlib.Path(__file__).resolve().parent.parent


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true",
                        help="one round with 100 MB; not kept")
    parser.add_argument("--scale", type=float, default=1.0,
                        help="of the data: 1 is about 1.5 GB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", metavar="CONTEST",
                        help="export, clone, load or verify; repeatable")
    parser.add_argument("-j", "--jobs", type=int, default=2)
    parser.add_argument("--patience", type=int, default=60, metavar="S",
                        help="how long to wait for others to leave the CPUs")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--dir", default="/tmp",
                        help="where the servers' files lie, about 10 GB")
    parser.add_argument("--results", type=pathlib.Path, metavar="DIR",
                        default=ROOT / "perf/results",
                        help="where results are kept")
    parsed = parser.parse_args()
    if parsed.quick:
        parsed.scale, parsed.rounds = 0.07, 1
        parsed.patience, parsed.results = 0, None
    return parsed


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def bin_dir() -> str:
    """Where the servers' programs are: $PGBIN, or the newest there is."""
    found = pathlib.Path("/usr/lib/postgresql").glob("*/bin")
    newest = max(found, default="/usr/bin",
                 key=lambda path: float(path.parent.name))
    return os.environ.get("PGBIN", str(newest))


def output_of(*command: str) -> str:
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, cwd=ROOT)
    return done.stdout.strip()


def commit() -> str:
    return output_of("git", "describe", "--always", "--dirty", "--abbrev=12",
                     "--exclude=*")


def machine() -> str:
    cpu = next((line.partition(":")[2].strip()
                for line in open("/proc/cpuinfo")
                if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 30
    return (f"{os.cpu_count()} x {cpu}, {memory} GB,"
            f" Linux {platform.release()}")


def circumstances(opts: argparse.Namespace, arena: Arena) -> list[str]:
    size = arena.source.sql("SELECT pg_database_size('bench') >> 20")
    return [
        f"# commit {commit()}, {datetime.date.today()}",
        f"# {machine()}",
        f"# {output_of('postgres', '--version')};"
        f" {output_of('pgcopydb', '--version').splitlines()[1]}",
        "# " + ", ".join(f"{k} = {v}" for k, v in SETTINGS.items()),
        f"# {size} MB with indexes, {arena.staged_bytes >> 20} MB as COPY;"
        f" {opts.rounds} rounds, {opts.jobs} jobs",
    ]


def fight(contest: Contest, ring: Ring, n_rounds: int) -> dict:
    """Contestant -> what it spent, round by round."""
    measured = {contestant: [] for contestant in contest.contestants}
    for n in range(n_rounds):
        for contestant in contest.contestants[::-1 if n % 2 else 1]:
            m = ring.measure(contestant)
            measured[contestant].append(m)
            say(f"{contest.name} {n + 1}: {contestant.name}: "
                + ", ".join(f"{k} {v:.2f}" for k, v in m.items()))
    return measured


def hold(opts: argparse.Namespace, root: pathlib.Path) -> list[str]:
    """The whole thing; the lines of the report."""
    clusters = []
    try:
        for name in ("source", "target"):
            clusters.append(Cluster(root, name))
        arena = Arena(*clusters, root, opts.build.resolve(), opts.jobs)
        ring = Ring(arena, opts.patience)
        say(f"making data in {root}")
        arena.source.sql("CREATE DATABASE bench")
        arena.source.psql("bench", "-v", f"scale={opts.scale}",
                          "-f", str(ROOT / "perf/dataset.sql"))
        arena.make_inputs(ring.run)
        lines = circumstances(opts, arena) + [report.HEADER]
        for contest in arena.contests():
            if not opts.only or contest.name in opts.only:
                measured = fight(contest, ring, opts.rounds)
                lines += report.lines(contest.name, measured)
        return lines
    finally:
        for cluster in clusters:
            cluster.stop()


def main() -> None:
    opts = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    os.environ["PATH"] = f"{bin_dir()}:{os.environ['PATH']}"
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]  # nothing of the user's own surroundings
    with tempfile.TemporaryDirectory(prefix="pghaul-bench.", dir=opts.dir) as root:
        os.chmod(root, 0o755)  # the servers' user goes through it
        text = "\n".join(hold(opts, pathlib.Path(root))) + "\n"
    print(text, end="")
    if opts.results:
        opts.results.mkdir(exist_ok=True)
        name = f"{datetime.date.today()}-{commit()}.tsv"
        (opts.results / name).write_text(text)


if __name__ == "__main__":
    main()
