"""Install Mirante from a bundle. Needs Python 3.11 or later, no network, and nobody need be root.

It lies beside the parts of its bundle and is run there: python3 install.py --to FOLDER. Written so
that older Pythons can read it, and say that they are too old.

A bundle that brings Debian's packages brings their Python and C library too: what is installed runs
by these alone, whatever the machine has. Drivers are the machine's.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import platform
import posixpath
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path, PurePosixPath
from typing import Any

SYSTEM = "system.tar.xz"
_FOLDERS = ("wheels", "models")

# How a program of the packages is started; words in capitals are filled in. GStreamer looks at
# plug-ins once and keeps what it saw: KEY tells installations apart, and the driver's device a
# machine before its driver came from after.
_LAUNCHER = """\
#!/bin/sh
# Starts NAME with the loader and libraries of system/. Written by install.py.
here=FOLDER
system=$here/system
case ":$PATH:" in *":$here/bin:"*) ;; *) PATH=$here/bin:$PATH ;; esac
driver=$([ ! -e /dev/nvidiactl ] || echo -nvidia)
export PATH PYTHONNOUSERSITE=1
export GST_PLUGIN_SYSTEM_PATH_1_0="$system/lib/ARCH/gstreamer-1.0"
export GST_PLUGIN_SCANNER_1_0="$here/bin/gst-plugin-scanner"
export GST_REGISTRY_1_0="${XDG_CACHE_HOME:-${HOME:-$here}/.cache}/mirante/gstreamer-KEY$driver.bin"
export GI_TYPELIB_PATH="$system/lib/ARCH/girepository-1.0"
export GIO_MODULE_DIR="$system/lib/ARCH/gio/modules"
MODELS
unset PYTHONHOME
exec "$system/LOADER" --argv0 "$here/bin/NAME" \\
  --library-path "LIBRARIES${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$system/PROGRAM" "$@"
