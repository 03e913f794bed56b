"""Debian's own packages, unpacked: GStreamer, Python and Redis for machines that have none.

apt works on lists and a state of its own: nothing of this system is touched, by nobody special.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from pipeline.cli.bundling.elf import needed

ROOT = Path(__file__).parents[3]
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
ARCHITECTURES = {"linux-x86_64": "amd64", "linux-aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Release:
    """A release of Debian whose packages travel.

    Attributes:
        codename: what its mirrors call it.
        python: of which its bindings of GStreamer are.
        glibc: the minor number of its C library, 36 for 2.36; wheels may need that one.
    """

    codename: str
    python: str
    glibc: int


RELEASES = {"debian-12": Release("bookworm", "3.11", 36)}
# Programs that start with the packages' own loader; what Mirante starts, and what looks into it.
PROGRAMS = {
    "python3": "bin/python3*.*",
    "redis-server": "bin/redis-server",
    "redis-cli": "bin/redis-cli",
    "setpriv": "bin/setpriv",
    "gst-inspect-1.0": "bin/gst-inspect-1.0",
    "gst-launch-1.0": "bin/gst-launch-1.0",
    "gst-plugin-scanner": "lib/*/gstreamer1.0/gstreamer-1.0/gst-plugin-scanner",
}
# Brought in by others, and loaded by nothing here: Perl, code generators of graphics drivers, what
# runs a system.
_UNUSED = re.compile(
    r"(libllvm|libz3-|libgl1-mesa-dri|perl|libperl|systemd|dpkg|usrmerge|tar$|passwd$|debconf$)"
)
_KEPT = (
    "lib/*-linux-gnu/*",
    "lib/python3*/*",
    "share/doc/*/copyright",
    *(pattern for pattern in PROGRAMS.values() if pattern.startswith("bin/")),
    "bin/redis-check-rdb",  # redis-server is a link to it
)
_LEFT = (
    *("*.a", "*.pc", "*/perl*/*", "*/caca/*", "*/gconv/*", "*/systemd/*", "*/security/*"),
    "*/gio/modules/libgio*proxy.so",  # they end a process that finds no settings of a desktop
)


def own_mirror() -> str:
    """Return the mirror from which this system has its own packages.

    Raises:
        RuntimeError: its apt has none of Debian.
    """
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    for address in subprocess.run(
        asked, stdout=subprocess.PIPE, text=True, check=False
    ).stdout.split():
        if address.endswith("/debian/"):
            return address.removesuffix("/debian/")
    raise RuntimeError(
        "--mirror: expected the URL above debian and debian-security, as this system's apt has no "
        "packages of Debian"
    )


def wanted(release: Release) -> list[str]:
    """Return the packages that ``./run`` installs, Python itself, and what ends a child."""
    script = (ROOT / "run").read_text(encoding="utf-8")
    block = re.search(r"^packages=\((.*?)^\)", script, re.M | re.S)
    assert block is not None
    named = re.findall(r"^  (\S+)", block[1], re.M)
    return [
        *(each for each in named if each != "python3-venv"),
        f"python{release.python}",
        "util-linux",
    ]


def put(
    tree: Path, machine: str, release: Release, mirror: str | None, work: Path
) -> dict[str, str]:
    """Unpack what Mirante needs of a release into a folder.

    Args:
        tree: gets ``bin``, ``lib`` and ``share``; not there yet.
        machine: one of ``ARCHITECTURES``.
        release: whose packages are taken.
        mirror: URL above ``debian`` and ``debian-security``; None for this system's own.
        work: an empty folder for what is downloaded.

    Returns:
        The versions by name of the packages.

    Raises:
        RuntimeError: apt is not here or fails (its own words are on stderr), no mirror is known, or
            a library that a file asks for is in none of the packages.
    """
    versions = fetch(machine, release, mirror, work)
    for package in sorted(work.glob("*.deb")):
        unpack(package, tree)
    free_python(tree)
    if lacking := unmet(tree):
        library, asks = min(lacking.items())
        raise RuntimeError(
            f"{release.codename}: {len(lacking)} libraries are in none of the packages; "
            f"{library}, of {asks}, is the first"
        )
    return versions


def fetch(machine: str, release: Release, mirror: str | None, work: Path) -> dict[str, str]:
    """Download the packages, checked by the keys of Debian, and return their versions by name.

    Raises:
        RuntimeError: apt is not here or fails, or no mirror is known.
    """
    if shutil.which("apt-get") is None or not KEYRING.is_file():
        raise RuntimeError(
            f"Debian's packages need apt-get and {KEYRING} (apt: debian-archive-keyring); "
            "--system none goes without them"
        )
    settings = _configured(machine, release, mirror or own_mirror(), work)
    environment = os.environ | {"APT_CONFIG": str(settings)}
    _apt(environment, work, "update", "-q", "-o", "APT::Update::Error-Mode=any")
    said = _apt(environment, work, "install", "-s", *wanted(release))
    found = dict(re.findall(r"^Inst (\S+) .*?\((\S+) ", said, re.M))
    versions = {name: version for name, version in found.items() if not _UNUSED.match(name)}
    _apt(environment, work, "download", "-q", *versions)
    return versions


def _configured(machine: str, release: Release, mirror: str, work: Path) -> Path:
    """Write apt's settings and return their file."""
    own = work / "apt"
    for folder in ("lists/partial", "archives/partial"):
        (own / folder).mkdir(parents=True)
    (own / "status").touch()
    (own / "none").mkdir()
    places = (("debian", ""), ("debian", "-updates"), ("debian-security", "-security"))
    lines = [
        f"deb [signed-by={KEYRING}] {mirror}/{place} {release.codename}{suite} main\n"
        for place, suite in places
    ]
    (own / "sources.list").write_text("".join(lines))
    architecture = ARCHITECTURES[machine]
    text = f"""\
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Dir::Cache "{own}";
Dir::Etc::preferences "{own}/none/none";
Dir::Etc::preferencesparts "{own}/none";
Dir::Etc::sourcelist "{own}/sources.list";
Dir::Etc::sourceparts "{own}/none";
Dir::State "{own}";
Dir::State::status "{own}/status";
"""
    (own / "apt.conf").write_text(text)
    return own / "apt.conf"


