"""JSON from outside that is nested without end, or none for anyone but Python, costs a refusal."""

from __future__ import annotations

import json
import logging
import socket
from typing import cast

import httpx
import pytest

from pipeline.control import audit
from tests.support.api_server import Bench

pytestmark = pytest.mark.redis

ROUTES = [
    ("POST", "/api/v1/cameras"),
    ("POST", "/api/v1/cameras/test"),
    ("PATCH", "/api/v1/cameras/gate"),
    ("PUT", "/api/v1/cameras/gate"),
    ("POST", "/api/v1/session"),
    ("POST", "/api/v1/discovery"),
]
TOO_DEEP = "body: expected lists and mappings up to 32 levels deep"


def nested(levels: int, inside: str = "") -> str:
    return "[" * levels + inside + "]" * levels


@pytest.fixture
def quiet(bench: Bench, caplog: pytest.LogCaptureFixture) -> Bench:
    """A server with a camera; no answer may be 500."""
    bench.http.post("/api/v1/cameras", json={"name": "gate", "url": "test://"}).raise_for_status()
    caplog.set_level(logging.WARNING)
    return bench


def sent(bench: Bench, method: str, path: str, body: str | bytes) -> httpx.Response:
    return bench.http.request(
        method, path, content=body, headers={"Content-Type": "application/json"}
    )


def test_a_body_is_refused_in_words_whatever_its_depth(
    quiet: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    for method, path in ROUTES:
        for levels in (40, 300, 940, 970, 990, 100_000):
            for body in (
                nested(levels),
                f'{{"name": "x", "url": "test://", "stages": {nested(levels)}}}',
                f'{{"user": "a", "password": {nested(levels)}}}',
                '{"a":' * levels + "1" + "}" * levels,
            ):
                answer = sent(quiet, method, path, body)
                said = (answer.status_code, answer.json()["detail"])
                assert said == (422, [TOO_DEEP]), f"{method} {path} {levels} {body[:40]}"
    assert not caplog.records


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"user": "\xff"}', "body: expected JSON in UTF-8"),
        ('{"user": "\\ud800"}', "body: expected characters, got half of a surrogate pair"),
        ('{"\\ud800": 1}', "body: expected characters, got half of a surrogate pair"),
        ('{"fps": NaN}', "body: expected JSON, which has no NaN"),
        ('{"fps": -Infinity}', "body: expected JSON, which has no -Infinity"),
        ('{"fps": 1e999}', "body: expected numbers up to 1.8e308, got 1e999"),
        ('{"fps": ' + "9" * 5000 + "}", "body: Exceeds the limit"),
        ('{"fps": ', "body: expected JSON: "),
        ('{"a": {"door": 1, "door": 2}}', 'body: expected each key once, got "door" twice'),
        ('{"\\ud800": 1, "\\ud800": 2}', 'body: expected each key once, got "\\ud800" twice'),
    ],
)
def test_what_is_json_for_python_alone_is_refused(
    quiet: Bench, body: str | bytes, words: str
) -> None:
    for method, path in (ROUTES[0], ROUTES[2], ROUTES[5]):
        answer = sent(quiet, method, path, body)
        assert answer.status_code == 422
        [line] = answer.json()["detail"]
        assert line.startswith(words)


def test_very_many_mistakes_are_counted_and_not_all_told(quiet: Bench) -> None:
    body = json.dumps({"name": "x", "url": "test://", **{f"k{i}": 0 for i in range(60_000)}})
    answer = sent(quiet, "POST", "/api/v1/cameras", body)
    lines = answer.json()["detail"]
    assert (answer.status_code, len(lines)) == (422, 101)
    assert lines[-1] == "and 59900 mistakes more"


def test_entries_of_redis_that_nest_too_deep_cost_their_own_place_alone(
    quiet: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    good = {"name": "yard", "url": "test://"}
    quiet.http.post("/api/v1/cameras", json=good).raise_for_status()
    entry = cast(bytes, quiet.redis.hget("mirante:cameras", "yard")).decode()
    for levels in (300, 900, 100_000):
        deep = nested(levels)
        for kind in ("detections", "events", "status"):
            quiet.redis.xadd(f"mirante:{{gate}}:{kind}", {"json": f'{{"a": {deep}}}'})
            quiet.redis.xadd(f"mirante:{{gate}}:{kind}", {"other": "x"})
        text = entry.replace('"url"', f'"n{levels}": {deep}, "url"')
        quiet.redis.hset("mirante:cameras", "yard", text)
        quiet.redis.set("mirante:worker:other:report", f'{{"worker": {deep}}}')
        assert [one["name"] for one in quiet.http.get("/api/v1/cameras").json()] == ["gate"]
        timeline = quiet.http.get("/api/v1/cameras/gate/timeline").raise_for_status().json()
        assert timeline["unreadable"] >= 4
        assert not timeline["states"]
        for path in ("cameras/gate", "cameras/gate/history", "system", "models"):
            assert quiet.http.get(f"/api/v1/{path}").status_code == 200
        assert quiet.http.get("/api/v1/results/gate/latest").status_code == 502
    assert not [record for record in caplog.records if record.exc_info]


def test_whoever_leaves_before_the_body_is_whole_is_no_failure(
    quiet: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """As a page whose form is closed while it asks."""
    base = quiet.http.base_url
    head = f"POST /api/v1/cameras HTTP/1.1\r\nHost: {base.host}\r\n"
    with socket.create_connection((base.host, base.port)) as leaver:
        leaver.sendall(f"{head}Content-Length: 99\r\n\r\n{{".encode())
    log = quiet.services.access.store.path.parent / audit.FILE
    quiet.until(lambda: log.exists() and b'"code":499' in log.read_bytes())
    assert not caplog.records
