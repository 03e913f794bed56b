"""``/api/v1/events``, the images of events, and counts over time."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dashboard.api.linked_image import NO_LINKS
from dashboard.history import happened
from mirante.counts import Series, digits_of
from mirante.events import Event, EventKind
from mirante.keys import key
from pipeline.control.image_links import link
from pipeline.worker.redis_server import RedisServer
from tests.support.api_server import Bench, serving
from tests.support.tokens import hashed

pytestmark = pytest.mark.redis

EVENTS = "/api/v1/events"
NOON = 1_795_953_600
TOKENS = {
    "all": hashed("all", role="admin"),
    "yard": hashed("yard", role="viewer", cameras=["yard-*"]),
}
ADMIN, YARD = ({"Authorization": f"Bearer {name}"} for name in TOKENS)


@pytest.fixture
def site(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    """Three cameras, of which the token of yard sees two."""
    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path))
    with serving(redis_server, tmp_path, tokens=TOKENS) as made:
        made.http.headers.update(ADMIN)
        for name in ("yard-1", "yard-2", "gate"):
            body = {"name": name, "url": "test://"}
            made.http.post("/api/v1/cameras", json=body).raise_for_status()
        yield made


def happen(
    site: Bench, camera: str, ms: int, kind: EventKind = "object-new", seq: int = 0, **more: Any
) -> str:
    """Write an event as a worker would; return the ID of its entry."""
    event = Event(id=f"{camera}-{ms}-{seq}", camera=camera, kind=kind, ts=ms / 1000, **more)
    entry = f"{ms}-{seq}"
    site.redis.xadd(key(camera, "events"), {"json": msgspec.json.encode(event)}, id=entry)
    return entry


def asked(site: Bench, **params: Any) -> dict[str, Any]:
    return dict(site.http.get(EVENTS, params=params).raise_for_status().json())


def pages(site: Bench, **params: Any) -> list[list[str]]:
    """Every page, as ``camera entry``, following ``next``."""
    read, behind = [], dict[str, Any]()
    while True:
        page = asked(site, **params, **behind)
        read.append([f"{each['camera']} {each['entry']}" for each in page["events"]])
        if page["next"] is None:
            return read
        behind = {"before": page["next"]}


def test_pages_of_several_cameras_hold_each_event_once_newest_first(site: Bench) -> None:
    made = [
        (ms, seq, camera)
        for ms, seq, camera in product(range(1000, 1016), (0, 1), ("gate", "yard-1", "yard-2"))
        if (ms + seq) % 3 or camera != "yard-1"
    ]
    for ms, seq, camera in made:
        happen(site, camera, ms, seq=seq)
    whole = sorted(made, key=lambda each: (-each[0], -each[1], each[2]))
    for limit in (7, 500):
        read = pages(site, limit=limit)
        assert [name for page in read for name in page] == [f"{c} {m}-{s}" for m, s, c in whole]
        assert all(len(page) <= limit for page in read)
    two = pages(site, camera=["yard-1", "gate"], since=1.010, until=1.012, limit=3)
    inside = [f"{c} {m}-{s}" for m, s, c in whole if 1010 <= m < 1012 and c != "yard-2"]
    assert [name for page in two for name in page] == inside
    last = [f"{each['camera']} {each['entry']}" for each in asked(site, before="1000-1")["events"]]
    assert last == [f"{c} {m}-{s}" for m, s, c in whole if (m, s) < (1000, 1)]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("events?since=1&until=0", "since: 1.0 — expected a moment before until, which is 0.0"),
        ("events?since=5&until=5", "since: 5.0 — expected a moment before until, which is 5.0"),
        ("cameras/gate/counts?from=5&to=3", "from: 5 — expected a moment before to, which is 3"),
    ],
)
def test_a_time_that_ends_before_it_begins_is_refused(site: Bench, path: str, line: str) -> None:
    answer = site.http.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["detail"]) == (422, [line])


FILTERS: tuple[tuple[dict[str, Any], list[str]], ...] = (
    ({"kind": "zone-entered"}, ["3-0"]),
    ({"kind": ["zone-entered", "line-crossed"]}, ["4-0", "3-0"]),
    ({"label": "person"}, ["3-0", "1-0"]),
    ({"zone": "door"}, ["3-0"]),
    ({"line": "curb", "label": "car"}, ["4-0"]),
    ({"line": "curb", "label": "person"}, []),
    ({"where": "label = person and zone = door or line = curb"}, ["4-0", "3-0"]),
    ({"where": 'zone = ""', "kind": "object-new"}, ["2-0", "1-0"]),
)


def test_filters(site: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    happen(site, "gate", 1, label="person")
    happen(site, "gate", 2, label="car")
    happen(site, "gate", 3, "zone-entered", label="person", zone="door")
    happen(site, "gate", 4, "line-crossed", label="car", line="curb")
    site.redis.xadd(key("gate", "events"), {"json": '{"label":["person"]}'}, id="5-0")
    site.redis.xadd(key("gate", "events"), {"json": "none"}, id="6-0")
    for wanted, found in FILTERS:
        page = asked(site, **wanted)
        assert [each["entry"] for each in page["events"]] == found, wanted
        lacks_fields = wanted.keys() == {"where"}  # a filter is of events that are whole
        assert (page["next"], page["unreadable"]) == (None, 1 + lacks_fields)
    monkeypatch.setattr(happened, "READ_MOST", 2)  # a page may find nothing, and say where to go on
    for wanted, found in FILTERS:
        read = [name for page in pages(site, **wanted) for name in page]
        assert read == [f"gate {entry}" for entry in found], wanted


def test_what_is_asked_wrongly_is_named(site: Bench) -> None:
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"kind": "zone-enterd"}, 'kind[0]: "zone-enterd" — did you mean "zone-entered"?'),
        ({"since": "yesterday"}, "expected Unix seconds"),
        ({"where": "lable = person"}, 'got "lable"; did you mean "label"?'),
        ({"limit": 0}, "greater than or equal to 1"),
        ({"before": "x"}, "before"),
    )
    for params, words in wrong:
        answer = site.http.get(EVENTS, params=params)
        assert (answer.status_code, len(answer.json()["detail"])) == (422, 1)
        assert words in answer.json()["detail"][0]


def test_a_hidden_camera_is_none_and_a_removed_one_keeps_its_events(site: Bench) -> None:
    entry = happen(site, "gate", 5, image=True)
    happen(site, "yard-1", 4)
    happen(site, "yard-9", 3)
    site.redis.xadd(key("gate", "images"), {"jpeg": b"\xff\xd8gate"}, id=entry)
    image = f"/api/v1/cameras/gate/events/{entry}/image"
    assert site.http.get(image).content == b"\xff\xd8gate"
    missing = site.http.get("/api/v1/cameras/yard-1/events/4-0/image")
    assert (missing.status_code, missing.json()["detail"]) == (
        404,
        'no image of entry 4-0 of camera "yard-1" is kept',
    )
    assert asked(site, camera="yard-9")["events"][0]["entry"] == "3-0"
    site.http.headers.update(YARD)
    assert [each["camera"] for each in asked(site)["events"]] == ["yard-1"]
    for path in (image, f"{EVENTS}?camera=gate", f"{EVENTS}?camera=yard-8"):
        assert site.http.get(path).status_code == 404, path


def test_a_signed_link_shows_one_image_to_whoever_has_it(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    secret, soon = "0123456789abcdef", int(time.time()) + 3600
    with serving(redis_server, tmp_path, tokens=TOKENS, link_secret=secret) as site:
        entry = happen(site, "gate", 5, image=True)
        site.redis.xadd(key("gate", "images"), {"jpeg": b"\xff\xd8gate"}, id=entry)

        def status(made: str) -> int:
            return site.http.get(made).status_code

        good = link(site.address, secret, "gate", entry, soon)
        shown = site.http.get(good)
        assert (shown.content, shown.headers["content-type"]) == (b"\xff\xd8gate", "image/jpeg")
        framed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}  # <img> elsewhere
        there = site.http.get(good, headers=framed)
        assert (there.status_code, there.content) == (200, shown.content)
        assert there.headers["cross-origin-resource-policy"] == "cross-origin"
        assert status(f"/api/v1/cameras/gate/events/{entry}/image") == 401  # nothing else opens
        past, far = int(time.time()) - 1, soon + 31 * 86_400
        assert status(link("", secret, "gate", entry, past)) == 403
        assert status(link("", secret, "gate", entry, far)) == 403
        assert status(link("", "another secret 16", "gate", entry, soon)) == 403
        for was, other in (("=gate", "=yard"), (entry, "6-0"), (str(soon), str(soon + 1))):
            assert status(good.replace(was, other)) == 403
        assert status(link("", secret, "gate", "6-0", soon)) == 404
        assert status(good[:-1]) == status(good.replace("signature=", "signature=ä")) == 403
        assert status(good.partition("&until")[0]) == 422


def test_no_link_opens_without_a_secret(site: Bench) -> None:
    del site.http.headers["Authorization"]
    answer = site.http.get(link("", "", "gate", "5-0", int(time.time()) + 60))
    assert (answer.status_code, answer.json()["detail"]) == (404, NO_LINKS)


def test_counts_as_json_and_csv(site: Bench) -> None:
    new, crossed = Series("new", "", "person"), Series("in", "curb", "=car, big")
    for series, ts, value in ((new, NOON, 3), (new, NOON + 60, 70), (crossed, NOON + 60, 1)):
        for write in digits_of("gate", series, ts, value, "minute"):
            before: Any = site.redis.hget(write.key, write.field) or b""
            held = before.decode().ljust(write.at, "0")
            text = held[: write.at] + write.text + held[write.at + 1 :]
            site.redis.hset(write.key, write.field, text)
    path = "/api/v1/cameras/gate/counts"
    span: dict[str, Any] = {"by": "minute", "from": NOON, "to": NOON + 3600}
    answer = site.http.get(path, params=span).raise_for_status().json()
    assert [(s["metric"], s["line"], s["label"], s["values"]) for s in answer["series"]] == [
        ("in", "curb", "=car, big", [[NOON + 60, 1]]),
        ("new", "", "person", [[NOON, 3], [NOON + 60, 70]]),
    ]
    table = site.http.get(path, params={**span, "format": "csv"})
    assert table.headers["content-type"].startswith("text/csv")
    assert list(csv.reader(io.StringIO(table.text))) == [
        ["time", "metric", "zone", "line", "label", "value"],
        ["2026-11-29T12:00:00Z", "new", "", "", "person", "3"],
        ["2026-11-29T12:01:00Z", "in", "", "curb", "=car, big", "1"],
        ["2026-11-29T12:01:00Z", "new", "", "", "person", "70"],
    ]
    assert site.http.get(path).json()["series"] == []
    refused: list[dict[str, Any]] = [{"from": NOON, "to": NOON}, {"from": 0}, {"by": "day"}]
    for wrong in refused:
        assert site.http.get(path, params=wrong).status_code == 422, wrong
