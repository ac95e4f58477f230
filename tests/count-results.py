#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Add up what meson's tests said, in one line: "N passed, N failed".

A program that speaks TAP counts as its tests, and one that it promised and
did not finish as failed; any other program counts as one test.  A build
without results counts as one failure.  An argument is a build directory, or
the log of other tests than its usual ones (meson test --logbase).
"""
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
    skipped = len(re.findall(r"^ok\b.*# SKIP", stdout, re.M | re.I))
    passed = len(re.findall(r"^ok\b", stdout, re.M)) - skipped
    failed = int(plan[1]) - passed - skipped
    if result not in GOOD:
        failed = max(failed, 1)
    return passed, failed


def count_build(build: pathlib.Path) -> tuple[int, int]:
    log = build / "meson-logs" / "testlog.json" if build.is_dir() else build
    if not log.exists():
        return 0, 1
    programs = map(json.loads, log.read_text().splitlines())
    counts = [count_program(p["result"], p.get("stdout", "")) for p in programs]
    return sum(c[0] for c in counts), sum(c[1] for c in counts)


counts = [count_build(pathlib.Path(build)) for build in sys.argv[1:]]
passed, failed = (sum(column) for column in zip(*counts))
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0 or passed == 0)
