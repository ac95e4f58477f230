#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Includes go down only: loader -> formats -> io."""
import pathlib
import re
import sys

ALLOWED = {
    "io": {"io"},
    "formats": {"formats", "io"},
    "loader": {"loader", "formats", "io"},
    "perf": {"perf", "loader", "formats", "io"},
}
root = pathlib.Path(sys.argv[1])
wrong = [
    f"{path.relative_to(root)}: includes {name}"
    for folder, allowed in ALLOWED.items()
    for path in sorted((root / folder).rglob("*.[ch]"))
    for name in re.findall(r'^#include "([^"]+)"', path.read_text(), re.M)
    if name.split("/")[0] not in allowed
]
print("\n".join(wrong))
sys.exit(bool(wrong))
