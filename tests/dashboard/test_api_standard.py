"""What the API says of cameras that name no stages, by what their worker chose."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pipeline.config.standard import WANTED, Choice, Finds, Standard
from pipeline.control.reports import ZooReport, publish
from tests.support.api_server import REPORT, Bench, replace_report

LABELS = {
    "yolox-street": ("person", "car"),
    "yunet": ("face",),
    "street": ("person", "car", "face"),
}
ZOO = tuple(
    ZooReport(
        name=name,
        task="detect",
        labels=labels,
        licence="MIT",
        runs_on="frame",
        ready=True,
        finds_masks=False,
    )
    for name, labels in LABELS.items()
)


def choice(finds: Finds, *, is_less: bool = False) -> Choice:
    wanted = WANTED[finds]
    return Choice(
        finds=finds,
        wanted=wanted,
        runs="street" if is_less else wanted,
        file=f"{wanted}.onnx",
        folder="/var/models",
        host="models.example",
        tried=("store /var/models: no such file",) if is_less else (),
    )


GOOD = Standard(objects=choice("objects"), faces=choice("faces"))
NO_OBJECTS = Standard(objects=choice("objects", is_less=True))
NO_FACES = Standard(objects=choice("objects"), faces=choice("faces", is_less=True))


def tell(bench: Bench, standard: Standard | None, **defaults: Any) -> None:
    """A worker lives that chose so."""
    bench.redis.set("mirante:worker:main", "{}")
    report = replace_report(at=time.time(), zoo=ZOO, standard=standard, defaults=defaults)
    publish(bench.redis, report)
    bench.until(lambda: bench.services.sampler.reports().get("main") == report)


def add(bench: Bench, **keys: Any) -> Any:
    return bench.http.post("/api/v1/cameras", json={"name": "gate", "url": "test://", **keys})


@pytest.mark.parametrize(
    ("standard", "plain", "blurred"),
    [
        (Standard(), ["yolox-street"], ["yolox-street", "yunet"]),
        (GOOD, ["yolox-street"], ["yolox-street", "yunet"]),
        (NO_OBJECTS, ["street"], ["street"]),
        (NO_FACES, ["yolox-street"], ["street"]),
    ],
)
def test_what_a_camera_got_is_told(
    bench: Bench, standard: Standard, plain: list[str], blurred: list[str]
) -> None:
    tell(bench, standard)
    camera = add(bench).json()
    assert camera["spec"] == {"url": "test://"}
    assert camera["models"] == plain
    tracked = {"track": "bytetrack"}
    assert camera["stages"] == [{"model": plain[0]}, tracked]
    assert set(camera["labels"]) == {label for name in plain for label in LABELS[name]}
    answer = bench.http.patch("/api/v1/cameras/gate", json={"preview": {"blur": ["face"]}})
    assert answer.status_code == 200, answer.text
    assert answer.json()["models"] == blurred
    [worker] = bench.http.get("/api/v1/models").json()["standard"].values()
    assert worker == {
        "stages": [{"model": plain[0]}, tracked],
        "with_faces": [{"model": blurred[0]}, tracked, *({"model": name} for name in blurred[1:])],
    }


def test_the_system_says_what_is_missing_as_data(bench: Bench) -> None:
    tell(bench, NO_OBJECTS)
    [worker] = bench.http.get("/api/v1/system").json()["workers"]
    assert worker["standard"]["faces"] is None
    assert worker["standard"]["objects"] == {
        "finds": "objects",
        "wanted": "yolox-street",
        "runs": "street",
        "file": "yolox-street.onnx",
        "folder": "/var/models",
        "host": "models.example",
        "tried": ["store /var/models: no such file"],
    }


def test_a_class_that_the_standard_does_not_find(bench: Bench) -> None:
    tell(bench, GOOD)
    refused = add(bench, preview={"blur": ["plate"]})
    assert refused.status_code == 409
    named = add(bench, stages=[{"model": "yolox-street"}], preview={"blur": ["face"]})
    [line] = named.json()["detail"]
    assert line.endswith("expected one of person, car; models that find it: yunet, street")


def test_blurred_by_the_defaults(bench: Bench) -> None:
    tell(bench, GOOD, preview={"blur": ["face"]})
    assert add(bench).json()["models"] == ["yolox-street", "yunet"]
    own = bench.http.patch("/api/v1/cameras/gate", json={"preview": {"blur": []}})
    assert own.json()["models"] == ["yolox-street"]
    view = {"view": "rtsp://u:hunter2@h/main"}
    bench.http.patch("/api/v1/cameras/gate", json=view).raise_for_status()
    refused = bench.http.patch("/api/v1/cameras/gate", json={"preview": None})
    assert refused.status_code == 409
    [line] = refused.json()["detail"]
    assert "expected none where preview.blur names classes (face)" in line
    assert "hunter2" not in refused.text


def test_null_is_the_same_as_nothing(bench: Bench) -> None:
    tell(bench, GOOD)
    assert add(bench, stages=None).json()["models"] == ["yolox-street"]
    named = bench.http.patch("/api/v1/cameras/gate", json={"stages": [{"model": "street"}]})
    assert named.json()["models"] == ["street"]
    again = bench.http.patch("/api/v1/cameras/gate", json={"stages": None})
    assert again.json()["models"] == ["yolox-street"]


def test_defaults_that_name_stages(bench: Bench) -> None:
    tell(bench, None, stages=[{"model": "street"}])
    assert add(bench).json()["models"] == ["street"]
    assert bench.http.get("/api/v1/models").json()["standard"] == {}
    assert REPORT.standard is None, "as a worker of an earlier version"
