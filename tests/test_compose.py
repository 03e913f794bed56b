"""docker-compose.yml agrees with what it starts, as far as can be seen without containers."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from bridges.mqtt.broker import Broker
from bridges.mqtt.options import Options
from dashboard.access import Access
from pipeline.cli.app import make_app
from pipeline.config.load import load_settings
from pipeline.config.settings import Settings
from tests.support import ROOT
from tests.support.mosquitto import PROGRAM as MOSQUITTO
from tests.support.outcome import Run
from tests.support.ports import free_port

pytestmark = pytest.mark.slow

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("pipeline", "dashboard")
BRIDGES = ("mqtt-bridge",)
WORKERS = ("worker-1", "worker-2")
FLEET = (*WORKERS, "keeper")
KEYS = {
    "build", "image", "user", "command", "restart", "profiles", "depends_on",
    "environment", "secrets", "ports", "volumes", "healthcheck", "stop_grace_period",
    "read_only", "tmpfs", "cap_drop", "security_opt", "logging", "deploy",
}  # fmt: skip


def mounts(service: str) -> list[list[str]]:
    return [volume.split(":") for volume in SERVICES[service].get("volumes", [])]


def test_what_starts_without_a_profile() -> None:
    assert {name for name, of in SERVICES.items() if "profiles" not in of} == {"redis", *OURS}
    others = {name: of["profiles"] for name, of in SERVICES.items() if "profiles" in of}
    assert others == {
        **{name: ["fleet"] for name in FLEET},
        **{name: ["mqtt"] for name in ("mosquitto", "mqtt-bridge")},
        **{name: ["observability"] for name in ("prometheus", "grafana")},
    }


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_sound(name: str) -> None:
    service = SERVICES[name]
    assert set(service) <= KEYS
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert all(re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port) for port in service.get("ports", []))
    assert set(service.get("depends_on", [])) <= set(SERVICES)
    assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
    if name in (*OURS, *FLEET):
        assert (service["build"], service["image"]) == (
            {"context": ".", "target": "cpu"},
            "mirante",
        )
        assert "user" not in service, "that of the image"
        assert service["depends_on"] == {"redis": {"condition": "service_healthy"}}
    elif name in BRIDGES:
        assert service["build"] == {"context": ".", "target": "bridges"}
        assert (service["image"], "ports" in service) == ("mirante:bridges", False)
    else:
        assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+[\w.-]*", service["image"]), "pinned by version"
        assert service["user"] not in ("root", "0")


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_closed_and_has_limits(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["driver"] == "json-file"
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}
    limits = service["deploy"]["resources"]["limits"]
    assert set(limits) == {"memory", "cpus", "pids"}
    value = re.compile(r"(?:\$\{[A-Z_]+:-)?(\d+[mg]?)\}?")
    assert value.fullmatch(limits["memory"])
    cpus = value.fullmatch(limits["cpus"])
    assert cpus is not None
    assert int(cpus[1]) <= 2, "more than a small machine has is refused by Docker"
    assert isinstance(limits["pids"], int)


def test_the_memory_of_redis_is_within_its_limit() -> None:
    command = " ".join(SERVICES["redis"]["command"])
    assert "--maxmemory 1gb" in command
    assert SERVICES["redis"]["deploy"]["resources"]["limits"]["memory"] == "1536m"


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
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == len(set(ports))


@pytest.mark.parametrize("name", OURS)
def test_health_is_asked_at_the_port_that_is_published(name: str) -> None:
    (port,) = SERVICES[name]["ports"]
    asked = SERVICES[name]["healthcheck"]["test"][-1]
    assert f"http://127.0.0.1:{port.rpartition(':')[2]}/livez" in asked


PASSWORD = "0123456789abcdef"


def in_a_shell(text: str, folder: Path) -> str:
    """What compose gives to a shell of the container, for one that runs here."""
    text = text.replace("$$", "$").replace("/run/secrets/", f"{folder}/")
    socket = folder / "redis.sock"
    text = text.replace("redis-server -", f"redis-server - --port 0 --unixsocket {socket}")
    return text.replace("| redis-cli", f"| redis-cli -s {socket}")


def test_redis_has_a_password_that_nobody_sees(tmp_path: Path) -> None:
    (tmp_path / "redis-password").write_text(f"{PASSWORD}\n")
    shell, option, script = SERVICES["redis"]["command"]
    server = subprocess.Popen(
        [shell, option, in_a_shell(script, tmp_path)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        assert any("ready to accept connections" in line.lower() for line in server.stdout)
        process = Path("/proc") / str(server.pid)
        assert b"redis-server" in (process / "cmdline").read_bytes(), "the shell is gone"
        for file in ("cmdline", "environ"):
            assert PASSWORD.encode() not in (process / file).read_bytes()
        kind, asked = SERVICES["redis"]["healthcheck"]["test"]
        assert kind == "CMD-SHELL"
        asked = in_a_shell(asked, tmp_path)
        traced = subprocess.run(["sh", "-c", asked], check=False, capture_output=True, text=True)
        assert (traced.returncode, traced.stdout, traced.stderr) == (0, "", "")
        client = ["redis-cli", "-s", str(tmp_path / "redis.sock")]
        refused = subprocess.run([*client, "ping"], capture_output=True, text=True, check=False)
        assert "NOAUTH" in refused.stdout
        (tmp_path / "redis-password").write_text("another\n")
        assert subprocess.run(["sh", "-c", asked], check=False, capture_output=True).returncode
    finally:
        server.kill()
        server.wait()
        assert server.stdout is not None
        server.stdout.close()


def test_the_broker_has_a_password_that_the_bridge_knows(tmp_path: Path) -> None:
    if MOSQUITTO is None:
        pytest.skip("no mosquitto here: apt-get install mosquitto")
    (tmp_path / "mqtt-password").write_text(f"{PASSWORD}\n")
    port, moved = free_port(), f"{tmp_path}/"
    config = (ROOT / "configs/mosquitto.conf").read_text().replace("/tmp/", moved)
    config = config.replace("listener 1883", f"listener {port} 127.0.0.1")
    config = config.replace("/mosquitto/data/", moved) + "user root\n" * (not os.getuid())
    (tmp_path / "mosquitto.conf").write_text(config)
    shell, option, script = SERVICES["mosquitto"]["command"]
    script = script.replace("$$", "$").replace("/tmp/", moved)
    script = script.replace("/run/secrets/", moved).replace("/mosquitto/config/", moved)
    places = {"PATH": f"{os.environ['PATH']}:/usr/sbin"}
    broker = subprocess.Popen([shell, option, script], stdout=subprocess.DEVNULL, env=places)
    try:
        program, _, address, _, file = SERVICES["mqtt-bridge"]["command"]
        assert program == "bridge"
        url = address.replace("@mosquitto", f"@127.0.0.1:{port}")
        own = tmp_path / Path(file).name
        assert own.name == SERVICES["mosquitto"]["secrets"][0]
        for password, is_right in ((own, True), (ROOT / "run", False)):
            client = Broker(Options(url=url, password_file=password), "x", "x", (0.05, 0.1))
            client.start()
            try:
                assert client.wait_connected(60 if is_right else 0.5) is is_right
            finally:
                client.stop()
    finally:
        broker.kill()
        broker.wait()


def parsed(command: list[str]) -> str:
    """What our command line says to a command that it only reads; empty where it understands."""
    outcome = CliRunner().invoke(make_app(), [*command, "--help"])
    return "" if outcome.exit_code == 0 else outcome.output


@pytest.mark.parametrize("name", [*OURS, *BRIDGES, *FLEET])
def test_commands_are_ours(name: str) -> None:
    assert parsed(SERVICES[name]["command"]) == ""


def test_a_command_that_is_not_ours_is_seen() -> None:
    command = [word.replace("--first", "--frist") for word in SERVICES["dashboard"]["command"]]
    assert "--frist-admin" in parsed(command)


def test_the_pipeline_reads_what_is_mounted(mirante: Run) -> None:
    (command, path) = SERVICES["pipeline"]["command"]
    assert command == "up"
    source = next(source for source, target, *_ in mounts("pipeline") if target == path)
    assert mirante("check", str(ROOT / source)).status == 0


def test_settings_of_the_pipeline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "redis-password").write_text(f"{PASSWORD}\n")
    for key, value in SERVICES["pipeline"]["environment"].items():
        monkeypatch.setenv(key, value.replace("/run/secrets", str(tmp_path)))
    settings = Settings()
    assert settings.redis.address() == f"redis://:{PASSWORD}@redis:6379"
    assert settings.metrics.host == "0.0.0.0"
    assert settings.dashboard.port is None, "the service serves it"


def test_workers_of_the_fleet_differ_in_their_names_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "redis-password").write_text(f"{PASSWORD}\n")
    first, second = (SERVICES[name] for name in WORKERS)
    assert first | {"environment": second["environment"]} == second
    for name in WORKERS:
        environment = SERVICES[name]["environment"]
        own = {"MIRANTE_WORKER": name, "MIRANTE_FLEET__JOIN": "true"}
        own |= {"MIRANTE_FLEET__NODE": "this-machine"}
        assert environment == SERVICES["pipeline"]["environment"] | own
        for key, value in environment.items():
            monkeypatch.setenv(key, value.replace("/run/secrets", str(tmp_path)))
        source, target, _ = next(each for each in mounts(name) if each[0].startswith("."))
        assert SERVICES[name]["command"] == ["up", target]
        settings = load_settings(ROOT / source)
        assert (settings.worker, dict(settings.cameras)) == (name, {})
        assert settings.fleet.join
    assert mounts("pipeline")[-1] in mounts("worker-1"), "models, and the key of the fleet"


def test_the_dashboard_shares_the_cameras_passwords_and_the_redis() -> None:
    assert mounts("dashboard") == [each for each in mounts("pipeline") if each[0] == "models"]
    command = SERVICES["dashboard"]["command"]
    assert "--first-admin" in command, "it is open to others, and nobody may log in yet"
    own, shared = (SERVICES[name]["environment"] for name in ("dashboard", "pipeline"))
    assert own.items() <= shared.items()
    assert set(own) == {"MIRANTE_REDIS__URL", "MIRANTE_REDIS__PASSWORD_FILE"}
    file = own["MIRANTE_REDIS__PASSWORD_FILE"]
    for name in ("redis", *OURS, *FLEET, *BRIDGES):
        secret = SERVICES[name]["secrets"][0]
        assert file == f"/run/secrets/{secret}"


def test_what_is_written_has_a_place() -> None:
    """The image is read-only: beside the volume its variables name /tmp, which is a tmpfs."""
    image = (ROOT / "Dockerfile").read_text()
    assert "XDG_RUNTIME_DIR=/tmp XDG_CACHE_HOME=/tmp" in image
    for name in (*OURS, *FLEET):
        assert [place.partition(":")[0] for place in SERVICES[name]["tmpfs"]] == ["/tmp"]


def test_the_pipeline_on_gpus_differs_where_it_must() -> None:
    gpu = yaml.safe_load((ROOT / "deploy/compose.gpu.yml").read_text())["services"]
    assert list(gpu) == ["pipeline"]
    pipeline = gpu["pipeline"]
    assert pipeline["build"] == {"target": "tensorrt"}
    assert pipeline["environment"] == {"MIRANTE_ENGINE__RUNTIME": "tensorrt"}
    assert pipeline["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    assert "read_only" not in pipeline, "it stays as it is"


DOCKER = """#!/usr/bin/env bash
set -eu
[ "$1 $2 $3 $4" = "compose exec -T dashboard" ]
shift 4
exec "$@"
"""


def block_of(words: str) -> str:
    """The commands of the page that say this."""
    page = (ROOT / "docs/operations.md").read_text()
    (block,) = (
        one for one in re.findall(r"^```bash\n(.*?)^```", page, re.M | re.S) if words in one
    )
    return str(block).strip()


def secret(name: str) -> Path:
    """The file of a secret, from the folder of the compose file."""
    return Path(COMPOSE["secrets"][name]["file"])


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_pages_password_is_one_that_containers_can_read(tmp_path: Path, umask: int) -> None:
    made = block_of("docker compose up -d").split("\ndocker")[0]
    subprocess.run(["bash", "-euc", made], cwd=tmp_path, umask=umask, check=True)
    file = tmp_path / secret("redis-password")
    assert file.parent.stat().st_mode & 0o777 == 0o700, "nobody else of the machine"
    assert file.stat().st_mode & 0o777 == 0o644, "the users of the containers"
    assert re.fullmatch(r"[0-9a-f]{48}\n", file.read_text())


def test_the_pages_token_is_one_that_the_dashboard_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the page says to type, with a docker that runs the command here."""
    made, start = block_of("--profile observability up").rsplit("\n", 1)
    assert start == "docker compose --profile observability up -d"
    docker = tmp_path / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{ROOT / '.venv/bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path / "home"))
    (tmp_path / "secrets").mkdir()
    subprocess.run(["bash", "-euc", made], cwd=tmp_path, check=True)
    file = tmp_path / secret("prometheus-token")
    assert file.stat().st_mode & 0o777 == 0o644
    token = file.read_text().strip()
    identity = Access(Settings().dashboard).by_token(token)
    assert identity is not None
    assert (identity.name, identity.role) == ("prometheus", "viewer")


def test_the_token_gets_into_neither_the_image_nor_a_commit() -> None:
    for file in (".dockerignore", ".gitignore"):
        assert {".env", "secrets"} <= set((ROOT / file).read_text().splitlines())


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
