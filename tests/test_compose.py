"""docker-compose.yml agrees with what it starts, as far as can be seen without containers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from dashboard.access import Access
from pipeline.cli.app import make_app
from pipeline.config.settings import Settings
from tests.support import ROOT

pytestmark = pytest.mark.slow

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("pipeline", "dashboard")
KEYS = {
    "build", "image", "user", "command", "restart", "profiles", "depends_on",
    "environment", "secrets", "ports", "volumes", "healthcheck",
}  # fmt: skip


def mounts(service: str) -> list[list[str]]:
    return [volume.split(":") for volume in SERVICES[service].get("volumes", [])]


def test_what_starts_without_a_profile() -> None:
    assert {name for name, of in SERVICES.items() if "profiles" not in of} == {"redis", *OURS}
    others = {name: of["profiles"] for name, of in SERVICES.items() if "profiles" in of}
    assert others == {"prometheus": ["observability"], "grafana": ["observability"]}


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_sound(name: str) -> None:
    service = SERVICES[name]
    assert set(service) <= KEYS
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] == "CMD"
    assert all(re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port) for port in service["ports"])
    assert set(service.get("depends_on", [])) <= set(SERVICES)
    assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
    if name in OURS:
        assert (service["build"], service["image"]) == (".", "mirante")
        assert service["depends_on"] == {"redis": {"condition": "service_healthy"}}
    else:
        assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+[\w.-]*", service["image"]), "pinned by version"


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_is_there(name: str) -> None:
    for source, target, *mode in mounts(name):
        assert target.startswith("/")
        if source.startswith("."):
            assert (ROOT / source).exists()
            assert mode == ["ro"]
        else:
            assert source in COMPOSE["volumes"]


def test_no_port_is_published_twice() -> None:
    ports = [port for service in SERVICES.values() for port in service["ports"]]
    assert len(ports) == len(set(ports))


@pytest.mark.parametrize("name", OURS)
def test_health_is_asked_at_the_port_that_is_published(name: str) -> None:
    (port,) = SERVICES[name]["ports"]
    asked = SERVICES[name]["healthcheck"]["test"][-1]
    assert f"http://127.0.0.1:{port.rpartition(':')[2]}/livez" in asked


def test_redis_starts_with_the_arguments_of_compose(tmp_path: Path) -> None:
    command = SERVICES["redis"]["command"]
    socket = tmp_path / "redis.sock"
    server = subprocess.Popen(
        [*command, "--port", "0", "--unixsocket", str(socket), "--dir", str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        assert any("ready to accept connections" in line.lower() for line in server.stdout)
        ping = SERVICES["redis"]["healthcheck"]["test"][1:]
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


def parsed(command: list[str]) -> str:
    """What our command line says to a command that it only reads; empty where it understands."""
    outcome = CliRunner().invoke(make_app(), [*command, "--help"])
    return "" if outcome.exit_code == 0 else outcome.output


@pytest.mark.parametrize("name", OURS)
def test_commands_are_ours(name: str) -> None:
    assert parsed(SERVICES[name]["command"]) == ""


def test_a_command_that_is_not_ours_is_seen() -> None:
    command = [word.replace("--first", "--frist") for word in SERVICES["dashboard"]["command"]]
    assert "--frist-admin" in parsed(command)


def test_the_pipeline_reads_what_is_mounted() -> None:
    (command, path) = SERVICES["pipeline"]["command"]
    assert command == "up"
    source = next(source for source, target, *_ in mounts("pipeline") if target == path)
    program = ROOT / ".venv/bin/mirante"
    assert subprocess.run([program, "check", ROOT / source], check=False).returncode == 0


def test_settings_of_the_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in SERVICES["pipeline"]["environment"].items():
        monkeypatch.setenv(key, value)
    settings = Settings()
    assert settings.redis.address() == "redis://redis:6379"
    assert settings.metrics.host == "0.0.0.0"
    assert settings.dashboard.port is None, "the service serves it"


def test_the_dashboard_shares_the_cameras_passwords_and_the_redis() -> None:
    assert mounts("dashboard") == [each for each in mounts("pipeline") if each[0] == "models"]
    command = SERVICES["dashboard"]["command"]
    assert "redis://redis:6379" in command
    assert "--first-admin" in command, "it is open to others, and nobody may log in yet"


DOCKER = """#!/usr/bin/env bash
set -eu
[ "$1 $2 $3 $4" = "compose exec -T dashboard" ]
shift 4
exec "$@"
"""


def test_the_pages_token_is_one_that_the_dashboard_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the page says to type, with a docker that runs the command here."""
    page = (ROOT / "docs/operations.md").read_text()
    block = re.search(r"^```bash\n(umask 077\n.*?)^```", page, re.M | re.S)
    assert block is not None
    made, start = block[1].strip().rsplit("\n", 1)
    assert start == "docker compose --profile observability up -d"
    docker = tmp_path / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{ROOT / '.venv/bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path / "home"))
    subprocess.run(["bash", "-euc", made], cwd=tmp_path, check=True)
    file = tmp_path / ".env"
    assert file.stat().st_mode & 0o077 == 0
    name, token = file.read_text().strip().split("=", 1)
    assert name == COMPOSE["secrets"]["prometheus-token"]["environment"]
    identity = Access(Settings().dashboard).by_token(token)
    assert identity is not None
    assert (identity.name, identity.role) == ("prometheus", "viewer")


def test_the_token_gets_into_neither_the_image_nor_a_commit() -> None:
    for file in (".dockerignore", ".gitignore"):
        assert ".env" in (ROOT / file).read_text().splitlines()


def test_prometheus_asks_the_services_with_the_token() -> None:
    config = yaml.safe_load((ROOT / "configs/observability/prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    asked = {
        target for job in jobs.values() for of in job["static_configs"] for target in of["targets"]
    }
    published = {f"{name}:{SERVICES[name]['ports'][0].rpartition(':')[2]}" for name in OURS}
    assert asked == published
    token = jobs["mirante-dashboard"]["authorization"]["credentials_file"]
    assert token == f"/run/secrets/{SERVICES['prometheus']['secrets'][0]}"
    config_folder = Path("/etc/prometheus")
    mounted = {target for _, target, *_ in mounts("prometheus")}
    for file in ["prometheus.yml", *config["rule_files"]]:
        assert str(config_folder / file) in mounted


def test_grafana_finds_its_source_and_its_dashboards() -> None:
    folders = {target: ROOT / source for source, target, *_ in mounts("grafana")}
    provisioning = folders["/etc/grafana/provisioning"]
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((provisioning / "dashboards/mirante.yml").read_text())["providers"]
    dashboards = folders[provider["options"]["path"]]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (dashboards / Path(home).name).is_file()
    assert Path(home).parent == Path(provider["options"]["path"])
    assert f'"uid": "{source["uid"]}"' in (dashboards / Path(home).name).read_text()
