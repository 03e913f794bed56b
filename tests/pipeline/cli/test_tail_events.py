"""``mirante tail --events`` on a real Redis."""

from __future__ import annotations

import json
import re

import pytest

from mirante import Event
from pipeline.cli.tail_events import event_words
from pipeline.worker.redis_server import RedisServer
from plugins.outbox.outbox import Outbox
from tests.support.outcome import Run
from tests.support.wire_frames import some_event


@pytest.mark.redis
def test_lines_for_people_and_lines_of_json(redis_server: RedisServer, mirante: Run) -> None:
    outbox = Outbox(redis_server.url)
    outbox.start()
    for number, label in enumerate(["person", "car", "person"]):
        outbox.events("gate", 1_000 + number, [some_event(id=f"e{number}", label=label)])
    assert outbox.close(10) == 0
    where = ("--where", "label = person and line = gate")
    asked = ("tail", "gate", "--redis", redis_server.url, "--since", "2e9", "--events", *where)
    outcome = mirante(*asked, "--count", "2")
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert [re.sub(r"^\d\d:\d\d:\d\d\.\d{3}  ", "", line) for line in lines] == [
        "line-crossed  person #7 (0.91)  line gate, in  12.5 s  4 km/h  person crossed gate, in"
    ] * 2
    outcome = mirante(*asked, "--count", "2", "--json")
    found = [json.loads(line) for line in outcome.out.splitlines()]
    assert [(each["id"], each["entry_id"]) for each in found] == [
        ("e0", "1000-0"),
        ("e2", "1002-0"),
    ]
    outcome = mirante(*asked[:-1], "lable = a")
    assert outcome.status == 2
    assert outcome.err.startswith("mirante: where: position 1: expected a field of events")
    assert outcome.err.endswith('got "lable"; did you mean "label"?\n')


@pytest.mark.parametrize("options", [["--where", "label = a"], ["--json"]])
def test_options_of_events_need_events(options: list[str], mirante: Run) -> None:
    outcome = mirante("tail", "gate", *options)
    assert outcome.status == 2
    assert "--where and --json: expected with --events" in " ".join(outcome.err.split())


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Event(id="a", camera="gate", kind="nothing-seen", ts=0), "gate  nothing-seen"),
        (
            Event(id="a", camera="gate", kind="zone-crowded", ts=0, zone="door", count=3),
            "gate  zone-crowded  zone door: 3 objects",
        ),
        (
            Event(id="a", camera="gate", kind="camera-lost", ts=0, reason="no frame for 3 s"),
            "gate  camera-lost  no frame for 3 s",
        ),
        (
            Event(id="a", camera="gate", kind="zone-left", ts=0, zone="door", track_id=7, count=1),
            "gate  zone-left  #7  zone door: 1 object",
        ),
    ],
)
def test_what_an_event_has_not_is_not_said(event: Event, words: str) -> None:
    assert event_words(event, several=True).partition("  ")[2] == words
