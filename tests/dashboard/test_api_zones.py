"""Zones over HTTP: drawn, counted again, refused in words."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from dashboard.api.camera_keys import check
from mirante.keys import key
from pipeline.config.settings import Settings
from pipeline.control.registry import Registry
from tests.support.api_server import Bench
from tests.support.kept_trails import keep_trails
from tests.support.walks import DOOR, GATE, walk

CAMERAS = "/api/v1/cameras"
ZONES = f"{CAMERAS}/gate/zones"
PREVIEW = f"{ZONES}/preview"
RULES = {"zones": {"door": DOOR | {"classes": ["person"]}}, "lines": {"gate": GATE}}


@pytest.fixture
def gate(bench: Bench) -> Bench:
    bench.worker()
    bench.until(bench.services.sampler.reports)
    body = {"name": "gate", "url": "test://", "crop": [0, 0.25, 1, 1]}
    bench.http.post(CAMERAS, json=body).raise_for_status()
    return bench


def stages(bench: Bench) -> Any:
    return bench.camera()["spec"].get("stages")


def test_stages_are_added_once_and_then_changed_alone(gate: Bench) -> None:
    empty = gate.http.get(ZONES).json()
    assert empty["classes"] == ["person", "car"]
    assert (empty["zones"], empty["lines"], empty["area"]) == ({}, {}, [0, 0.25, 1, 1])
    first = gate.http.put(ZONES, json=RULES)
    assert first.status_code == 200, first.text
    assert first.json()["restarts"]
    assert "restarts once" in first.json()["words"]
    assert [next(iter(stage)) for stage in stages(gate)] == ["model", "track", "zones"]
    ground = {
        "image": [[0.1, 0.9], [0.9, 0.9], [0.7, 0.4], [0.3, 0.4]],
        "metres": [[0, 0], [8, 0], [8, 20], [0, 20]],
    }
    for body in (RULES | {"ground": ground}, {"lines": {"far": GATE}}):
        then = gate.http.put(ZONES, json=body).json()
        assert not then["restarts"]
        assert then["ground"] == ground
    assert stages(gate)[-1]["zones"] == {}
    assert gate.http.get(ZONES).json()["lines"] == {"far": GATE}
    assert gate.http.put(ZONES, json={"ground": None}).json()["ground"] is None


def test_what_another_changes_meanwhile_stays(gate: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    gate.http.put(ZONES, json=RULES).raise_for_status()
    before = stages(gate)
    others = [{**before[0], "threshold": 0.7}, *before[1:]]

    def meanwhile(*args: Any, **options: Any) -> None:
        if stages(gate) == before:
            gate.http.patch(f"{CAMERAS}/gate", json={"stages": others}).raise_for_status()
        check(*args, **options)

    monkeypatch.setattr("dashboard.api.zones.check", meanwhile)
    gate.http.put(ZONES, json={"lines": {"far": GATE}}).raise_for_status()
    after = stages(gate)
    assert after[0]["threshold"] == 0.7
    assert after[-1]["lines"] == {"far": GATE}


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ({"zones": {"door": {}}}, "zones.door: a mapping — expected polygon or mask, one of them"),
        (
            {"zones": {"door": DOOR | {"after": 1}}},
            'zones.door.after: unknown key — did you mean "after_s"?',
        ),
        ({"lines": {"gate": GATE | {"to": [0.5, 2]}}}, "lines.gate.to[1]: 2 — expected a number"),
        (
            {"zones": {"door": DOOR | {"classes": ["persn"]}}},
            'gate.stages[2].zones.door.classes[0]: "persn" — expected a class that an earlier',
        ),
        ({"zone": {}}, 'zone: unknown key — did you mean "zones"?'),
    ],
)
def test_mistakes_are_refused_in_words(gate: Bench, body: dict[str, Any], line: str) -> None:
    response = gate.http.put(ZONES, json=body)
    assert response.status_code in {409, 422}, response.text
    assert any(each.startswith(line) for each in response.json()["detail"]), response.text
    assert stages(gate) is None


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (
            {"zones": {"door": {"polygon": [[0, 0], [1, 1], [1, 0], [0, 1]]}}},
            "zones.door.polygon: a list — expected corners in order around an area, but edges 1 "
            "and 3 meet",
        ),
        (
            {"zones": {"door": {"polygon": [[0.5, 0.5]] * 3}}},
            "zones.door.polygon: a list — expected at least 3 different corners [x, y], got 1",
        ),
        (
            {"zones": {"door": {"polygon": [[0, 0], [1, 0], [0, 0], [0, 1]]}}},
            "zones.door.polygon: a list — expected different corners, but corners 1 and 3 are both "
            "[0.0, 0.0]",
        ),
        (
            {"zones": {"door": {"polygon": [[0.1, 0.1], [0.2, 0.2], [0.4, 0.4]]}}},
            "zones.door.polygon: a list — expected corners around an area, but all of them are in "
            "one line",
        ),
        (
            {"zones": {"door": {"polygon": [[0, 0], [1, 1]]}}},
            "zones.door.polygon: a list — expected 3 to 100 corners [x, y], got 2",
        ),
        ({"zones": {"door": {}}}, "zones.door: a mapping — expected polygon or mask, one of them"),
        ({"lines": {"gate": {"from": [0, 0], "to": [0, 0]}}}, "lines.gate: a mapping — expected"),
    ],
)
def test_every_shape_that_cannot_be_is_refused_alike(
    gate: Bench, body: dict[str, Any], line: str
) -> None:
    for response in (gate.http.put(ZONES, json=body), gate.http.post(PREVIEW, json=body)):
        assert response.status_code == (422 if "got 2" in line else 409), response.text
        assert response.json()["detail"][0].startswith(line), response.text


def test_the_preview_refuses_what_a_change_does(gate: Bench) -> None:
    for body in (
        {"zones": {"door": DOOR | {"classes": ["persn"]}}},
        {"zones": {"door": {"mask": "drivable"}}},
        {"zones": {"door": {"mask": "${HOME}"}}},
        {"lines": {"gate": GATE | {"band": 9}}},
    ):
        changed, shown = gate.http.put(ZONES, json=body), gate.http.post(PREVIEW, json=body)
        assert changed.status_code in {409, 422}, changed.text
        assert (shown.status_code, shown.json()) == (changed.status_code, changed.json())


def test_a_preview_needs_no_worker_that_runs(bench: Bench) -> None:
    bench.services.registry().add("gate", {"url": "test://"})
    preview = bench.http.post(PREVIEW, json=RULES)
    assert (preview.status_code, preview.json()["frames"]) == (200, 0)


def test_a_camera_of_the_file_is_changed_there(bench: Bench) -> None:
    bench.worker()
    bench.until(bench.services.sampler.reports)
    settings = Settings(cameras={"gate": {"url": "test://"}})
    Registry(bench.redis, settings=settings).publish_config()
    response = bench.http.put(ZONES, json=RULES)
    assert (response.status_code, "change it there" in response.text) == (409, True)
    assert bench.http.get(ZONES).json()["classes"] == ["person", "car"]


def test_the_preview_counts_what_is_kept(gate: Bench) -> None:
    preview = gate.http.post(f"{ZONES}/preview", json=RULES).json()
    assert (preview["frames"], preview["covered_s"]) == (0, 0)
    assert preview["words"] == "no tracks of the last 10 minutes are kept"
    begun_ns = time.time_ns() - 700 * 10**9
    walks = walk(np.linspace(20, 620, 61).tolist(), 10)  # too long ago
    walks += walk(np.linspace(20, 620, 61).tolist(), 10, 400)
    walks += walk([620, 20], 0.1, 424, 2)
    keep_trails(gate, walks, begun_ns)
    rules = RULES | {"lines": {"gate": {"from": [0.5, 1], "to": [0.5, 0]}}}
    rules |= {"zones": {"door": DOOR, "road": {"mask": "car"}}}
    preview = gate.http.post(f"{ZONES}/preview", json=rules).json()
    assert preview["lines"] == {"gate": {"in": 1, "out": 1}}
    assert preview["zones"]["door"]["entered"] == 1
    assert list(preview["zones"]) == ["door"]
    assert preview["covered_s"] == pytest.approx(16, abs=0.1), "without the gap of 18 s"
    assert preview["words"].startswith("counted in 0.3 of the last 10 minutes; not road")
    gate.redis.xadd(key("gate", "tracks"), {"msgpack": b"?"}, f"{time.time_ns() // 10**6}-9")
    refused = gate.http.post(f"{ZONES}/preview", json=rules)
    assert (refused.status_code, "not a trail" in refused.text) == (502, True)
    assert stages(gate) is None


def test_a_proposal_is_what_put_takes(gate: Bench) -> None:
    proposal = f"{ZONES}/proposal"
    none = gate.http.get(proposal).json()
    assert (none["name"], none["rules"]) == (None, None)
    assert none["words"] == "no tracks of the last 10 minutes are kept"
    walks = walk(np.linspace(200, 440, 25).tolist(), 10)
    walks += walk(np.linspace(440, 200, 25).tolist(), 10, 3, 2)
    keep_trails(gate, walks, time.time_ns() - 60 * 10**9)
    gate.http.put(ZONES, json={"zones": {"proposed": DOOR}, "lines": RULES["lines"]})
    found = gate.http.get(proposal, params={"classes": ["person"]}).json()
    assert found["name"] == "proposed-2", "names that are taken stay"
    assert found["words"] == "2 of 2 tracks of the last 0.1 minutes were there: 2 person"
    assert (found["inside"], found["labels"]) == (2, {"person": 2})
    new = found["rules"]["zones"]["proposed-2"]
    assert new["classes"] == ["person"]
    foot = 0.25 + 300 / 360 * 0.75  # of the whole image, of which the camera's crop is a part
    assert all(abs(y - foot) < 0.08 for _, y in new["polygon"])
    then = gate.http.put(ZONES, json=found["rules"]).json()
    assert {**found["rules"]["zones"]} == then["zones"]
    assert then["lines"] == RULES["lines"]
    preview = gate.http.post(PREVIEW, json=found["rules"]).json()
    assert preview["zones"]["proposed-2"]["entered"] == 2
    standing = gate.http.get(proposal, params={"standing": "true"}).json()
    assert standing["rules"] is None
    assert standing["words"] == "no tracked object was seen standing still in the last 0.1 minutes"
    wrong = gate.http.get(proposal, params={"classes": "persn"})
    assert (wrong.status_code, wrong.json()["detail"]) == (
        409,
        ['classes: "persn" — did you mean "person"?'],
    )
