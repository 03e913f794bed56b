"""The Python packages of a bundle: those of requirements.lock, as wheels for another machine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mirante.nearest import nearest

MACHINES = ("linux-x86_64", "linux-aarch64")
PYTHONS = ("3.11", "3.12", "3.13")
CUDAS = ("13",)  # that of the packages in requirements.lock
ROOT = Path(__file__).parents[3]
_FETCHING = {"tensorrt-cu13"}
_OLDEST_GLIBC = 17
GLIBC = 36  # 2.36 is that of Debian 12


def check_extras(extras: tuple[str, ...]) -> None:
    """Check the names of extras.

    Raises:
        ValueError: there is none of that name; or this is no checkout of Mirante, of which alone
            a wheel can be made.
    """
    if not (ROOT / "pyproject.toml").is_file():
        raise ValueError(f"{ROOT}: expected a checkout of Mirante, of which its wheel is made")
    known = _project()["project"]["optional-dependencies"]
    for extra in extras:
        if extra not in known:
            raise ValueError(f'--extras: no extra "{extra}"; {nearest(extra, known)}')
    if fetching := _FETCHING & needed(extras):
        raise ValueError(
            f"--extras: {', '.join(sorted(fetching))} fetches NVIDIA's library while it is "
            "installed; expected tensorrt-rtx, or none"
        )


def download(
    wheels: Path, machine: str, python: str, extras: tuple[str, ...], glibc: int = GLIBC
) -> None:
    """Put Mirante's wheel, those it needs and pip's into a folder.

    Args:
        wheels: the folder.
        machine, python: for which they are.
        extras: of Mirante.
        glibc: the minor number of the newest C library that wheels may need.

    Raises:
        RuntimeError: pip fails; its own words are on stderr.
    """
    own = _own_wheel(wheels)
    arch = machine.removeprefix("linux-")
    platforms = [f"manylinux_2_{minor}_{arch}" for minor in range(_OLDEST_GLIBC, glibc + 1)]
    options = [f"--platform={each}" for each in (*platforms, f"manylinux2014_{arch}")]
    options += [f"--python-version={python}", "--only-binary=:all:", "--dest", str(wheels)]
    options += [f"--find-links={wheels}"]
    for name, version in sorted(without_wheels().items()):
        if name in needed(extras):
            _pip("wheel", "--no-deps", "--wheel-dir", str(wheels), f"{name}=={version}")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as versions:
        versions.write("\n".join(locked(machine, python)))
        versions.flush()
        wanted = (f"mirante[{','.join(extras)}] @ {own.as_uri()}", "pip")
        _pip("download", *options, "-c", versions.name, *wanted, *overlooked(machine, python))


def needed(extras: tuple[str, ...]) -> set[str]:
    """Return the names of the packages that some extras ask for themselves."""
    known, found = _project()["project"]["optional-dependencies"], set()
    for requirement in (each for extra in extras for each in known[extra]):
        if own := re.match(r"mirante\[([\w,-]+)\]", requirement):
            found |= needed(tuple(own[1].split(",")))
        else:
            found.add(re.split(r"[^\w.-]", requirement)[0])
    return found


def without_wheels() -> dict[str, str]:
    """Return the versions, by name, of what requirements.lock has a source of and no wheel."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    only = r"^([a-z0-9.-]+)==(\S+)[^\n]*\\\n {4}--hash=\S+\n# none$"
    return dict(re.findall(only, text, re.M))


def locked(machine: str, python: str) -> list[str]:
    """Return the versions of requirements.lock that apply to another machine and its Python."""
    return [each for _, each, marker in _lines() if _applies(marker, _facts(machine, python))]


def overlooked(machine: str, python: str, here: tuple[dict[str, str], ...] = ({},)) -> list[str]:
    """Return what Mirante needs there and pip does not see: it asks which packages another needs of
    the Python that runs it, whatever ``--python-version`` says.

    Args:
        machine, python: the other one.
        here: what differs from this Python, as ``packaging`` names it; for tests.
    """
    seen = {_name(each) for _, each, marker in _lines() if _applies(marker, here)}
    there = _facts(machine, python)
    needs = [
        each for groups, each, marker in _lines() if "core" in groups and _applies(marker, there)
    ]
    return [each for each in needs if _name(each) not in seen]


def _lines() -> Iterator[tuple[list[str], str, str]]:
    """Yield groups, ``name==version`` and marker of each package of requirements.lock."""
    groups: list[str] = []
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if line.startswith("# for "):
            groups = line.split()[2:]
        elif re.match(r"[a-z0-9]", line):
            requirement, _, marker = line.removesuffix(" \\").partition(" ; ")
            yield groups, requirement, marker


def _name(requirement: str) -> str:
    return requirement.partition("==")[0]


def _facts(machine: str, python: str) -> tuple[dict[str, str], ...]:
    """Return what markers are asked of: of the first release of that Python and of any later one.
    Debian 12 has 3.11.2, which needs a package that 3.11.3 does not.
    """
    arch = machine.removeprefix("linux-")
    known = {"platform_machine": arch, "python_version": python}
    return tuple({**known, "python_full_version": f"{python}.{patch}"} for patch in (0, 99))


def _applies(marker: str, facts: tuple[dict[str, str], ...]) -> bool:
    from packaging.markers import Marker

    return not marker or any(Marker(marker).evaluate(each) for each in facts)


def _own_wheel(wheels: Path) -> Path:
    """Return Mirante's wheel, made of a copy: setuptools leaves a folder in what it builds."""
    project = _project()
    rooms = [
        each.rstrip("*") for each in project["tool"]["setuptools"]["packages"]["find"]["include"]
    ]
    with tempfile.TemporaryDirectory() as work:
        for room in rooms:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / room, Path(work) / room, ignore=ignored)
        for name in (
            "pyproject.toml",
            project["project"]["readme"],
            *project["project"]["license-files"],
        ):
            shutil.copyfile(ROOT / name, Path(work) / name)
        _pip("wheel", "--no-deps", "--wheel-dir", str(wheels), work)
    (own,) = wheels.glob("mirante-*.whl")
    return own


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _pip(what: str, *arguments: str) -> None:
    command = [sys.executable, "-m", "pip", what, "-q", "--disable-pip-version-check", *arguments]
    if (status := subprocess.run(command, check=False).returncode) != 0:
        raise RuntimeError(f"pip {what} ended with status {status}")
