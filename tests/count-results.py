#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Add up what meson's tests said, in the last line: "N passed, N failed"; those
that were skipped are told before, with the reason.

A program that speaks TAP counts as its tests, and one that it promised and
did not finish as failed; any other program counts as one test.  A build
without results counts as one failure.  An argument is a build directory, or
the log of other tests than its usual ones (meson test --logbase).  With
--failed 1 there is one failure at least: something ended before its time.
"""
import argparse
import json
import pathlib
import re
import sys

GOOD = {"OK", "EXPECTEDFAIL"}


def count_program(result: str, stdout: str) -> tuple[int, int]:
    if result == "SKIP":
        return 0, 0
    plan = re.search(r"^1\.\.(\d+)", stdout, re.M)
    if plan is None:
        return (1, 0) if result in GOOD else (0, 1)
    skipped = re.findall(r"^ok\b[ \d-]*(.*?) +# SKIP (.*)", stdout, re.M | re.I)
    for name, reason in skipped:
        print(f"skipped: {name}: {reason}")
    passed = len(re.findall(r"^ok\b", stdout, re.M)) - len(skipped)
    failed = int(plan[1]) - passed - len(skipped)
    if result not in GOOD:
        failed = max(failed, 1)
    return passed, failed


def count_line(line: str) -> tuple[int, int]:
    try:
        program = json.loads(line)
    except ValueError:  # torn: meson was ended
        return 0, 1
    return count_program(program["result"], program.get("stdout", ""))


def count_build(build: pathlib.Path) -> tuple[int, int]:
    log = build / "meson-logs" / "testlog.json" if build.is_dir() else build
    if not log.exists():
        return 0, 1
    counts = [count_line(line) for line in log.read_text().splitlines()]
    return sum(c[0] for c in counts), sum(c[1] for c in counts)


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--failed", type=int, default=0)
parser.add_argument("builds", type=pathlib.Path, nargs="+")
args = parser.parse_args()

counts = [count_build(build) for build in args.builds]
passed, failed = (sum(column) for column in zip(*counts))
failed = max(failed, args.failed)
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0 or passed == 0)
