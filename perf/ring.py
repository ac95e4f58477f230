# SPDX-License-Identifier: PostgreSQL
"""Where one contestant runs at a time, and what it spends is counted."""
import json
import os
import pathlib
import signal
import subprocess
import time

from cluster import TICK, children, empty_files
from contests import Arena, Contestant

SAMPLE_S = 0.2


def busy_s() -> float:
    """CPU time that the whole machine has spent, or lost to its host."""
    with open("/proc/stat") as stat:
        user, nice, system, _, _, *irqs = map(int, stat.readline().split()[1:9])
    return (user + nice + system + sum(irqs)) / TICK


def pss_kb(pid: int) -> int:
    """Memory of a process and all below it, what they share counted once."""
    try:
        below = sum(map(pss_kb, children(pid)))
        words = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().split()
    except OSError:  # it has just ended
        return 0
    return below + (int(words[words.index("Pss:") + 1]) if words else 0)


def watch(process: subprocess.Popen) -> int:
    """Wait for it; the most memory it was seen with, in kB."""
    most = 0
    while process.poll() is None:
        most = max(most, pss_kb(process.pid))
        try:
            process.wait(SAMPLE_S)
        except subprocess.TimeoutExpired:
            pass
    return most


class Ring:
    def __init__(self, arena: Arena, patience_s: int):
        self.arena, self.patience_s = arena, patience_s
        self.clusters = arena.source, arena.target
        self.spent = arena.root / "spent"
        self.messages = arena.root / "messages"
        self.n_old = 0

    def run(self, command: list[str], stdin: pathlib.Path | None = None
            ) -> dict:
        """What the command has spent; if it fails there is nothing to tell."""
        with (open(stdin or os.devnull) as questions,
              open(self.arena.output, "w") as answers,
              open(self.messages, "w") as messages):
            spend = subprocess.Popen(
                [self.arena.build / "perf/spend", self.spent, *command],
                stdin=questions, stdout=answers, stderr=messages,
                start_new_session=True)
        try:
            most_kb = watch(spend)
        except BaseException:  # we are stopped: so is all that was started
            os.killpg(spend.pid, signal.SIGTERM)
            raise
        if spend.returncode:
            raise RuntimeError(
                f"{' '.join(command)}: exit status {spend.returncode}\n"
                f"{self.messages.read_text()[-4000:]}")
        return json.loads(self.spent.read_text()) | {"all_mb": most_kb / 1024}

    def lay_aside_output(self) -> None:
        old = self.arena.root / f"old-{self.n_old}"
        self.n_old += 1
        if self.arena.out.exists():
            self.arena.out.rename(old)
            empty_files(old)

    def wait_for_quiet(self) -> None:
        """A machine's other users come and go; wait a while for them to go."""
        for _ in range(self.patience_s):
            busy = busy_s()
            time.sleep(1)
            if busy_s() - busy < 0.05 * os.cpu_count():
                break

    def servers_cpu_s(self) -> float:
        for cluster in self.clusters:
            cluster.settle()
        return sum(cluster.cpu_s() for cluster in self.clusters)

    def measure(self, contestant: Contestant) -> dict:
        self.lay_aside_output()
        contestant.prepare()
        for cluster in self.clusters:
            cluster.sql("CHECKPOINT")
        os.sync()
        self.wait_for_quiet()

        servers = self.servers_cpu_s()
        busy = busy_s()
        spent = self.run(contestant.command, contestant.stdin)
        busy = busy_s() - busy
        servers = self.servers_cpu_s() - servers
        contestant.check()

        client = spent["user_s"] + spent["system_s"]
        there_was = spent["wall_s"] * os.cpu_count()
        return {
            "wall_s": spent["wall_s"],
            "client_cpu_s": client,
            "server_cpu_s": servers,
            "peak_mb": spent["peak_kb"] / 1024,
            "all_mb": spent["all_mb"],
            "sleeps": spent["sleeps"],
            "others_cpu_pct": 100 * max(0, busy - client - servers) / there_was,
        }
