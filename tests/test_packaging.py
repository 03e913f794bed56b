"""The image, locks and the run script agree with each other, as far as can be seen here."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_the_image_is_made_by_run_and_runs_as_nobody_special() -> None:
    steps = re.findall(r"^(FROM|COPY|RUN|USER|ENTRYPOINT|CMD|HEALTHCHECK)\b(.*)", DOCKERFILE, re.M)
    words = [f"{name}{rest}" for name, rest in steps]
    assert "ARG SYSTEM=debian:12-slim\nFROM" in DOCKERFILE
    assert words[0] == "FROM ${SYSTEM} AS base"
    assert words[1] == "COPY . ."
    assert words[2].startswith("RUN ./run setup && ")
    assert 'ENTRYPOINT ["mirante"]' in words
    assert "apt-get install" not in DOCKERFILE
    of_gpus = words.index("FROM base AS tensorrt")
    assert words[of_gpus + 1 :] == [
        "RUN ./run setup tensorrt",
        "USER 10001:10001",
        "FROM tensorrt AS l4t",
        "FROM base AS bridges",
        "RUN ./run setup bridges",
        "USER 10001:10001",
        "FROM base AS fleet",
        "RUN ./run setup fleet && ln -s /app/.venv/bin/ray /usr/local/bin/",
        "USER 10001:10001",
        "FROM base AS cpu",  # the last is what is built by default
        "USER 10001:10001",
    ]


def test_each_target_that_is_baked_is_one_of_the_image() -> None:
    text = (ROOT / "docker-bake.hcl").read_text()
    targets = dict(re.findall(r'^target "(\w+)" \{\n(.*?)^\}', text, re.M | re.S))
    group = re.search(r'^group "default" \{\n  targets = (\[.*?\])', text, re.M)
    assert group is not None
    assert list(targets) == json.loads(group[1]) == ["cpu", "bridges", "fleet", "tensorrt", "l4t"]
    platforms = {}
    for name, body in targets.items():
        keys = dict(re.findall(r"^  (\w+) += (.*)$", body, re.M))
        assert json.loads(keys["target"]) == name
        assert re.search(rf"^FROM (base|tensorrt) AS {name}$", DOCKERFILE, re.M)
        platforms[name] = json.loads(keys["platforms"])
    both = ["linux/amd64", "linux/arm64"]
    assert platforms == {
        "cpu": both,
        "bridges": both,
        "fleet": both,
        "tensorrt": ["linux/amd64"],
        "l4t": ["linux/arm64"],
    }


# Published as source, as they fetch the library.
SOURCES = {"tensorrt-cu13", "tensorrt-cu13-libs"}


@pytest.mark.parametrize(
    ("group", "python", "machines"),
    [
        ("core", "3.11", ["aarch64", "x86_64"]),
        ("tensorrt", "3.11", ["x86_64"]),
        ("tensorrt", "3.12", ["aarch64"]),  # for Jetson it is made from Ubuntu
    ],
)
def test_the_image_gets_wheels_on_each_of_its_machines(
    group: str, python: str, machines: list[str]
) -> None:
    for machine in machines:
        without = WHEELS["without_wheel"](LOCKED, python, machine)[group]
        assert without == (SOURCES if group == "tensorrt" else set()), machine


def test_the_page_of_arm64_agrees_with_the_lock() -> None:
    page = (ROOT / "docs/jetson.md").read_text()
    table = WHEELS["table"](LOCKED)
    assert f"\n\n{table}\n" in page
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.M)) == set(GROUPS)
    less = LOCKED.replace(", 3.12 aarch64 x86_64", ", 3.12 x86_64")
    rows = [row.split(" | ") for row in WHEELS["table"](less).splitlines()]
    assert [row[:2] for row in rows] == [row.split(" | ")[:2] for row in table.splitlines()]
    assert any(row[0] == "| `core`" and "msgspec" in row[2] for row in rows)


@pytest.mark.parametrize(
    ("wheel", "debian", "ubuntu"),
    [
        ("six-1-py2.py3-none-any.whl", {"aarch64", "x86_64"}, {"aarch64", "x86_64"}),
        ("hiredis-3-cp311-cp311-manylinux2014_aarch64.whl", {"aarch64"}, set()),
        ("psutil-7-cp36-abi3-manylinux2014_x86_64.whl", {"x86_64"}, {"x86_64"}),
        ("psutil-7-cp312-abi3-manylinux2014_x86_64.whl", set(), {"x86_64"}),
        ("psutil-7-cp313-abi3-manylinux2014_x86_64.whl", set(), set()),
        ("numpy-2-cp312-cp312-manylinux_2_28_x86_64.whl", set(), {"x86_64"}),
        ("trt-11-cp311-none-manylinux_2_35_aarch64.whl", {"aarch64"}, set()),
        ("trt-11-py3-none-manylinux_2_39_aarch64.whl", set(), {"aarch64"}),
        ("trt-11-py3-none-manylinux_2_28_x86_64.manylinux_2_40_x86_64.whl",) + ({"x86_64"},) * 2,
        ("numpy-2-cp311-cp311-musllinux_1_2_aarch64.whl", set(), set()),
    ],
)
def test_machines_are_those_on_which_a_system_can_run_a_wheel(
    wheel: str, debian: set[str], ubuntu: set[str]
) -> None:
    address = f"https://example.org/{wheel}"
    assert LOCK["machines"](address, "3.11") == debian
    assert LOCK["machines"](address, "3.12") == ubuntu


@pytest.mark.parametrize(
    ("wheels", "note"),
    [
        (["a-1-py3-none-any.whl"], "3.11 aarch64 x86_64, 3.12 aarch64 x86_64"),
        (
            ["a-cp311-cp311-manylinux2014_x86_64.whl", "a-cp312-abi3-manylinux2014_aarch64.whl"],
            "3.11 x86_64, 3.12 aarch64",
        ),
        (["a-1-cp312-cp312-manylinux2014_x86_64.whl"], "3.12 x86_64"),
        ([], "none"),
    ],
)
def test_the_lock_notes_the_machines_of_each_python(wheels: list[str], note: str) -> None:
    assert LOCK["noted"](wheels) == note


def test_run_is_sound_shell_and_says_what_each_package_is_for() -> None:
    script = ROOT / "run"
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    packages = re.search(r"^packages=\((.*?)^\)", script.read_text(), re.M | re.S)
    assert packages is not None
    lines = packages.group(1).strip("\n").splitlines()
    assert len(lines) > 5
    assert all(re.match(r"^  [a-z0-9.+-]+ +# \w", line) for line in lines), lines


def test_ci_calls_the_readmes_test_command_and_nothing_else() -> None:
    lines = (ROOT / ".ci/run").read_text().splitlines()
    commands = [line for line in lines if line and not line.startswith(("#", "set ", "cd "))]
    assert commands == ["exec ./run test"]
    assert "./run test" in (ROOT / "README.md").read_text()


def test_what_lies_beside_the_code_is_packaged() -> None:
    """Manifests, models, their cards and schemas: each by a pattern of pyproject.toml."""
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    rooms = [pattern.removesuffix("*") for pattern in setuptools["packages"]["find"]["include"]]
    data = [
        path.relative_to(ROOT)
        for room in rooms
        for path in (ROOT / room).rglob("*")
        if path.suffix in {".yaml", ".onnx", ".json", ".md", ".typed"}
    ]
    assert {"zoo", "schemas"} <= {path.parent.name for path in data}
    for path in data:
        assert (ROOT / path.parent / "__init__.py").is_file(), path
        package = ".".join(path.parent.parts)
        patterns = setuptools["package-data"]["*"] + setuptools["package-data"].get(package, [])
        assert any(path.match(pattern) for pattern in patterns), path


RUN = (ROOT / "run").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = runpy.run_path(str(ROOT / "lock.py"))
LOCKED = (ROOT / "requirements.lock").read_text()
WHEELS = runpy.run_path(str(ROOT / "docs/arm64_wheels.py"))
GROUPS = [*LOCK["EXTRAS"], *LOCK["WHOLE"], *LOCK["ALONE"]]


def locked(group: str) -> list[str]:
    """Return the entries that the run script takes out of the lock for a group."""
    functions = RUN[RUN.index("say()") : RUN.index("install_packages()")]
    functions += RUN[RUN.index("locked()") : RUN.index("pip()")]
    script = f"set -euo pipefail\n{functions}\nlocked {group}"
    command = ["bash", "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LookupError(done.stderr)
    return re.split(r"^(?=[a-z0-9])", done.stdout, flags=re.M)[1:]


def pins(group: str) -> dict[str, set[str]]:
    """Return the versions of each package of a group; markers tell several apart."""
    found: dict[str, set[str]] = {}
    for entry in locked(group):
        name, version = entry.split()[0].split("==")
        found.setdefault(name, set()).add(version)
    return found


def wanted(group: str) -> list[Requirement]:
    """Return what pyproject.toml asks for by itself for a group."""
    if group not in LOCK["EXTRAS"]:
        return [Requirement(item) for item in PROJECT["dependency-groups"][group]]
    extras = PROJECT["project"]["optional-dependencies"]
    items = PROJECT["project"]["dependencies"] + extras["pipeline"]
    items += [item for extra in LOCK["EXTRAS"][group] for item in extras[extra]]
    found = [Requirement(item) for item in items]
    # PyTorch is installed by the run script itself, where there is none.
    return [each for each in found if each.name not in {"mirante", "torch"}]


@pytest.mark.parametrize("group", GROUPS)
def test_the_lock_has_all_that_a_group_asks_for_with_hashes(group: str) -> None:
    entries = locked(group)
    assert all(re.search(r" \\\n    --hash=sha256:[0-9a-f]{64}\n", entry) for entry in entries)
    names = [entry.split(" \\\n")[0] for entry in entries]
    assert len(names) == len({re.sub(r"==\S+", "", name) for name in names}), "a package twice"
    pinned = pins(group)
    for requirement in wanted(group):
        versions = pinned[canonicalize_name(requirement.name)]
        assert all(requirement.specifier.contains(version) for version in versions), requirement
    assert "torch" not in pinned


def test_groups_of_the_lock_agree_and_only_those_that_need_it_are_heavy() -> None:
    assert "://" not in LOCKED
    dev = pins("dev") | pins("convert")
    for group in ("core", "train", "engines", "layouts"):
        for name, versions in pins(group).items():
            assert versions == dev.get(name, versions), (group, name)
    heavy = {"tensorflow-cpu", "openvino", "tensorrt-rtx-cu13", "onnx", "pytest"}
    assert not heavy & set(pins("core"))
    assert "nvidia-cudnn-cu13" not in pins("dev"), "CUDA comes with a PyTorch that has it"


def test_hashes_are_there_for_each_python_and_machine() -> None:
    """Two Pythons, Debian's and Ubuntu's, on two machines; these have a wheel for each."""
    hashes = {entry.split("==")[0]: entry.count("--hash") for entry in locked("core")}
    assert min(hashes[name] for name in ("cffi", "msgspec", "uvloop", "pydantic-core")) >= 4


def test_run_installs_groups_that_are_locked_and_stops_at_others() -> None:
    named = set(re.findall(r"\b(?:install_python|install_group|locked) ([a-z]+)", RUN))
    assert named == set(GROUPS)
    with pytest.raises(LookupError, match="nothing for cor"):
        locked("cor")


@pytest.mark.parametrize(
    ("wheel", "runs"),
    [
        ("numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl", True),
        ("numpy-2.4.6-cp312-cp312-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl", True),
        ("onnx-1.22.0-cp39-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", True),
        ("six-1.17.0-py2.py3-none-any.whl", True),
        ("ruff-0.12.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", True),
        ("numpy-2.4.6-cp310-cp310-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl", False),
        ("numpy-2.4.6-cp314-cp314t-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl", False),
        ("numpy-2.4.6-cp311-cp311-musllinux_1_2_x86_64.whl", False),
        ("numpy-2.4.6-cp311-cp311-win_amd64.whl", False),
        ("ruff-0.12.0-py3-none-macosx_11_0_arm64.whl", False),
        ("ruff-0.12.0-py3-none-manylinux_2_17_i686.manylinux2014_i686.whl", False),
        ("old-1.0-py2-none-any.whl", False),
    ],
)
def test_hashes_are_those_of_wheels_that_debian_or_ubuntu_can_run(wheel: str, runs: bool) -> None:
    assert LOCK["runs_here"](f"https://example.org/{wheel}") is runs
