"""The arguments of ``subscribe``."""

from datetime import UTC, datetime
from typing import Any

import pytest

import mirante
from mirante.client.plan import Plan
from mirante.keys import EntryId


def plan(*args: Any, **kwargs: Any) -> Plan:
    with mirante.subscribe(*args, redis="redis://h", **kwargs) as subscription:
        return subscription.plan


def test_masks_beside_detections_are_looked_up() -> None:
    assert plan("gate").kinds == ("detections",)
    joined = plan("gate", ["masks", "status", "detections"])
    assert joined.kinds == ("detections", "status")
    assert joined.join_masks
    alone = plan("gate", "masks")
    assert (alone.kinds, alone.join_masks) == (("masks",), False)


def test_cameras() -> None:
    assert (plan("*").cameras, plan("*").patterns) == ((), ("*",))
    mixed = plan(["gate-*", "yard", "gate-*", "[ab]?"])
    assert (mixed.cameras, mixed.patterns) == (("yard",), ("gate-*", "[ab]?"))
    assert plan("gate").cameras == ("gate",)
    assert plan(["a", "b", "a"]).cameras == ("a", "b")


@pytest.mark.parametrize(
    ("since", "start", "resume"),
    [
        (None, None, False),
        ("0", EntryId(0, 0), False),
        ("17-4", EntryId(17, 4), True),
        (datetime(2020, 1, 1, tzinfo=UTC), EntryId(1577836799999, 2**64 - 1), False),
    ],
)
def test_since(since: Any, start: Any, resume: bool) -> None:
    made = plan("gate", since=since)
    assert (made.since, made.resume) == (start, resume)


def test_since_seconds_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 100.0)
    assert plan("gate", since=10).since == EntryId(89_999, 2**64 - 1)


def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIRANTE_REDIS_URL", raising=False)
    assert str(mirante.subscribe("gate").plan.url) == "redis://127.0.0.1:6379"
    monkeypatch.setenv("MIRANTE_REDIS_URL", "redis://elsewhere")
    assert str(mirante.subscribe("gate").plan.url) == "redis://elsewhere"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"cameras": "a b"}, "camera: expected 1 to 64 letters"),
        ({"cameras": []}, "cameras: expected a name, several, or '\\*', got none"),
        ({"cameras": ["yard", "gate *"]}, "cameras: expected a pattern of letters, .* 'gate \\*'"),
        ({"kinds": ["pictures"]}, "kinds: expected some of detections, masks, events, status"),
        ({"kinds": []}, "kinds: expected some of"),
        ({"where": "label = person"}, "where: expected events among the kinds"),
        ({"kinds": "events", "where": ""}, "where: position 1: expected a field of events"),
        ({"since": "yesterday"}, "entry ID: expected <milliseconds>-<number>, got 'yesterday'"),
        ({"consumer": "a"}, "consumer: expected a group with it, got consumer='a' alone"),
        ({"block_s": 0}, "block_s: expected more than 0 seconds, got 0"),
        ({"timeout_s": -1}, "timeout_s: expected more than 0 seconds, got -1"),
        ({"redis": "localhost"}, "Redis address: expected redis://"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        mirante.subscribe(**arguments)


def test_an_unknown_argument_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="colour"):
        options: Any = {"colour": "red"}
        mirante.subscribe("gate", **options)
