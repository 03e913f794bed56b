"""What Grafana shows and Prometheus watches exists: names, labels and values as served."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import yaml
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry

from dashboard.access import Access
from dashboard.access.identity import Identity
from dashboard.access.rights import Right
from dashboard.api import health
from dashboard.history.sampler import Sampler
from dashboard.live.hub import Hub
from dashboard.services import Services
from mirante.redis_url import RedisUrl
from pipeline.config.dashboard import Dashboard
from pipeline.control.fleet_report import FleetReport
from pipeline.worker.metrics import WorkerCollector
from tests.support import ROOT
from tests.support.promql import read
from tests.support.worker_states import GATE, READY, with_models, worker

FOLDER = ROOT / "configs/observability"
GRAFANA: dict[str, Any] = json.loads((FOLDER / "grafana/dashboards/mirante.json").read_text())
ALERTS = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"][0]["rules"]
OF_PROMETHEUS = {"instance", "job"}  # labels that it adds to each series
# Values that each of these labels may have; of others any.
VALUES = {"state": set(health.STATES)}
VALUES["reason"] = {"rate", "queue", "stage", "reconnect", "duplicate_pts", "damaged"}

Labels = dict[str, set[str]]  # of a sample, by its name


def labels_of(text: str) -> Labels:
    found: Labels = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.fixture(scope="session")
def of_worker() -> Labels:
    state = with_models(worker(gate=GATE), street=READY)
    registry = CollectorRegistry()
    registry.register(WorkerCollector(lambda: state))
    return labels_of(generate_latest(registry).decode())


@pytest.fixture(scope="session")
def of_dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labels]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(health, "reported", lambda _: FleetReport(at=1.0, more=3))
        yield _of_dashboard(tmp_path_factory)


def _of_dashboard(tmp_path_factory: pytest.TempPathFactory) -> Labels:
    settings = Dashboard.model_validate({})
    url = RedisUrl("redis://127.0.0.1:6379")
    sampler = Sampler(url)
    app = FastAPI()
    app.include_router(health.router)
    app.dependency_overrides[Right("viewer")] = lambda: Identity("prometheus", "viewer", "token")
    access = Access(settings, tmp_path_factory.mktemp("access"))
    app.state.services = Services(str(url), settings, access, sampler, Hub(url, sampler))
    return labels_of(TestClient(app).get("/metrics").raise_for_status().text)


@pytest.fixture
def served(of_worker: Labels, of_dashboard: Labels) -> Labels:
    assert not set(of_worker) & set(of_dashboard)
    return of_worker | of_dashboard


def expressions() -> Iterator[tuple[str, str, str]]:
    """Where it stands, the expression, and the legend."""
    for panel in GRAFANA["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"], target["legendFormat"]
    for variable in GRAFANA["templating"]["list"]:
        match = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"])
        assert match is not None
        yield f"${variable['name']}", f"sum by ({match[2]}) ({match[1]})", ""
    for rule in ALERTS:
        legend = rule["annotations"]["summary"].replace("$labels.", "")
        yield rule["alert"], rule["expr"], re.sub(r"\{\{ (\w+) \}\}", r"{{\1}}", legend)


EXPRESSIONS = list(expressions())


def mistakes(expression: str, legend: str, served: Labels) -> list[str]:
    """What an expression asks for and nobody serves."""
    asked = read(expression)
    known: set[str] = set(OF_PROMETHEUS)
    found = [] if asked.selectors else ["no metric"]
    for name, matchers in asked.selectors:
        if name not in served:
            found.append(f"no metric {name}")
            continue
        known |= served[name]
        for label, operator, value in matchers:
            if label not in served[name] | OF_PROMETHEUS:
                found.append(f"{name} has no label {label}")
            elif label in VALUES and "$" not in value:
                values = value.split("|") if "~" in operator else [value]
                found += [f"no {label} {each}" for each in values if each not in VALUES[label]]
    used = asked.grouping | set(re.findall(r"\{\{(\w+)\}\}", legend))
    return found + [f"no label {label}" for label in sorted(used - known)]


@pytest.mark.parametrize(("where", "expression", "legend"), EXPRESSIONS)
def test_what_is_asked_for_is_served(
    where: str, expression: str, legend: str, served: Labels
) -> None:
    assert mistakes(expression, legend, served) == [], where


@pytest.mark.parametrize(
    ("expression", "legend", "mistake"),
    [
        ("sum(rate(mirante_frames_decode_total[5m]))", "", "no metric mirante_frames_decode_total"),
        ("mirante_outbox_depth / mirante_outbox_dept", "", "no metric mirante_outbox_dept"),
        ('mirante_camera_state{stat="running"}', "", "mirante_camera_state has no label stat"),
        ('mirante_camera_state{state="runing"}', "", "no state runing"),
        ('mirante_camera_state{state=~"failed|stuck"}', "", "no state stuck"),
        ("sum by (camra) (mirante_frames_in_flight)", "", "no label camra"),
        ("mirante_redis_connected", "{{camera}}", "no label camera"),
        ("sum by (le) (mirante_capture_to_publish_seconds_sum)", "", "no label le"),
        ("1 + 1", "", "no metric"),
    ],
)
def test_a_mistake_is_seen(expression: str, legend: str, mistake: str, of_worker: Labels) -> None:
    assert mistakes(expression, legend, of_worker) == [mistake]


def test_everything_that_is_served_is_shown(served: Labels) -> None:
    ends = ("_bucket", "_count", "_sum")
    shown = {name for _, expression, _ in EXPRESSIONS for name, _ in read(expression).selectors}
    names = {name for name in served if name.startswith("mirante_")}
    families = {name for name in names if not name.endswith(ends)}
    assert families <= shown
    assert "mirante_capture_to_publish_seconds_bucket" in shown


def test_the_page_names_every_metric_of_the_dashboard(of_dashboard: Labels) -> None:
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(mirante_(?:dashboard|fleet)_\w+)` \| ([\w, ]*)\|", page, re.MULTILINE)
    described = {name: set(labels.replace(",", " ").split()) for name, labels in rows}
    own = {name: labels for name, labels in of_dashboard.items() if name.startswith("mirante_")}
    assert described == own


def test_panels_are_whole() -> None:
    panels = GRAFANA["panels"]
    assert unique(panel["id"] for panel in panels)
    assert unique(panel["title"] for panel in panels)
    for panel in panels:
        assert panel["datasource"]["uid"] == "prometheus"
        assert unique(target["refId"] for target in panel["targets"])
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        taken = [other["gridPos"] for other in panels if other is not panel]
        assert not any(overlap(place, other) for other in taken), panel["title"]


def unique(values: Iterable[object]) -> bool:
    listed = list(values)
    return len(listed) == len(set(listed))


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    across = one["x"] < other["x"] + other["w"] and other["x"] < one["x"] + one["w"]
    down = one["y"] < other["y"] + other["h"] and other["y"] < one["y"] + one["h"]
    return across and down
