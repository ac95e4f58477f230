# SPDX-License-Identifier: PostgreSQL
"""From single measurements to ratios, as TSV.

Ratios are taken within a round, where both have met the same machine, and
then summed up: what two contestants share of a bad minute cancels out.
"""
import statistics

from contests import FLOOR, PEER

FIGURES = ["wall_s", "client_cpu_s", "server_cpu_s", "peak_mb", "all_mb",
           "sleeps", "others_cpu_pct"]
COSTS = ["wall", "cpu"]
RATIOS = [f"{cost}/{role}" for role in (FLOOR, PEER) for cost in COSTS]
HEADER = "\t".join(["contest", "contestant", "role", "rounds", *FIGURES, *(
    ratio + end for ratio in RATIOS for end in ("", ":min", ":max"))])


def cost_of(measured: dict, cost: str) -> float:
    """
    >>> cost_of({"client_cpu_s": 1.5, "server_cpu_s": 2}, "cpu")
    3.5
    """
    if cost == "wall":
        return measured["wall_s"]
    return measured["client_cpu_s"] + measured["server_cpu_s"]


def best(measured: dict, role: str, cost: str) -> list[dict]:
    """The rounds of the one of that role whose median is least; or none."""
    return min(
        (rounds for c, rounds in measured.items() if c.role == role),
        key=lambda rounds: statistics.median(cost_of(m, cost) for m in rounds),
        default=[])


def ratio(ours: list[dict], theirs: list[dict], cost: str) -> list[str]:
    """Median, least and most of the rounds.

    >>> of = lambda *walls: [{"wall_s": wall} for wall in walls]
    >>> ratio(of(3, 8, 5), of(2, 4, 5), "wall")
    ['1.500', '1.000', '2.000']
    >>> ratio(of(3), [], "wall")
    ['-', '-', '-']
    """
    found = [cost_of(a, cost) / cost_of(b, cost) for a, b in zip(ours, theirs)]
    if not found:
        return ["-"] * 3
    return [f"{f(found):.3f}" for f in (statistics.median, min, max)]


def lines(contest: str, measured: dict) -> list[str]:
    """One a contestant: the medians of what it spent, and the ratios."""
    return ["\t".join([
        contest, contestant.name, contestant.role, str(len(rounds)),
        *(f"{statistics.median(m[f] for m in rounds):.2f}" for f in FIGURES),
        *(cell for role in (FLOOR, PEER) for cost in COSTS
          for cell in ratio(rounds, best(measured, role, cost), cost))])
        for contestant, rounds in measured.items()]
