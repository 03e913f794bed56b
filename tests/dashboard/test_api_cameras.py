"""Cameras over HTTP: wanted, changed, refused in words, never with a password."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.settings import Settings
from pipeline.config.source_kinds import schemes
from pipeline.control.registry import Registry
from tests.support.api_server import Bench

CAMERAS = "/api/v1/cameras"
SECRET = "rtsp://anna:hunter2@192.0.2.10/main?channel=1&token=hunter2"
SHOWN = "rtsp://***@192.0.2.10/main?channel=1&token=***"


def add(bench: Bench, name: str = "gate", **keys: Any) -> Any:
    body = {"name": name, "url": "test://", **keys}
    return bench.http.post(CAMERAS, json=body)


def configured(bench: Bench, **keys: Any) -> None:
    settings = Settings(cameras={"yard": {"url": SECRET, **keys}})
    Registry(bench.redis, settings=settings).publish_config()


def spec_in_redis(bench: Bench, name: str = "gate") -> dict[str, Any]:
    found = bench.redis.hget("mirante:cameras", name)
    return dict(json.loads(found or b"")["spec"])


def test_added_and_listed_at_once(bench: Bench) -> None:
    bench.worker()
    bench.until(bench.services.sampler.reports)
    response = add(bench, fps=10)
    assert response.status_code == 201, response.text
    camera = response.json()
    assert camera["spec"] == {"url": "test://", "fps": 10}
    assert (camera["origin"], camera["worker"], camera["paused"]) == ("api", "main", False)
    assert (camera["state"], camera["rate"], camera["size"]) == ("not started", None, None)
    assert (camera["models"], camera["labels"]) == (["street"], ["person", "car"])
    assert [each["name"] for each in bench.http.get(CAMERAS).json()] == ["gate"]


def test_a_camera_whose_worker_does_not_run(bench: Bench) -> None:
    add(bench, worker="second")
    bench.until(bench.services.sampler.cameras)
    camera = bench.camera()
    assert (camera["state"], camera["worker"]) == ("unknown", "second")
    assert camera["reason"] == 'worker "second" is not running'


def test_a_camera_without_a_worker_is_for_the_only_one_that_runs(bench: Bench) -> None:
    bench.worker()
    bench.redis.delete("mirante:worker:main")
    bench.redis.sadd("mirante:{mirante:workers}", "second", "third")
    bench.redis.set("mirante:worker:second", "{}")
    assert add(bench).json()["worker"] == "second"
    bench.redis.set("mirante:worker:third", "{}")
    assert add(bench, "yard").json()["worker"] == "main"
    assert add(bench, "door", worker="third").json()["worker"] == "third"


def test_passwords_are_shown_nowhere(bench: Bench) -> None:
    configured(bench)
    answers = [
        add(bench, url=SECRET, view=SECRET),
        bench.http.get(CAMERAS),
        bench.http.patch(f"{CAMERAS}/gate", json={"fps": 3, "view": SHOWN}),
        bench.http.put(f"{CAMERAS}/gate", json={"url": SECRET, "view": SECRET}),
        bench.http.put(f"{CAMERAS}/gate", json={"url": SECRET, "fps": -1}),
        bench.http.post(f"{CAMERAS}/gate/pause"),
        add(bench, "yard", url=SECRET),
        bench.http.get("/api/v1/openapi.json"),
    ]
    assert [each.status_code for each in answers] == [201, 200, 200, 200, 422, 200, 409, 200]
    bench.until(lambda: len(bench.services.sampler.cameras()) == 2)
    for text in [each.text for each in answers] + [str(bench.services.sampler.cameras())]:
        assert "hunter2" not in text
        assert "credential:" not in text
    camera = bench.camera()
    assert (camera["url"], camera["spec"]["url"], camera["spec"]["view"]) == (SHOWN, SHOWN, SHOWN)
    assert "hunter2" not in str(bench.redis.hgetall("mirante:cameras"))


def test_patch_changes_what_it_names(bench: Bench, tmp_path: Path) -> None:
    add(bench, url=SECRET, fps=10, width=320)
    before = spec_in_redis(bench)["url"]
    for url in ({}, {"url": SHOWN}):
        body = {"fps": 5, "width": None, **url}
        response = bench.http.patch(f"{CAMERAS}/gate", json=body)
        assert response.status_code == 200, response.text
        assert response.json()["spec"] == {"url": SHOWN, "fps": 5}
        assert spec_in_redis(bench)["url"] == before
    kept = json.loads((tmp_path / "credentials.json").read_text())
    assert set(kept.values()) == {"anna:hunter2", "hunter2"}
    bench.http.patch(f"{CAMERAS}/gate", json={"url": "test://"}).raise_for_status()
    assert json.loads((tmp_path / "credentials.json").read_text()) == {}


def test_put_replaces_all(bench: Bench) -> None:
    add(bench, fps=10)
    bench.http.post(f"{CAMERAS}/gate/pause")
    response = bench.http.put(f"{CAMERAS}/gate", json={"url": "test://", "width": 320})
    assert response.json()["spec"] == {"url": "test://", "width": 320}
    assert response.json()["paused"] is True


def test_classes_are_checked_against_what_the_camera_will_be(bench: Bench) -> None:
    bench.worker()
    bench.until(bench.services.sampler.reports)
    add(bench, stages=[{"model": "/srv/own.yaml"}], preview={"blur": ["cat"]})
    place, events = f"{CAMERAS}/gate", {"events": {"nothing_seen": {"cat": 5}}}
    street = {"url": "test://", "stages": [{"model": "street"}]}
    assert bench.http.patch(place, json=street).status_code == 409, "it would blur nothing"
    assert bench.http.put(place, json=street).status_code == 200, "there is nothing to blur"
    refused = bench.http.patch(place, json=events)
    assert refused.status_code == 409, "events alone are changed"
    assert refused.json()["detail"][0].startswith('gate.events.nothing_seen.cat: "cat"')


def test_delete(bench: Bench) -> None:
    add(bench)
    configured(bench)
    answer = bench.http.delete(f"{CAMERAS}/gate")
    assert answer.json() == {"name": "gate", "words": 'camera "gate" removed'}
    assert bench.http.get(f"{CAMERAS}/gate").status_code == 404
    words = bench.http.delete(f"{CAMERAS}/yard").json()["words"]
    assert 'in the configuration of worker "main"; it will come back when' in words
    assert bench.http.get(CAMERAS).json() == []


def test_pause_and_resume_also_of_the_configuration(bench: Bench) -> None:
    configured(bench)
    for what, paused in (("pause", True), ("resume", False)):
        response = bench.http.post(f"{CAMERAS}/yard/{what}")
        assert response.json()["paused"] is paused
        assert Registry(bench.redis).cameras()["yard"].paused is paused


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("PATCH", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("GET", "/history"),
        ("GET", "/timeline"),
        ("GET", "/snapshot.jpg"),
    ],
)
def test_an_unknown_camera(bench: Bench, method: str, path: str) -> None:
    def ask(name: str) -> Any:
        body: dict[str, Any] = {"json": {"url": "test://"}} if method in {"PATCH", "PUT"} else {}
        return bench.http.request(method, f"{CAMERAS}/{name}{path}", **body)

    assert ask("gat").status_code == 404
    assert ask("gat").json() == {"detail": 'no camera "gat"; there is none'}
    add(bench)
    bench.until(bench.services.sampler.cameras)
    assert ask("gat").json() == {"detail": 'no camera "gat"; did you mean "gate"?'}
    assert ask("a b").json() == {"detail": 'no camera "a b"; there are: gate'}


def test_what_is_not_allowed(bench: Bench) -> None:
    add(bench)
    configured(bench)
    assert add(bench).json()["detail"] == (
        'camera "gate" exists already; PATCH changes it and PUT replaces it'
    )
    for method in ("PATCH", "PUT"):
        answer = bench.http.request(method, f"{CAMERAS}/yard", json={"url": "test://"})
        assert answer.status_code == 409
        assert answer.json()["detail"] == (
            'camera "yard" is in the configuration of worker "main"; change it there'
        )


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ({"url": "test://"}, "name: missing — expected 1 to 64 letters, digits, _ . or -, "),
        ({"name": "a b", "url": "test://"}, 'name: "a b" — expected 1 to 64 letters'),
        ({"name": "gate"}, "gate.url: missing — expected rtsp[s]://, http[s]://"),
        ({"url": "test://", "worker": 3}, "worker: 3 — expected 1 to 64 letters"),
        ({"url": "test://", "fsp": 3}, 'gate.fsp: unknown key — did you mean "fps"?'),
        ({"url": "test://", "fps": -3}, "gate.fps: -3 — expected a number greater than 0"),
        ({"url": "gopher://x/y"}, 'gate.url: "gopher://x/y" — unknown scheme "gopher"; expected '),
        ({"url": SHOWN}, "*** stands for a secret that is not shown; expected the whole address"),
        ({"url": "rtsp://${credential:yard-1}@evil/x"}, "expected the password itself"),
        ({"url": "test://", "view": "rtsp://${credential:yard-1}@evil/x"}, "gate.view: "),
        ({"url": "test://", "view": "rtsp://h/${REDIS_PASSWORD}@x"}, "and nowhere else"),
        ({"url": "test://", "view": SHOWN}, "*** stands for a secret that is not shown"),
        ({"url": "test://", "transport": "${credential:yard-1}"}, "gate.transport: "),
        ({"url": "file:///${REDIS_PASSWORD}"}, "expected ${NAME} as user or password of an"),
        ({"url": "rtsp://${REDIS_PASSWORD}:1/x"}, "and nowhere else"),
        ({"url": "rtsp://h/${REDIS_PASSWORD}@x"}, "and nowhere else"),
        ({"url": "test://?size=${REDIS_PASSWORD}"}, "and nowhere else"),
        (
            {"url": "test://", "stages": [{"model": "street", "on": "${REDIS_PASSWORD}"}]},
            "gate.stages[0].on: ",
        ),
        (
            {"url": "test://", "stages": [{"model": "street"}, {"model": "street", "on": "cat"}]},
            'gate.stages[1].on: "cat" — expected a class that an earlier stage finds; did you mean '
            '"car"?',
        ),
        (
            {"url": "test://", "preview": {"blur": ["fase"]}},
            'gate.preview.blur[0]: "fase" — expected a class that a stage of the camera finds; '
            "expected one of",
        ),
        (
            {
                **{"url": "test://", "stages": [{"model": "street"}, {"track": "bytetrack"}]},
                "events": {"classes": ["cra"]},
            },
            'gate.events.classes[0]: "cra" — expected a class that a stage of the camera finds; '
            'did you mean "car"?',
        ),
        (
            {"url": "test://", "onvif": {}},
            "gate.onvif: a camera without a host — expected null, or onvif_url with the address",
        ),
        (
            {"url": "rtsp://192.0.2.1/x", "onvif_url": "rtsp://192.0.2.1/onvif"},
            'gate.onvif_url: "rtsp://192.0.2.1/onvif" — expected http://HOST:PORT/PATH',
        ),
        ({"url": "test://", "stages": [{"model": "street"}] * 33}, "expected at most 32"),
        (
            {"url": "test://", "stages": [{"model": "strete"}]},
            'gate.stages[0].model: "strete" — did you mean "street"?',
        ),
        (
            {"url": "test://", "stages": [{"python": "subprocess:Popen"}]},
            'gate.stages[0].python: "subprocess:Popen" — expected a model; stages of your own',
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_wrong_body_is_refused_by_key_value_and_expectation(
    bench: Bench, body: dict[str, Any], line: str
) -> None:
    bench.worker()
    bench.until(bench.services.sampler.reports)
    whole = body if line.startswith("name") else {"name": "gate", **body}
    response = bench.http.post(CAMERAS, json=whole)
    conflicts = (
        *('stages[1].on: "cat"', "preview.blur[0]", 'model: "strete"', "events.classes"),
        "gate.onvif",
    )
    assert response.status_code == (409 if any(each in line for each in conflicts) else 422)
    [said] = response.json()["detail"]
    assert line in said
    assert bench.http.get(CAMERAS).json() == []


@pytest.mark.parametrize(
    "url",
    ["rtsp://${USER}:${PASSWORD}@192.0.2.1/x", "http://192.0.2.1/?user=a&password=${PASSWORD}"],
)
def test_a_variable_may_stand_for_a_password(bench: Bench, url: str) -> None:
    assert add(bench, url=url).status_code == 201


def test_a_configured_camera_is_tried_as_its_file_says(bench: Bench) -> None:
    """Else anyone who may add cameras could look past what it blurs."""
    file = {"url": "test://", "preview": {"blur": ["person"]}}
    Registry(
        bench.redis, settings=Settings.model_validate({"cameras": {"yard": file}})
    ).publish_config()
    changes: list[dict[str, Any]] = [
        {"preview": {"blur": []}},
        {"preview": None},
        {"stages": [{"model": "street"}]},
    ]
    for keys in changes:
        answer = bench.http.post(f"{CAMERAS}/test", json={"name": "yard", **keys})
        assert answer.status_code == 409
        assert "is tried as it is there" in answer.json()["detail"]


def test_all_mistakes_of_a_body_are_told(bench: Bench) -> None:
    lines = add(bench, fps=-1, width="wide").json()["detail"]
    assert [line.partition(":")[0] for line in lines] == ["gate.width", "gate.fps"]


def test_what_is_no_object_is_refused_in_words(bench: Bench) -> None:
    for content in (b"[1]", b"{"):
        response = bench.http.post(
            CAMERAS, content=content, headers={"Content-Type": "application/json"}
        )
        assert response.status_code == 422
        assert all(isinstance(line, str) for line in response.json()["detail"])
    [line] = bench.http.get(f"{CAMERAS}/gate/timeline?limit=0").json()["detail"]
    assert line.startswith('limit: "0" — ')


def test_the_kinds_of_source_are_those_of_the_table(bench: Bench) -> None:
    kinds = bench.http.get("/api/v1/sources").raise_for_status().json()
    assert [scheme for kind in kinds for scheme in kind["schemes"]] == schemes()
    rtsp = kinds[0]["schemes"]["rtsp"]
    assert rtsp == {"port": 554, "protocol": "tcp", "transports": ["tcp", "udp"]}
