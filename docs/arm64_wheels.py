"""Print which locked packages have no wheel for ARM64: the table of docs/jetson.md.

``.venv/bin/python docs/arm64_wheels.py`` after ``./run lock``, which installs uv. It asks the index
what there is for the Python of Debian 12 and for that of Ubuntu 24.04, and downloads nothing.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
SYSTEMS = {"3.11": "aarch64-manylinux_2_36", "3.12": "aarch64-manylinux_2_39"}  # by their Python
WITHOUT = re.compile(
    r"Because (?:only )?([A-Za-z0-9._-]+?)(?:[=<>!{]\S*)? has no (?:usable )?wheels"
)


def locked() -> dict[str, set[str]]:
    """Return the groups that need each package of the lock, with its marker."""
    found: dict[str, set[str]] = {}
    groups: list[str] = []
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        if line.startswith("# for "):
            groups = line.split()[2:]
        elif re.match(r"[a-z0-9]", line):
            found.setdefault(line.removesuffix(" \\"), set()).update(groups)
    return found


def needed(entry: str, python: str) -> bool:
    """Return whether a package is installed on ARM64 with a Python."""
    marker = Requirement(entry).marker
    machine = {"platform_machine": "aarch64", "sys_platform": "linux", "os_name": "posix"}
    machine |= {"python_version": python, "python_full_version": f"{python}.2"}
    return marker is None or marker.evaluate(machine)


def without_wheel(entries: list[str], python: str) -> set[str]:
    """Return the names of the packages that have no wheel there."""
    left, found = list(entries), set[str]()
    command = ["uv", "pip", "compile", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += [f"--python-platform={SYSTEMS[python]}", f"--python-version={python}", "-"]
    while True:
        done = subprocess.run(
            command, input="\n".join(left), capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return found
        said = " ".join(done.stderr.split())
        match = WITHOUT.search(said)
        if match is None:
            sys.exit(f"arm64_wheels.py: uv says {said}")
        found.add(match[1])
        left = [entry for entry in left if Requirement(entry).name != match[1]]


def main() -> None:
    """Print the table."""
    packages = locked()
    missing = {
        python: without_wheel([e for e in packages if needed(e, python)], python)
        for python in SYSTEMS
    }
    rows = ["| for | without a wheel, Python 3.11 | without a wheel, Python 3.12 |"]
    rows.append("|---|---|---|")
    for group in sorted(set().union(*packages.values())):
        own = [entry for entry, groups in packages.items() if group in groups]
        names = {Requirement(entry).name for entry in own if needed(entry, "3.12")}
        cells = [", ".join(sorted(names & missing[python])) or "none" for python in SYSTEMS]
        rows.append(f"| `{group}` | {' | '.join(cells)} |")
    sys.stdout.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
