#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Includes go down only: loader -> formats -> io, and so do loader's rooms."""
import pathlib
import re
import sys

ALLOWED = {
    "io": {"io"},
    "formats": {"formats", "io"},
    "loader": {"loader", "formats", "io"},
    "perf": {"perf", "loader", "formats", "io"},
}
# A room knows those below its own line, and none beside it on that line.
FLOORS = [
    {"main.c"},
    {"cli"},
    {"cutover"},
    {"source", "handoff"},
    {"source/capture", "source/check", "proof"},
    {"source/keeper"},
    {"source/guard", "source/plan", "target", "report"},
    {"inventory", "archive"},
    {"bag"},
    {"catalog", "work"},
    {"keys", "progress", "run"},
    {"pg"},
]
FLOOR_OF = {room: i for i, rooms in enumerate(FLOORS) for room in rooms}


def includes(path):
    return re.findall(r'^#include "([^"]+)"', path.read_text(), re.M)


def room(name):
    """"loader/source/plan/x.h" -> "source/plan"."""
    parts = name.split("/")[1:]
    return "/".join(parts[:-1]) or parts[0]


root = pathlib.Path(sys.argv[1])
wrong = []
for folder, allowed in ALLOWED.items():
    for path in sorted((root / folder).rglob("*.[ch]")):
        here = str(path.relative_to(root))
        for name in includes(path):
            if name.split("/")[0] not in allowed:
                wrong.append(f"{here}: includes {name}")
            elif folder == "loader" and name.startswith("loader/"):
                a, b = room(here), room(name)
                if a not in FLOOR_OF or b not in FLOOR_OF:
                    wrong.append(f"{here}, {name}: a room without a floor")
                elif a != b and FLOOR_OF[a] >= FLOOR_OF[b]:
                    wrong.append(f"{here}: includes {name}, not below it")
print("\n".join(wrong))
sys.exit(bool(wrong))
