#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Every C file is as clang-format leaves it, and names its licence."""
import pathlib
import shutil
import subprocess
import sys

root = pathlib.Path(sys.argv[1])
files = [
    path
    for folder in ("io", "formats", "loader", "tests", "perf")
    for path in sorted((root / folder).rglob("*.[ch]"))
]
wrong = [
    f"{path.relative_to(root)}: no SPDX line"
    for path in files
    if "SPDX-License-Identifier: PostgreSQL" not in path.read_text()[:80]
]
if shutil.which("clang-format") is None:
    print("SKIP: clang-format is not installed")
    sys.exit(1 if wrong else 77)
done = subprocess.run(
    ["clang-format", "--dry-run", "-Werror", *map(str, files)],
    capture_output=True,
    text=True,
    cwd=root,
)
print("\n".join(wrong) + done.stderr)
sys.exit(bool(wrong) or done.returncode != 0)
