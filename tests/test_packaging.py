"""The image, locks and the run script agree with each other, as far as can be seen here."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

from tests.support import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_the_image_is_made_by_run_and_runs_as_nobody_special() -> None:
    steps = re.findall(r"^(FROM|COPY|RUN|USER|ENTRYPOINT|CMD|HEALTHCHECK)\b(.*)", DOCKERFILE, re.M)
    words = [f"{name}{rest}" for name, rest in steps]
    assert words[0] == "FROM debian:12-slim"
    assert words[1] == "COPY . ."
    assert words[2].startswith("RUN ./run setup")
    assert "apt-get install" not in DOCKERFILE
    assert "USER mirante" in words
    assert words.index("USER mirante") < words.index('ENTRYPOINT ["mirante"]')


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


def pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[.*?\])?==(\S+)", path.read_text(), re.M))


def test_locks_pin_everything_with_hashes_and_agree() -> None:
    locks = ("", "-train", "-engines", "-convert", "-dev")
    core, train, engines, convert, dev = (pins(ROOT / f"requirements{of}.lock") for of in locks)
    for narrow, wide in (
        (core, train),
        (core, engines),
        (train, convert),
        (engines, convert),
        (convert, dev),
    ):
        assert {name: wide.get(name) for name in narrow} == narrow
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["pipeline"]
    names = {re.split(r"[\[<>=]", item)[0].lower() for item in wanted}
    assert names <= set(core)
    torch = {re.split(r"[<>=]", item)[0] for item in project["optional-dependencies"]["train"]}
    assert torch - set(train) == {"torch"}, "the one that the run script installs by itself"
    for of in (*locks, "-demo", "-layouts", "-triton"):
        text = (ROOT / f"requirements{of}.lock").read_text()
        entries = re.split(r"^(?=[a-z0-9])", text, flags=re.M)[1:]
        assert entries
        assert all("--hash=sha256:" in entry for entry in entries)
        assert "://" not in text
    heavy = {"torch", "tensorflow-cpu", "openvino", "tensorrt-rtx-cu13", "onnx", "pytest"}
    assert not heavy & set(core)
    assert "torch" not in dev, "the one that the run script installs by itself"
