"""What the chart starts is what the code has: commands, variables, files, ports and paths."""

from __future__ import annotations

import re
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from fastapi.routing import APIRoute
from typer.testing import CliRunner

from dashboard.api import health
from pipeline.cli.app import make_app
from pipeline.config.dashboard import Dashboard
from pipeline.config.load import load_settings
from pipeline.config.settings import Settings
from pipeline.control.reports import WorkerState
from pipeline.control.sealing import find_keys
from pipeline.worker.handover import LEAVE_S
from pipeline.worker.metrics_server import MetricsServer
from tests.support import MEASURES, ROOT
from tests.support.chart import EXAMPLES, Document, Pod, Rendered, render

pytestmark = pytest.mark.slow

CASES = ("default", *EXAMPLES)
PASSWORD = "0123456789abcdef"


@pytest.fixture(scope="module")
def charts() -> dict[str, Rendered]:
    values = {name: yaml.safe_load(path.read_text()) for name, path in EXAMPLES.items()}
    values["default"] = {}
    answers = render(values)
    return {case: Rendered.of(values[case], answers[case]["rendered"]) for case in CASES}


@pytest.fixture(params=CASES)
def chart(request: pytest.FixtureRequest, charts: dict[str, Rendered]) -> Rendered:
    return charts[request.param]


def container_of(pod: Pod) -> Document:
    """Return its container; of Ray's head the first, which runs Ray."""
    first, *others = pod.spec["containers"]
    assert not others or pod.part == "head"
    return dict(first)


def parsed(arguments: list[str]) -> str:
    """What our command line says to a command that it only reads; empty where it understands."""
    outcome = CliRunner().invoke(make_app(), [*arguments, "--help"])
    return "" if outcome.exit_code == 0 else outcome.output


def test_commands_are_ours(chart: Rendered) -> None:
    for container in (each for pod in chart.pods for each in pod.spec["containers"]):
        if arguments := container.get("args"):
            assert parsed(arguments) == ""
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            command = container.get(name, {}).get("exec", {}).get("command")
            if command is not None and command[0] != "test":
                assert command[0] == "mirante"
                assert parsed(command[1:]) == ""
    assert parsed(["bridge", "mqtt", "mqtt://h", "--pasword-file", "x"]) != ""


@pytest.fixture(scope="module")
def worker_paths() -> dict[str, int]:
    """The status of each path that a worker may be asked for, from a server of metrics."""

    def state() -> WorkerState:
        raise RuntimeError("not asked for here")

    found = {}
    with MetricsServer("127.0.0.1", 0, state) as server:
        for path in ("/livez", "/readyz", "/metrics", "/healthz"):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}") as answer:
                    found[path] = answer.status
            except urllib.error.HTTPError as error:
                with error:
                    found[path] = error.code
    return found


def probed(chart: Rendered, part: str) -> list[tuple[int, str]]:
    """Ports and paths at which a part is asked, by kubelets and Prometheus."""
    pods = chart.selected({"app.kubernetes.io/component": part})
    found = []
    for pod in pods:
        container = container_of(pod)
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            if "httpGet" in container.get(name, {}):
                asked = container[name]["httpGet"]
                found.append((pod.ports[asked["port"]], asked["path"]))
        for monitor in chart.all("ServiceMonitor"):
            if monitor["metadata"]["name"].endswith(f"-{part}"):
                (endpoint,) = monitor["spec"]["endpoints"]
                found.append((pod.ports[endpoint["port"]], endpoint["path"]))
    return found


def test_workers_serve_what_is_asked(chart: Rendered, worker_paths: dict[str, int]) -> None:
    assert worker_paths["/healthz"] == 404, "a path that is not served is seen"
    served = {path for path, status in worker_paths.items() if status != 404}
    asked = probed(chart, "worker")
    assert {port for port, _ in asked} <= {Settings().metrics.port}
    assert {path for _, path in asked} <= served
    if not chart.values.get("ray"):
        assert {path for _, path in asked} >= {"/livez", "/readyz"}


def test_the_dashboard_serves_what_is_asked(chart: Rendered) -> None:
    served = {route.path for route in health.router.routes if isinstance(route, APIRoute)}
    asked = probed(chart, "dashboard")
    assert {port for port, _ in asked} == {Dashboard().port}
    assert {"/livez", "/readyz"} <= {path for _, path in asked} <= served


