"""Install Mirante from a bundle. Needs Python 3.11 or later, and no network.

It lies beside the parts of its bundle and is run there: python3 install.py --to FOLDER. Written so
that older Pythons can read it, and say that they are too old.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path
from typing import Any


class BundleError(Exception):
    """The bundle is damaged, or not for this machine; in words."""


class Parts(io.RawIOBase):
    """Files read one after another, as one."""

    def __init__(self, paths: list[Path]) -> None:
        super().__init__()
        self._paths, self._file = iter(paths), io.BytesIO()

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, room: Any) -> int:
        """Fill some of ``room``; 0 at the end of the last file."""
        data = self._file.read(len(room))
        while not data:
            path = next(self._paths, None)
            if path is None:
                return 0
            self._file.close()
            self._file = path.open("rb")  # type: ignore[assignment]
            data = self._file.read(len(room))
        room[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the file that is open."""
        self._file.close()
        super().close()


def check(folder: Path) -> dict[str, Any]:
    """Return what bundle.json says, after all of it was compared with what is here.

    Raises:
        BundleError: a part is missing or damaged, or the bundle is for another machine.
    """
    try:
        about: dict[str, Any] = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
        here = {
            "machine": f"{platform.system().lower()}-{platform.machine()}",
            "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        }
        for fact, value in here.items():
            if about[fact] != value:
                raise BundleError(f"{fact}: the bundle is for {about[fact]}, here is {value}")
        for name, said in about["parts"].items():
            _check(folder / name, said)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"bundle.json: {type(error).__name__}: {error}") from error
    return about


def _check(path: Path, said: dict[str, Any]) -> None:
    if not path.is_file():
        raise BundleError(f"{path.name}: missing; copy it beside this script")
    size = path.stat().st_size
    if size != said["bytes"]:
        raise BundleError(f"{path.name}: expected {said['bytes']} bytes, got {size}")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != said["sha256"]:
        raise BundleError(f"{path.name}: wrong checksum; copy it again")


def unpack(folder: Path, about: dict[str, Any], to: Path) -> None:
    """Unpack the checked parts, which hold files in no folder.

    Raises:
        BundleError: they hold something else.
    """
    to.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in about["parts"]]
    with Parts(paths) as parts, tarfile.open(fileobj=parts, mode="r|") as archive:
        for member in archive:  # the filters of tarfile are younger than Debian 12's Python
            file = archive.extractfile(member) if member.isfile() else None
            if file is None or Path(member.name).name != member.name:
                raise BundleError(f"{member.name}: expected a file in no folder")
            with file, (to / member.name).open("wb") as out:
                shutil.copyfileobj(file, out)


def install(folder: Path, to: Path) -> Path:
    """Make a virtual environment with what a bundle holds.

    Args:
        folder: of the bundle.
        to: of the environment, not there or empty.

    Returns:
        The command ``mirante``.

    Raises:
        BundleError: as of ``check``; or the environment cannot be made there.
    """
    about = check(folder)
    if to.exists() and any(to.iterdir()):
        raise BundleError(f"{to}: expected an empty folder, or none")
    with tempfile.TemporaryDirectory() as work:
        wheels = Path(work)
        unpack(folder, about, wheels)
        try:
            _make(to, wheels, about["wanted"])
        except BaseException:
            shutil.rmtree(to, ignore_errors=True)  # so that it can be tried again
            raise
    return to / "bin" / "mirante"


def _make(to: Path, wheels: Path, wanted: str) -> None:
    # Debian's python3 is without ensurepip: pip runs from its own wheel. Debian's GStreamer
    # bindings are packages of the system. A copy of Python would miss its updates, and its library
    # where it has one beside it.
    venv.create(to, system_site_packages=True, symlinks=True, with_pip=False)
    (pip,) = wheels.glob("pip-*.whl")
    command = [str(to / "bin" / "python"), str(pip / "pip"), "--isolated", "install", "-q"]
    command += ["--no-index", "--ignore-installed", "--no-warn-script-location"]
    # What the system has besides may want other versions, which it keeps.
    command += ["--disable-pip-version-check", "--no-warn-conflicts"]
    command += [f"--find-links={wheels}", wanted]
    status = subprocess.run(command, check=False).returncode
    if status:
        raise BundleError(f"pip ended with status {status}")


def main() -> None:
    """Run as a program."""
    if sys.version_info < (3, 11):  # noqa: UP036 - it is run by whatever Python is there
        sys.exit("install.py: needs Python 3.11 or later")
    parser = argparse.ArgumentParser(description="Install Mirante from the bundle beside this.")
    parser.add_argument("--to", type=Path, default=Path("mirante"), help="folder (%(default)s)")
    try:
        command = install(Path(__file__).resolve().parent, parser.parse_args().to)
    except (BundleError, OSError) as error:
        sys.exit(f"install.py: {error}")
    sys.stdout.write(f"Mirante is installed: {command} doctor shows what else it needs\n")


if __name__ == "__main__":
    main()
