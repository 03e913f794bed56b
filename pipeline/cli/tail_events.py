"""``mirante tail --events``: what happens at cameras, live, a line an event."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import msgspec
import typer

from mirante import Event
from pipeline.cli.lines import clock, say


def print_events(events: Iterable[Event], count: int | None, several: bool, as_json: bool) -> None:
    """Print events as they come.

    Args:
        events: without end.
        count: maximum number of them.
        several: name the camera of each.
        as_json: print JSON Lines instead of lines for people.
    """
    for event in islice(events, count):
        if as_json:
            typer.echo(msgspec.json.encode(event))
        else:
            say(event_words(event, several), "bold" if event.kind.startswith("camera-") else "")


def event_words(event: Event, several: bool = False) -> str:
    """Return one line about an event: time, kind, object, place, how long it stayed, reason."""
    parts = [clock(event.ts), *([event.camera] if several else []), event.kind]
    parts += [words for words in (_object_words(event), _place_words(event)) if words]
    if event.dwell_s is not None:
        parts.append(f"{event.dwell_s:.1f} s")
    if event.speed_kmh is not None:
        parts.append(f"{event.speed_kmh:.0f} km/h")
    return "  ".join([*parts, *([event.reason] if event.reason else [])])


def _object_words(event: Event) -> str:
    """``person #7 (0.91)``."""
    track = "" if event.track_id is None else f"#{event.track_id}"
    score = "" if event.score is None else f"({event.score:.2f})"
    return " ".join(part for part in (event.label, track, score) if part)


def _place_words(event: Event) -> str:
    """``zone door: 3 objects``, ``line gate, in``."""
    places = [f"zone {event.zone}"] if event.zone else []
    places += [f"line {event.line}"] if event.line else []
    place = ", ".join([*places, *([event.direction] if event.direction else [])])
    if event.count is None:
        return place
    objects = f"{event.count} object{'' if event.count == 1 else 's'}"
    return f"{place}: {objects}" if place else objects