def _apt(environment: dict[str, str], work: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["apt-get", *arguments],
        env=environment,
        cwd=work,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"apt-get {arguments[0]} ended with status {done.returncode}")
    return done.stdout


def unpack(package: Path, tree: Path) -> None:
    """Unpack the files of a package that are used, ``/usr`` and ``/`` as one.

    Raises:
        RuntimeError: dpkg-deb fails.
    """
    command = ["dpkg-deb", "--fsys-tarfile", str(package)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                for member in archive:
                    _put(archive, member, tree)
        except tarfile.TarError as error:
            raise RuntimeError(f"{package.name}: {error}") from error
    if process.returncode:
        raise RuntimeError(f"{package.name}: dpkg-deb ended with status {process.returncode}")


def free_python(tree: Path) -> None:
    """Have GStreamer's loader of plug-ins in Python find the library that travels.

    It asks for one place in ``/usr``; in that text's room the name is written, which is looked for
    where all libraries are.

    Raises:
        RuntimeError: the loader is another than is known.
    """
    (loader,) = tree.glob("lib/*/gstreamer-1.0/libgstpython.so")
    (library,) = tree.glob("lib/*-linux-gnu/libpython3.*.so.1")
    data = loader.read_bytes()
    places = re.findall(rb"/usr/lib/python3[^\0]*/libpython3[^\0]*\.so\0", data)
    if len(places) != 1:
        raise RuntimeError(f"{loader.name}: expected one place of libpython, got {len(places)}")
    name = library.name.encode() + b"\0"
    loader.write_bytes(data.replace(places[0], name.ljust(len(places[0]), b"\0")))


def _put(archive: tarfile.TarFile, member: tarfile.TarInfo, tree: Path) -> None:
    name = PurePosixPath(member.name.removeprefix("./").removeprefix("usr/"))
    if ".." in name.parts or not _is_kept(name):
        return
    path = tree / name
    if member.issym() and not member.linkname.startswith("/"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(member.linkname)
    elif member.islnk():
        first = tree / member.linkname.removeprefix("./").removeprefix("usr/")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(first, path)
    elif (file := archive.extractfile(member) if member.isfile() else None) is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with file, path.open("wb") as out:
            shutil.copyfileobj(file, out)
        path.chmod(0o755 if member.mode & 0o100 else 0o644)


def _is_kept(name: PurePosixPath) -> bool:
    text = str(name)
    is_wanted = any(fnmatch(text, each) for each in _KEPT)
    return is_wanted and not any(fnmatch(text, each) for each in _LEFT)


def programs(tree: Path) -> dict[str, str]:
    """Return where ``PROGRAMS`` are, below ``tree``.

    Raises:
        RuntimeError: one is in none of the packages.
    """
    found = {name: [*tree.glob(pattern)] for name, pattern in PROGRAMS.items()}
    if absent := [name for name, paths in found.items() if len(paths) != 1]:
        raise RuntimeError(
            f"{absent[0]}: expected in one of the packages, at {PROGRAMS[absent[0]]}"
        )
    return {name: str(path.relative_to(tree)) for name, (path,) in found.items()}


def library_folders(tree: Path) -> list[str]:
    """Return the folders, below ``tree``, of the libraries that files there ask for.

    The first is that of nearly all; others hold variants between which a system chooses (blas), or
    what one library has for itself (pulseaudio).
    """
    asked = {library for _, library in _asks(tree)}
    found = {
        path.parent.relative_to(tree)
        for path in (tree / "lib").rglob("*.so*")
        if path.name in asked
    }
    return [str(each) for each in sorted(found, key=lambda folder: (len(folder.parts), folder))]


def unmet(tree: Path) -> dict[str, str]:
    """Return the libraries that none of the packages has, each with a file that asks for it."""
    here = {path.name for path in (tree / "lib").rglob("*.so*")}
    return {
        library: str(path.relative_to(tree)) for path, library in _asks(tree) if library not in here
    }


def _asks(tree: Path) -> Iterator[tuple[Path, str]]:
    for path in _files(tree):
        for library in needed(path):
            yield path, library


def _files(tree: Path) -> Iterable[Path]:
    return (path for path in sorted(tree.rglob("*")) if path.is_file() and not path.is_symlink())
