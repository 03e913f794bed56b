"""Bundles: written in parts, checked, and installed without a network."""

from __future__ import annotations

import ast
import json
import os
import platform
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.bundling import install
from pipeline.cli.bundling.make import bytes_of, pack
from pipeline.cli.bundling.wheels import (
    CUDAS,
    MACHINES,
    PYTHONS,
    check_extras,
    locked,
    needed,
    overlooked,
    without_wheels,
)
from tests.support.outcome import Run

HERE = {
    "system": None,
    "machine": f"linux-{platform.machine()}",
    "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
}


def wheel(folder: Path, name: str, requires: tuple[str, ...] = (), filling: int = 0) -> None:
    """Write a wheel of one module, and of a command of the same name."""
    about = f"{name}-1.0.dist-info"
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    extras = "Provides-Extra: x\n" if requires else ""
    files = {
        f"{name}.py": f"def main() -> None:\n    print('{name} runs')\n",
        f"{name}_data.bin": os.urandom(filling).hex(),
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{extras}{needs}",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{path},,\n" for path in (*files, f"{about}/RECORD"))
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


def bundled(tmp_path: Path, **facts: str) -> Path:
    """Return a bundle of a mirante that needs another package, with parts of 1 MiB."""
    wheels, to = tmp_path / "tree" / "wheels", tmp_path / "bundle"
    wheels.mkdir(parents=True)
    wheel(wheels, "mirante", ('needed; extra == "x"',), filling=1 << 20)
    wheel(wheels, "needed")
    pack(wheels.parent, to, 1 << 20, {**HERE, "wanted": "mirante[x]", **facts})
    return to


def test_parts_are_no_larger_than_asked_and_hold_all(tmp_path: Path) -> None:
    to = bundled(tmp_path)
    about = json.loads((to / "bundle.json").read_text())
    sizes = [(to / name).stat().st_size for name in about["parts"]]
    assert len(sizes) > 2
    assert sizes[:-1] == [1 << 20] * (len(sizes) - 1)
    install.unpack(to, install.check(to), tmp_path / "out")
    for path in (tmp_path / "tree" / "wheels").iterdir():
        assert (tmp_path / "out" / "wheels" / path.name).read_bytes() == path.read_bytes()


def test_checksums_are_those_that_sha256sum_reads(tmp_path: Path) -> None:
    to = bundled(tmp_path)
    check = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    done = subprocess.run(check, cwd=to, capture_output=True, text=True, check=True)
    named = {line.removesuffix(": OK") for line in done.stdout.splitlines()}
    assert named == {path.name for path in to.iterdir()} - {"SHA256SUMS"}


def test_models_and_a_system_travel_with_their_links(tmp_path: Path) -> None:
    tree, out = tmp_path / "tree", tmp_path / "out"
    for name in ("models/a.onnx", "system/lib/arch/one.so.1.2", "wheels/w.whl"):
        (tree / name).parent.mkdir(parents=True)
        (tree / name).write_text(name)
    (tree / "system/lib/arch/one.so.1.2").chmod(0o755)
    (tree / "system/lib/arch/one.so").symlink_to("one.so.1.2")
    pack(tree, tmp_path / "bundle", 1 << 20, {**HERE, "wanted": "mirante"})
    install.unpack(tmp_path / "bundle", install.check(tmp_path / "bundle"), out)
    assert (out / "models/a.onnx").read_text() == "models/a.onnx"
    assert (out / "system/lib/arch/one.so").readlink() == Path("one.so.1.2")
    assert (out / "system/lib/arch/one.so").read_text() == "system/lib/arch/one.so.1.2"
    assert (out / "system/lib/arch/one.so").stat().st_mode & 0o777 == 0o755
    assert (out / "models/a.onnx").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("name", "link"),
    [("../wheels/x", ""), ("/etc/x", ""), ("other/x", ""), ("wheels/x", "../../etc/passwd")],
)
def test_nothing_is_unpacked_elsewhere(tmp_path: Path, name: str, link: str) -> None:
    member = tarfile.TarInfo(name)
    if link:
        member.type, member.linkname = tarfile.SYMTYPE, link
    with tarfile.open(tmp_path / "a.part", "w") as archive:
        archive.addfile(member)
    with pytest.raises(install.BundleError, match="expected what is below wheels or models"):
        install.unpack(tmp_path, {"parts": ["a.part"]}, tmp_path / "out")
    assert not [path for path in tmp_path.rglob("*") if path.name != "a.part"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda part: part.unlink(), r"mirante-002\.part: missing"),
        (
            lambda part: part.write_bytes(part.read_bytes()[1:]),
            r"expected 1048576 bytes, got 1048575",
        ),
        (
            lambda part: part.write_bytes(part.read_bytes()[1:] + b"x"),
            "wrong checksum; copy it again",
        ),
    ],
)
def test_a_damaged_part_is_found_before_anything_is_unpacked(
    tmp_path: Path, change: Any, said: str
) -> None:
    to = bundled(tmp_path)
    change(to / "mirante-002.part")
    with pytest.raises(install.BundleError, match=said):
        install.install(to, tmp_path / "env")
    assert not (tmp_path / "env").exists()


@pytest.mark.parametrize(("fact", "value"), [("machine", "linux-riscv"), ("python", "3.9")])
def test_another_machine_is_refused(tmp_path: Path, fact: str, value: str) -> None:
    with pytest.raises(install.BundleError, match=f"{fact}: the bundle is for {value}, here is "):
        install.check(bundled(tmp_path, **{fact: value}))