def test_every_pod_is_asked_whether_it_is_well(chart: Rendered) -> None:
    for pod in chart.pods:
        container, probes = container_of(pod), {"startupProbe", "livenessProbe", "readinessProbe"}
        has = probes & set(container)
        if pod.part in {"worker", "dashboard"} and pod.owner["kind"] != "RayCluster":
            assert has == probes
        elif pod.part == "keeper" or pod.part.startswith("bridge-"):
            assert has == {"readinessProbe"}


def variables(container: Document, folder: Path, name: str) -> dict[str, str]:
    """A container's variables as Kubernetes sets them, with the secrets' files in a folder."""
    found = {}
    for variable in container.get("env", []):
        if "fieldRef" in variable.get("valueFrom", {}):
            field = variable["valueFrom"]["fieldRef"]["fieldPath"]
            found[variable["name"]] = {"metadata.name": name, "spec.nodeName": "node-1"}[field]
        elif "value" in variable:
            found[variable["name"]] = variable["value"].replace("/run/secrets", str(folder))
    return found


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """The folder that stands for /run/secrets."""
    folder = tmp_path / "redis"
    folder.mkdir()
    (folder / "password").write_text(f"{PASSWORD}\n")
    return tmp_path


@pytest.mark.parametrize("case", [case for case in CASES if case not in {"ray", "secrets"}])
def test_each_worker_has_a_file_that_it_can_read(
    charts: dict[str, Rendered], case: str, mounted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chart = charts[case]
    (pod,) = chart.selected({"app.kubernetes.io/component": "worker"})
    scaling = chart.values.get("autoscaling", {})
    count = pod.owner["spec"].get("replicas") or scaling["maxReplicas"]
    (config,) = chart.all("ConfigMap")
    names = [f"{pod.owner['metadata']['name']}-{number}" for number in range(count)]
    assert sorted(config["data"]) == sorted(f"{name}.yaml" for name in names)
    (mount,) = [m for m in container_of(pod)["volumeMounts"] if m["name"] == "config"]
    assert container_of(pod)["args"] == ["up", f"{mount['mountPath']}/$(MIRANTE_WORKER).yaml"]
    for name in (names[0], names[-1]):
        file = mounted / f"{name}.yaml"
        file.write_text(config["data"][file.name])
        with monkeypatch.context() as patch:
            patch.delenv(MEASURES)
            for key, value in variables(container_of(pod), mounted, name).items():
                patch.setenv(key, value)
            settings = load_settings(file)
        assert settings.worker == name
        assert settings.metrics.host == "0.0.0.0"
        assert settings.dashboard.port is None, "the dashboard's own pod serves it"
        assert settings.log.format == "json"
        assert settings.fleet.join is (case != "minimal")
        assert settings.fleet.node == (None if case == "minimal" else "node-1")
        wanted = "tensorrt" if case == "gpu" else "auto"
        assert settings.engine.runtime == wanted
        own = chart.values.get("cameras", {}).get(name.rpartition("-")[2], {})
        assert set(settings.cameras) == set(own)


def test_the_dashboard_reads_its_variables(
    charts: dict[str, Rendered], mounted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pod,) = charts["ingress"].selected({"app.kubernetes.io/component": "dashboard"})
    for key, value in variables(container_of(pod), mounted, "x").items():
        monkeypatch.setenv(key, value)
    page = Settings().dashboard
    assert (page.names, page.https, page.proxies) == (["cams.lan"], True, ["10.244.0.0/16"])
    assert "--first-admin" in container_of(pod)["args"]
    (pod,) = charts["secrets"].selected({"app.kubernetes.io/component": "dashboard"})
    arguments = container_of(pod)["args"]
    folder, _, name = arguments[arguments.index("--config") + 1].rpartition("/")
    (mount,) = [m for m in container_of(pod)["volumeMounts"] if m["mountPath"] == folder]
    (volume,) = [v for v in pod.spec["volumes"] if v["name"] == mount["name"]]
    assert [item["path"] for item in volume["secret"]["items"]] == [name]
    assert "--first-admin" not in arguments


@pytest.mark.parametrize("case", ["ray", "secrets"])
def test_every_part_reads_the_redis_of_the_secrets(
    charts: dict[str, Rendered], case: str, mounted: Path
) -> None:
    for pod in charts[case].pods:
        found = variables(pod.spec["containers"][-1], mounted, "x")
        assert found["MIRANTE_REDIS__URL"].startswith("redis")
        assert found["MIRANTE_REDIS__PASSWORD_FILE"] == f"{mounted}/redis/password"
        (volume,) = [v for v in pod.spec["volumes"] if v["name"] == "redis"]
        files = {
            item["path"]
            for source in volume["projected"]["sources"]
            for item in source["secret"]["items"]
        }
        named = {Path(text).name for text in found.values() if f"{mounted}/redis/" in text}
        assert named == files
        keys = {key.removeprefix("MIRANTE_REDIS__").lower() for key in found if "REDIS__" in key}
        keys -= {"url", "password_file"}
        assert keys == ({"ca_file", "cert_file", "key_file"} if case == "secrets" else set())
        assert keys <= set(type(Settings().redis).model_fields)


def test_every_part_that_adds_or_runs_cameras_has_the_key_of_the_fleet(
    charts: dict[str, Rendered], mounted: Path
) -> None:
    for pod in charts["secrets"].pods:
        file = variables(container_of(pod), mounted, "x").get("MIRANTE_FLEET_KEY_FILE")
        if pod.part not in {"worker", "dashboard"}:
            assert file is None
            continue
        (volume,) = [v for v in pod.spec["volumes"] if v["name"] == "fleet"]
        (mount,) = [m for m in container_of(pod)["volumeMounts"] if m["name"] == "fleet"]
        (item,) = volume["secret"]["items"]
        assert file == f"{mounted}/fleet/{item['path']}"
        assert mount["mountPath"] == "/run/secrets/fleet"


def test_the_pages_key_of_the_fleet_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs/kubernetes.md").read_text()
    (made,) = re.findall(r"--from-literal=fleet\.key=(\$\(.*\))$", page, re.M)
    said = subprocess.run(["bash", "-c", f"echo {made}"], stdout=subprocess.PIPE, check=True)
    monkeypatch.setenv("MIRANTE_FLEET_KEY", said.stdout.decode())
    keys = find_keys()
    assert keys is not None
    assert len(keys.keys) == 1


def test_ray_is_that_of_the_image_and_looks_after_nodes_as_ours_does(
    charts: dict[str, Rendered],
) -> None:
    (cluster,) = charts["ray"].all("RayCluster")
    lock = (ROOT / "requirements.lock").read_text()
    assert f"\nray=={cluster['spec']['rayVersion']} " in lock
    ours = re.findall(
        r'"(RAY_(?:health_check|gcs_rpc)_\w+)": "(\d+)"', (ROOT / "fleet/ray_fleet.py").read_text()
    )
    assert len(ours) == 5
    for pod in charts["ray"].pods:
        if pod.owner is cluster:
            assert set(ours) <= {(v["name"], v.get("value")) for v in container_of(pod)["env"]}


def test_a_head_of_ray_that_begins_again_ends_no_worker(charts: dict[str, Rendered]) -> None:
    (head,) = charts["ray"].selected({"app.kubernetes.io/component": "head"})
    (fleet,) = [each for each in head.spec["containers"] if each["name"] == "fleet"]
    assert fleet["args"][:3] == ["fleet", "up", "--stay"]


def test_a_pod_of_ray_hands_its_cameras_over_before_it_ends(charts: dict[str, Rendered]) -> None:
    """With what the container has at that moment: its variables, and its time."""
    (worker,) = charts["ray"].selected({"app.kubernetes.io/component": "worker"})
    (container,) = worker.spec["containers"]
    program, *said = container["lifecycle"]["preStop"]["exec"]["command"]
    assert program == "mirante"
    assert (said[:3], parsed(said)) == (["fleet", "leave", "--timeout"], "")
    grace_s = worker.spec["terminationGracePeriodSeconds"]
    assert LEAVE_S <= float(said[3]) <= grace_s - 5


def test_workers_have_the_time_to_hand_their_cameras_over(chart: Rendered) -> None:
    (worker,) = chart.selected({"app.kubernetes.io/component": "worker"})
    assert worker.spec["terminationGracePeriodSeconds"] >= LEAVE_S + 15
