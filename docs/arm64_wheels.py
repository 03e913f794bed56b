"""Print which locked packages have no wheel for ARM64: the table of docs/jetson.md.

``.venv/bin/python docs/arm64_wheels.py`` tells what ``./run lock`` noted of the index.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

LOCK = Path(__file__).parents[1] / "requirements.lock"
PYTHONS = {"3.11": "3.11.2", "3.12": "3.12.3"}  # those of Debian 12 and of Ubuntu 24.04


def packages(lock: str) -> Iterator[tuple[list[str], Requirement, str]]:
    """Yield each package of a lock: groups that need it, it itself, and the note on its wheels."""
    groups, package = list[str](), Requirement("none")
    for line in lock.splitlines():
        if line.startswith("# for "):
            groups = line.split()[2:]
        elif re.match(r"[a-z0-9]", line):
            package = Requirement(line.removesuffix(" \\"))
        elif line.startswith("# ") and groups:
            yield groups, package, line


def without_wheel(lock: str, python: str, machine: str) -> dict[str, set[str]]:
    """Return by group what it needs on a machine with a Python, and there is no wheel of there."""
    facts = {"platform_machine": machine, "sys_platform": "linux", "os_name": "posix"}
    facts |= {"python_version": python, "python_full_version": PYTHONS[python]}
    there = re.compile(rf"\b{re.escape(python)} [^,]*\b{machine}\b")
    found: dict[str, set[str]] = {}
    for groups, package, note in packages(lock):
        is_needed = package.marker is None or package.marker.evaluate(facts)
        for group in groups:
            names = found.setdefault(group, set())
            if is_needed and there.search(note) is None:
                names.add(package.name)
    return found


def table(lock: str) -> str:
    """Return the table."""
    missing = [without_wheel(lock, python, "aarch64") for python in PYTHONS]
    heads = [f"without a wheel, Python {python}" for python in PYTHONS]
    rows = [f"| for | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|"]
    for group in sorted(missing[0]):
        cells = [", ".join(sorted(names[group])) or "none" for names in missing]
        rows.append(f"| `{group}` | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table(LOCK.read_text()))