@pytest.mark.slow
def test_it_is_installed_without_a_network(tmp_path: Path) -> None:
    """By the script alone, run as a user does, with pip out of its own wheel."""
    pip = wheel_of_pip()
    to = tmp_path / "bundle"
    wheels = tmp_path / "tree" / "wheels"
    wheels.mkdir(parents=True)
    wheel(wheels, "mirante", ('needed; extra == "x"',))
    (wheels / pip.name).write_bytes(pip.read_bytes())
    pack(wheels.parent, tmp_path / "short", 1 << 20, {**HERE, "wanted": "mirante[x]"})
    wheel(wheels, "needed")
    pack(wheels.parent, to, 1 << 20, {**HERE, "wanted": "mirante[x]"})
    env = tmp_path / "env"
    script = [sys.executable, "-I", str(to / "install.py"), "--to", str(env)]
    nowhere = os.environ | {"http_proxy": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1"}
    nowhere["PIP_TARGET"] = str(tmp_path / "elsewhere")  # the user's own settings
    short = [*script[:2], str(tmp_path / "short" / "install.py"), *script[3:]]
    done = subprocess.run(short, capture_output=True, text=True, env=nowhere, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith("install.py: pip ended with status 1\n")
    assert not env.exists()  # so that it can be tried again
    done = subprocess.run(script, capture_output=True, text=True, env=nowhere, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("mirante", "needed"):
        ran = subprocess.run([env / "bin" / name], capture_output=True, text=True, check=True)
        assert ran.stdout == f"{name} runs\n"
    assert (env / "bin" / "python").is_symlink()
    assert not (env / "wheels").exists()
    again = subprocess.run(script, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "expected an empty folder, or none" in again.stderr


def wheel_of_pip() -> Path:
    """Return the wheel that Python carries for its own environments; skips where it has none."""
    places = [Path(sys.base_prefix) / "lib" / f"python{HERE['python']}" / "ensurepip" / "_bundled"]
    places.append(Path("/usr/share/python-wheels"))
    found = [path for place in places for path in place.glob("pip-*.whl")]
    if not found:
        pytest.skip("no wheel of pip on this machine (apt: python3-venv)")
    return found[0]


def test_sizes_are_read() -> None:
    assert (bytes_of("60M"), bytes_of("1G"), bytes_of("2097152")) == (60 << 20, 1 << 30, 2 << 20)
    for text in ("60 M", "0", "100K", "-1M", ""):
        with pytest.raises(ValueError, match=r"--split: expected a size of 1M or more"):
            bytes_of(text)


def test_what_has_no_wheel_is_known_and_what_fetches_more_is_refused() -> None:
    assert "tensorrt-rtx-cu13" in without_wheels()
    assert "numpy" not in without_wheels()
    assert needed(("mqtt",)) >= {"paho-mqtt", "onnxruntime"}
    check_extras(("dashboard", "tensorrt-rtx"))
    with pytest.raises(ValueError, match="tensorrt-cu13 fetches NVIDIA's library while it is"):
        check_extras(("tensorrt",))


def test_the_version_of_cuda_is_that_of_the_lock() -> None:
    majors = {
        line.partition("==")[2].partition(".")[0]
        for line in locked(MACHINES[0], "3.11")
        if line.startswith(("cuda-bindings==", "nvidia-cuda-nvrtc=="))
    }
    assert majors == {*CUDAS}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("python", PYTHONS)
def test_versions_are_those_of_the_lock_for_that_python(machine: str, python: str) -> None:
    lines = locked(machine, python)
    names = [line.partition("==")[0] for line in lines]
    assert len({*lines}) == len({*names})  # pip is told one version of each
    assert {"numpy", "opencv-python-headless"} < {*names}
    assert not any(mark in line for line in lines for mark in ("\\", "--hash", ";"))


def test_the_python_that_runs_pip_does_not_matter() -> None:
    numpy = [
        next(line for line in locked(MACHINES[0], python) if line.startswith("numpy=="))
        for python in ("3.11", "3.12")
    ]
    assert numpy[0] != numpy[1]  # 2.5 needs Python 3.12
    newer = ({"python_version": "3.12", "python_full_version": "3.12.3"},)
    (missed,) = overlooked(MACHINES[0], "3.11", newer)
    assert missed.startswith("async-timeout==")  # Debian 12's 3.11.2 needs it, of redis
    assert overlooked(MACHINES[0], "3.12", newer) == []


def test_an_old_python_can_read_the_installer_and_say_that_it_is_too_old() -> None:
    ast.parse(Path(install.__file__).read_text(encoding="utf-8"), feature_version=(3, 7))


def test_a_folder_that_is_in_use_is_refused_before_anything_is_fetched(
    mirante: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.cli.bundling.wheels.download", lambda *_: pytest.fail("fetched"))
    (tmp_path / "mine").touch()
    done = mirante("bundle", "--to", str(tmp_path))
    assert done.status == 2
    assert f"--to: expected an empty folder, or none, got {tmp_path}" in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--target", "windows"), f'--target: expected {" or ".join(MACHINES)}, got "windows"'),
        (
            ("--system", "none", "--python", "3.9"),
            '--python: expected 3.11 or 3.12 or 3.13, got "3.9"',
        ),
        (("--extras", "tensort"), '--extras: no extra "tensort"; did you mean'),
        (("--system", "arch"), '--system: expected debian-12 or none, got "arch"'),
        (("--python", "3.12"), "--python: expected with --system none, as debian-12 brings Python"),
        (("--cuda", "12"), '--cuda: expected 13, got "12"'),
        (("--models", "yolox"), "yolox"),
        (("--split", "1"), '--split: expected a size of 1M or more, such as 60M, got "1"'),
    ],
)
def test_what_cannot_be_is_refused(mirante: Run, options: tuple[str, ...], said: str) -> None:
    done = mirante("bundle", *options)
    assert done.status == 2
    assert said in done.err
