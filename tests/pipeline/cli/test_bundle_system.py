"""Debian's packages in a bundle: unpacked, checked, and started with their own loader."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.cli.bundling import debian, install
from pipeline.cli.bundling.debian import RELEASES, unmet
from pipeline.cli.bundling.elf import needed
from tests.support import ROOT

PYTHON = Path("/usr/bin/python3").resolve()
LIBC = "libc.so.6"
(ARCH,) = {path.parent.name for path in Path("/usr/lib").glob(f"*-linux-gnu/{LIBC}")}


def deb(folder: Path, name: str, files: dict[str, str]) -> Path:
    """Return a package of files; ``-> PATH`` is a link to it, ``=> PATH`` the same file again."""
    root = folder / name
    (root / "DEBIAN").mkdir(parents=True)
    control = (
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: x\n"
    )
    (root / "DEBIAN" / "control").write_text(control)
    for place, text in files.items():
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            path.symlink_to(text[3:])
        elif text.startswith("=> "):
            path.hardlink_to(root / text[3:])
        else:
            path.write_text(text)
    package = folder / f"{name}.deb"
    command = ["dpkg-deb", "--root-owner-group", "-Znone", "-b", str(root), str(package)]
    subprocess.run(command, check=True, capture_output=True)
    return package


def test_of_a_package_what_is_used_is_unpacked(tmp_path: Path) -> None:
    package = deb(
        tmp_path,
        "some",
        {
            f"lib/{ARCH}/libone.so.1.2": "one",
            f"usr/lib/{ARCH}/libone.so.1": "-> libone.so.1.2",
            f"usr/lib/{ARCH}/libtwo.so": f"=> lib/{ARCH}/libone.so.1.2",
            f"usr/lib/{ARCH}/libelsewhere.so": "-> /etc/alternatives/libelsewhere.so",
            f"usr/lib/{ARCH}/libone.a": "archive",
            "usr/bin/redis-server": "-> redis-check-rdb",
            "usr/bin/redis-check-rdb": "server",
            "usr/bin/other": "other",
            "usr/share/doc/some/copyright": "BSD",
            "usr/share/doc/some/README": "read me",
            "etc/some.conf": "x",
        },
    )
    tree = tmp_path / "tree"
    debian.unpack(package, tree)
    found = {str(path.relative_to(tree)) for path in tree.rglob("*") if not path.is_dir()}
    assert found == {
        f"lib/{ARCH}/libone.so.1",
        f"lib/{ARCH}/libone.so.1.2",
        f"lib/{ARCH}/libtwo.so",
        "bin/redis-check-rdb",
        "bin/redis-server",
        "share/doc/some/copyright",
    }
    assert (tree / "lib" / ARCH / "libone.so.1").read_text() == "one"
    assert (tree / "bin/redis-server").read_text() == "server"


def test_a_damaged_package_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.deb").write_bytes(b"no package")
    with pytest.raises(RuntimeError, match=r"a\.deb: "):
        debian.unpack(tmp_path / "a.deb", tmp_path / "tree")


def test_what_travels_is_what_run_installs() -> None:
    block = re.search(r"^packages=\((.*?)^\)", (ROOT / "run").read_text(), re.M | re.S)
    assert block is not None
    installed = set(re.findall(r"^  (\S+)", block[1], re.M))
    for release in RELEASES.values():
        travels = set(debian.wanted(release))
        assert installed - travels == {"python3-venv"}
        assert travels - installed == {f"python{release.python}", "util-linux"}


def test_libraries_that_no_package_has_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "lib" / ARCH
    folder.mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    shutil.copy("/usr/bin/env", tmp_path / "bin" / "env")
    (tmp_path / "bin" / "script").write_text("#!/bin/sh\n")
    assert unmet(tmp_path) == {LIBC: "bin/env"}
    (folder / LIBC).write_bytes(b"")
    assert unmet(tmp_path) == {}
    assert debian.library_folders(tmp_path) == [f"lib/{ARCH}"]
    with pytest.raises(RuntimeError, match="python3: expected in one of the packages, at bin/"):
        debian.programs(tmp_path)


def test_the_loader_of_python_plug_ins_looks_for_the_library_that_travels(tmp_path: Path) -> None:
    folder = tmp_path / "lib" / ARCH / "gstreamer-1.0"
    folder.mkdir(parents=True)
    (folder.parent / "libpython3.11.so.1").touch()
    place = b"/usr/lib/python3.11/config-3.11-x86_64-linux-gnu/libpython3.11.so"
    loader = folder / "libgstpython.so"
    loader.write_bytes(b"before\0" + place + b"\0after\0")
    debian.free_python(tmp_path)
    filled = b"libpython3.11.so.1".ljust(len(place), b"\0")
    assert loader.read_bytes() == b"before\0" + filled + b"\0after\0"
    with pytest.raises(RuntimeError, match="expected one place of libpython, got 0"):
        debian.free_python(tmp_path)


def test_a_file_that_is_cut_short_is_an_error_and_any_other_asks_for_nothing(
    tmp_path: Path,
) -> None:
    assert LIBC in needed(Path("/usr/bin/env"))
    assert needed(Path(__file__)) == ()
    (tmp_path / "short").write_bytes(Path("/usr/bin/env").read_bytes()[:50])
    with pytest.raises(ValueError, match="short: an ELF file that is cut short"):
        needed(tmp_path / "short")


def test_apt_that_is_not_here_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"need apt-get and .*; --system none goes"):
        debian.fetch("linux-x86_64", RELEASES["debian-12"], "http://127.0.0.1:1", tmp_path / "work")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """This machine's own Python, as if a bundle had brought it, in a folder with a hard name."""
    to = tmp_path / "it's here"
    system = to / "system"
    (system / "bin").mkdir(parents=True)
    (system / "lib").mkdir()
    (system / "bin" / PYTHON.name).symlink_to(PYTHON)
    for name in (ARCH, PYTHON.name, "python3"):
        (system / "lib" / name).symlink_to(f"/usr/lib/{name}")
    (to / "models").mkdir()
    about = {
        "libraries": [f"lib/{ARCH}"],
        "packages": {},
        "programs": {"python3": f"bin/{PYTHON.name}"},
    }
    install.launchers(to, about)
    return to


