"""Make requirements.lock: each package that ./run installs, under the groups that need it.

``./run lock`` installs uv and runs this. Versions stay where they can; ``./run lock --upgrade``
renews all of them, ``--upgrade-package NAME`` one.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent
LOCK = ROOT / "requirements.lock"
HEADER = """\
# Made by ./run lock: each package that ./run installs, under the groups that need it. Hashes are of
# its source and of the wheels that Debian or Ubuntu can run, on x86-64 and on ARM. The line below
# them names the machines for which there is a wheel: for Python 3.11, that of Debian 12 and of the
# image, and for 3.12, that of Ubuntu 24.04.
"""
MACHINES = {"aarch64", "x86_64"}
GLIBC = {"3.11": 36, "3.12": 39}  # 2.36 is that of Debian 12, 2.39 that of Ubuntu 24.04

BUILDING = ("dashboard", "build", "openvino", "litert", "remote", "tensorrt-rtx")
# Groups of extras in pyproject.toml.
EXTRAS = {
    "core": ("dashboard",),
    "train": ("dashboard", "train"),
    "engines": BUILDING,
    "tensorrt": ("dashboard", "build", "tensorrt"),
    "convert": (*BUILDING, "train", "convert"),
    "bridges": ("dashboard", "bridges"),
    "fleet": ("dashboard", "fleet"),
    "dev": (*BUILDING, "train", "convert", "dev"),
}
# Dependency groups in pyproject.toml: with what they need, and without.
WHOLE = ("layouts", "charts")
ALONE = ("triton", "demo", "lock")

# PyTorch's CUDA is 2.5 GB. It is locked for groups that always install PyTorch; for the others it
# comes with PyTorch, where that has CUDA at all.
WITH_CUDA = {"train", "convert"}
CUDA = """\
cuda-toolkit
nvidia-cudnn-cu13
nvidia-cusparselt-cu13
nvidia-nccl-cu13
nvidia-nvshmem-cu13
triton
"""


def resolve(*arguments: str | Path) -> None:
    """Run uv's resolver for every Python from 3.11 on."""
    options = ("--quiet", "--universal", "--python-version=3.11", "--no-header", "--no-annotate")
    subprocess.run(["uv", "pip", "compile", *options, *arguments], cwd=ROOT, check=True)


def runs_here(wheel: str) -> bool:
    """Return whether Debian's or Ubuntu's Python can run a wheel, on x86-64 or ARM."""
    python, abi, platform = wheel.removesuffix(".whl").split("-")[-3:]
    if platform != "any" and not re.search(r"manylinux\w*_(x86_64|aarch64)$", platform):
        return False
    if abi == "none":
        return re.search(r"\bpy3|\bcp31[1-9]", python) is not None
    return "abi3" in abi.split(".") or re.fullmatch(r"cp31[1-9]", abi) is not None


def machines(wheel: str, python: str) -> set[str]:
    """Return the machines on which the system of a Python, one of ``GLIBC``, can run a wheel."""
    tags, abi, platform = wheel.removesuffix(".whl").split("-")[-3:]
    minor = int(python.removeprefix("3."))
    older = "|".join(map(str, range(2, minor + 1)))
    runs = {"none": rf"\bpy3|\bcp3{minor}\b", "abi3": rf"\bcp3({older})\b"}
    glibc = [int(each) for each in re.findall(r"manylinux_2_(\d+)", platform)]
    if not runs_here(wheel) or min(glibc, default=0) > GLIBC[python]:
        return set()
    if re.search(runs.get(abi, rf"\bcp3{minor}\b"), tags) is None:
        return set()
    return MACHINES if platform == "any" else {name for name in MACHINES if name in platform}


def noted(wheels: list[str]) -> str:
    """Return, by Python, the machines that one of a package's wheels is for."""
    on = {python: {name for each in wheels for name in machines(each, python)} for python in GLIBC}
    told = [" ".join([python, *sorted(names)]) for python, names in on.items() if names]
    return ", ".join(told) or "none"


def entry(package: dict[str, Any]) -> str:
    """Return a package of a pylock.toml as pip's requirement with hashes; "" for Windows' own."""
    name = f"{package['name']}=={package['version']}"
    wheels = [file for file in package.get("wheels", []) if runs_here(file["url"])]
    sources = [package["sdist"]] if "sdist" in package else []
    hashes = sorted(file["hashes"]["sha256"] for file in wheels + sources)
    if not hashes and "== 'win32'" in package.get("marker", ""):
        return ""
    if not hashes:
        sys.exit(f"lock.py: {name} has no file that Debian or Ubuntu can use")
    marker = f" ; {package['marker']}" if "marker" in package else ""
    note = noted([file["url"] for file in wheels])
    return " \\\n    --hash=sha256:".join([name + marker, *hashes]) + f"\n# {note}\n"


def arguments_of(group: str) -> list[str | Path]:
    """Return what tells uv to resolve a group."""
    if group in EXTRAS:
        return [ROOT / "pyproject.toml", *(f"--extra={extra}" for extra in EXTRAS[group])]
    return [f"--group={group}", *(["--no-deps"] if group in ALONE else [])]


def packages_of(group: str, work: Path) -> list[str]:
    """Return the entries of a group, of the versions in `work`."""
    lock = work / f"pylock.{group}.toml"
    options: list[str | Path] = ["--format=pylock.toml", "--no-emit-package=torch", "-o", lock]
    options += ["-c", work / "versions.txt", "-c", work / "alone.txt"]
    if group not in WITH_CUDA:
        options += ["--excludes", work / "cuda.txt"]
    resolve(*arguments_of(group), *options)
    entries = [entry(package) for package in tomllib.loads(lock.read_text())["packages"]]
    return [each for each in entries if each]


def choose_versions(work: Path, options: list[str]) -> None:
    """Resolve all groups together, so that they agree, and prefer the lock's present versions."""
    (work / "cuda.txt").write_text(CUDA)
    # The version that ./run installs.
    torch = re.findall(r"torch==[\d.]+", (ROOT / "run").read_text())
    (work / "torch.txt").write_text("\n".join(torch))
    locked = re.sub(r"^(#| +--hash).*\n", "", LOCK.read_text(), flags=re.M).replace(" \\\n", "\n")
    for name in ("versions.txt", "alone.txt"):
        (work / name).write_text(locked)
    together = [*arguments_of("dev"), *(f"--group={group}" for group in WHOLE)]
    resolve(*together, "-c", work / "torch.txt", "-o", work / "versions.txt", *options)
    alone = [f"--group={group}" for group in ALONE]
    resolve(*alone, "--no-deps", "-o", work / "alone.txt", *options)


def main(options: list[str]) -> None:
    """Write the lock; `options` go to uv."""
    needed_by: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        choose_versions(Path(folder), options)
        for group in (*EXTRAS, *WHOLE, *ALONE):
            for package in packages_of(group, Path(folder)):
                needed_by.setdefault(package, []).append(group)
    sections: dict[str, list[str]] = {}
    for package, groups in sorted(needed_by.items()):
        sections.setdefault(" ".join(groups), []).append(package)
    parts = [f"\n# for {groups}\n" + "".join(packages) for groups, packages in sections.items()]
    part = LOCK.with_suffix(".part")
    part.write_text(HEADER + "".join(parts))
    part.replace(LOCK)


if __name__ == "__main__":
    main(sys.argv[1:])