"""
_WORDS = re.compile(r"\b(FOLDER|ARCH|LOADER|LIBRARIES|KEY|MODELS|NAME|PROGRAM)\b")


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
        here = {"machine": f"{platform.system().lower()}-{platform.machine()}"}
        if not about["system"]:
            here["python"] = f"{sys.version_info[0]}.{sys.version_info[1]}"
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
    """Unpack the checked parts: ``wheels`` and, where they travel, ``models`` and ``system``.

    Raises:
        BundleError: they hold something else.
    """
    paths = [folder / name for name in about["parts"]]
    with Parts(paths) as parts, tarfile.open(fileobj=parts, mode="r|") as archive:
        for member in archive:  # the filters of tarfile are younger than Debian 12's Python
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None and member.name == SYSTEM:
                with file, tarfile.open(fileobj=file, mode="r|xz") as system:
                    for each in system:
                        _put(system, each, ("system",), to)
            else:
                _put(archive, member, _FOLDERS, to)


def _put(archive: tarfile.TarFile, member: tarfile.TarInfo, folders: Any, to: Path) -> None:
    place = PurePosixPath(member.name)
    aims = place.parent / member.linkname if member.issym() else place
    for each in (place, aims):
        if posixpath.normpath(each).split("/")[0] not in folders:
            raise BundleError(f"{member.name}: expected what is below {' or '.join(folders)}")
    path = to / place
    path.parent.mkdir(parents=True, exist_ok=True)
    if member.issym():
        path.symlink_to(member.linkname)
    elif member.isdir():
        path.mkdir(exist_ok=True)
    else:
        file = archive.extractfile(member) if member.isfile() else None
        if file is None:
            raise BundleError(f"{member.name}: expected a file, a folder or a link")
        with file, path.open("wb") as out:
            shutil.copyfileobj(file, out)
        path.chmod(member.mode & 0o755)


def install(folder: Path, to: Path) -> Path:
    """Install what a bundle holds.

    Args:
        folder: of the bundle.
        to: of the installation, not there or empty.

    Returns:
        The command ``mirante``.

    Raises:
        BundleError: as of ``check``; or it cannot be installed there.
    """
    about = check(folder)
    to = to.absolute()
    if to.exists() and any(to.iterdir()):
        raise BundleError(f"{to}: expected an empty folder, or none")
    if ":" in str(to) or "\n" in str(to):
        raise BundleError(f"{to}: expected a folder without colons and line ends in its name")
    try:
        unpack(folder, about, to)
        if about["system"]:
            launchers(to, about)
            # Who runs it may not be allowed to write beside it.
            libraries = (to / "system" / "lib").glob("python3*")
            _run(to / "bin" / "python3", "-m", "compileall", "-q", "-j0", *libraries)
        else:
            import venv

            # Debian's GStreamer bindings are packages of the system. A copy of Python would miss
            # its updates, and its library where it has one beside it.
            venv.create(to, system_site_packages=True, symlinks=True, with_pip=False)
        _pip_installs(to, about["wanted"])
    except BaseException:
        shutil.rmtree(to, ignore_errors=True)  # so that it can be tried again
        raise
    return to / "bin" / "mirante"


def launchers(to: Path, about: dict[str, Any]) -> None:
    """Make an environment of the Python in ``system``, and what starts the programs there.

    Args:
        to: the folder that has ``system``.
        about: what bundle.json says.
    """
    system = to / "system"
    (loader,) = system.glob("lib/*/ld-linux-*.so.*")
    models = ': "${MIRANTE_MODEL_MIRROR:=$here/models}"; export MIRANTE_MODEL_MIRROR'
    values: dict[str, str] = {
        "FOLDER": shlex.quote(str(to)),
        "ARCH": loader.parent.name,
        "LOADER": str(loader.relative_to(system)),
        "LIBRARIES": ":".join(f"$system/{each}" for each in about["libraries"]),
        "KEY": hashlib.sha256(f"{to} {about['packages']}".encode()).hexdigest()[:12],
        "MODELS": models if (to / "models").is_dir() else "",
    }
    (to / "bin").mkdir()
    for name, program in about["programs"].items():
        values.update(NAME=name, PROGRAM=program)
        launcher = to / "bin" / name
        launcher.write_text(_WORDS.sub(lambda word: values[word[0]], _LAUNCHER), encoding="utf-8")
        launcher.chmod(0o755)
    (to / "bin" / "python").symlink_to("python3")
    # Debian's GStreamer bindings lie beside the Python that this names.
    text = f"home = {system / 'bin'}\ninclude-system-site-packages = true\n"
    (to / "pyvenv.cfg").write_text(text, encoding="utf-8")


def _pip_installs(to: Path, wanted: str) -> None:
    # Debian's python3 is without ensurepip: pip runs from its own wheel.
    wheels = to / "wheels"
    (pip,) = wheels.glob("pip-*.whl")
    # What the system has besides may want other versions, which it keeps.
    options = ["--no-index", "--ignore-installed", "--no-warn-conflicts", f"--find-links={wheels}"]
    options += ["--no-warn-script-location", "--disable-pip-version-check"]
    _run(to / "bin" / "python3", pip / "pip", "--isolated", "install", "-q", *options, wanted)
    shutil.rmtree(wheels)


def _run(program: Path, *arguments: Any) -> None:
    status = subprocess.run([str(program), *map(str, arguments)], check=False).returncode
    if status:
        what = next(Path(each).name for each in map(str, arguments) if not each.startswith("-"))
        raise BundleError(f"{what} ended with status {status}")


def main() -> None:
    """Run as a program."""
    if sys.version_info < (3, 11):  # noqa: UP036 - it is run by whatever Python is there
        sys.exit("install.py: needs Python 3.11 or later")
    parser = argparse.ArgumentParser(description="Install Mirante from the bundle beside this.")
    parser.add_argument("--to", type=Path, default=Path("mirante"), help="folder (%(default)s)")
    try:
        command = install(Path(__file__).resolve().parent, parser.parse_args().to)
    except (BundleError, OSError, tarfile.TarError) as error:
        sys.exit(f"install.py: {error}")
    sys.stdout.write(f"Mirante is installed: {command} doctor shows what else it needs\n")


if __name__ == "__main__":
    main()
