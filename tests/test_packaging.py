"""Container files, locks and the run script agree with each other, as far as can be seen here."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def mirante(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = ROOT / ".venv/bin/mirante"
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def test_compose_has_redis_and_the_pipeline_each_with_a_healthcheck() -> None:
    assert set(COMPOSE["services"]) == {"redis", "pipeline"}
    for service in COMPOSE["services"].values():
        assert service["healthcheck"]["test"][0] == "CMD"
        assert service["restart"] == "unless-stopped"
    assert COMPOSE["services"]["pipeline"]["depends_on"] == {
        "redis": {"condition": "service_healthy"}
    }


@pytest.mark.parametrize("name", ["redis", "pipeline"])
def test_ports_are_open_to_this_machine_alone(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in COMPOSE["services"][name]["ports"])


def test_redis_starts_with_the_arguments_of_compose(tmp_path: Path) -> None:
    command = COMPOSE["services"]["redis"]["command"]
    socket = tmp_path / "redis.sock"
    server = subprocess.Popen(
        [*command, "--port", "0", "--unixsocket", str(socket), "--dir", str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        assert any("ready to accept connections" in line.lower() for line in server.stdout)
        ping = COMPOSE["services"]["redis"]["healthcheck"]["test"][1:]
        assert shutil.which(ping[0])
        answer = subprocess.run(
            [ping[0], "-s", str(socket), *ping[1:]], capture_output=True, check=False
        )
        assert answer.stdout.strip() == b"PONG"
    finally:
        server.kill()
        server.wait()
        assert server.stdout is not None
        server.stdout.close()


def test_the_pipelines_command_is_one_of_mirante() -> None:
    command = COMPOSE["services"]["pipeline"]["command"]
    assert command == ["up", "/etc/mirante/config.yaml"]
    assert mirante(command[0], "--help").returncode == 0
    mounted = COMPOSE["services"]["pipeline"]["volumes"][0].split(":")
    assert mounted[1:] == [command[1], "ro"]
    assert mirante("check", str(ROOT / mounted[0])).returncode == 0


def test_environment_of_the_pipeline_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.config.settings import Settings

    for key, value in COMPOSE["services"]["pipeline"]["environment"].items():
        monkeypatch.setenv(key, value)
    settings = Settings()
    assert settings.redis.address() == "redis://redis:6379"
    assert settings.metrics.host == "0.0.0.0"


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