_ASKED = """
import json, os, site, subprocess, sys
again = [sys.executable, "-c", "import sys; print(sys.executable)"]
json.dump({
    "prefixes": [sys.prefix, sys.base_prefix], "program": sys.executable, "arguments": sys.argv[1:],
    "child": subprocess.run(again, capture_output=True, text=True, check=True).stdout.strip(),
    "loader": os.readlink("/proc/self/exe"), "path": sys.path,
    "user": site.ENABLE_USER_SITE,
    "environment": dict(os.environ),
}, sys.stdout)
"""


def test_python_starts_with_the_loader_that_travelled(installed: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "PYTHONHOME": "/nowhere", "HOME": str(installed)}
    command = [str(installed / "bin" / "python3"), "-c", _ASKED, "a b", "$c'"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    python = str(installed / "bin" / "python3")
    assert said["prefixes"] == [str(installed), str(installed / "system")]
    assert (said["program"], said["child"], said["arguments"]) == (python, python, ["a b", "$c'"])
    assert Path(said["loader"]).name.startswith("ld-linux-")
    assert str(installed / "system/lib/python3/dist-packages") in said["path"]
    assert not said["user"]
    about = said["environment"]
    assert about["PATH"] == f"{installed}/bin:/usr/bin:/bin"
    assert about["MIRANTE_MODEL_MIRROR"] == f"{installed}/models"
    assert about["GST_PLUGIN_SYSTEM_PATH_1_0"] == f"{installed}/system/lib/{ARCH}/gstreamer-1.0"
    assert about["GST_REGISTRY_1_0"].startswith(f"{installed}/.cache/mirante/gstreamer-")
    assert not {"LD_LIBRARY_PATH", "PYTHONHOME"} & about.keys()


def test_what_the_user_sets_stays(installed: Path) -> None:
    command = [str(installed / "bin" / "python"), "-c", "import os; print(*os.environ.values())"]
    given = os.environ | {"MIRANTE_MODEL_MIRROR": "/my/models", "XDG_CACHE_HOME": "/my/cache"}
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=True)
    assert {"/my/models"} <= {*done.stdout.split()}
    assert "/my/cache/mirante/gstreamer-" in done.stdout


@pytest.mark.parametrize(
    ("said", "mirror"),
    [
        (
            "https://192.0.2.1/a/debian-security/\nhttps://192.0.2.1/a/debian/",
            "https://192.0.2.1/a",
        ),
        ("http://192.0.2.2/ubuntu/", None),
        ("", None),
    ],
)
def test_packages_come_from_where_this_system_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, mirror: str | None
) -> None:
    apt = tmp_path / "apt-get"
    apt.write_text(f"#!/bin/sh\nprintf '%s' '{said}'\n")
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    if mirror is not None:
        assert debian.own_mirror() == mirror
    else:
        with pytest.raises(RuntimeError, match=r"^--mirror: expected the URL above debian"):
            debian.own_mirror()
