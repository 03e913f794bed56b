"""Templates of messages: Jinja2, sandboxed, and tried before anything is sent."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from jinja2 import StrictUndefined, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bridges.webhook.cloudevents import rfc3339
from bridges.webhook.words import event_sentence
from mirante.client.items import EVENT_FIELDS
from mirante.events import Event

MOST_CHARACTERS = 256 << 10  # of what a template makes of an event
SAMPLE = Event(
    id="1763899600000-7-zone-entered-door",
    camera="gate",
    kind="zone-entered",
    ts=1763899667.123456,
    seq=41,
    epoch=1763899600000,
    track_id=7,
    label="person",
    score=0.87,
    bbox=(310.0, 80.0, 64.0, 180.0),
    zone="door",
    dwell_s=0.4,
    votes={"person": 1.0},
    path=[(342.0, 260.0)],
    image=True,
)
_BARE = Event(id="1763899600000-camera-lost", camera="gate", kind="camera-lost", ts=1763899667.0)


class BadTemplateError(ValueError):
    """A template that cannot be used; says in which line, and why."""


class Template:
    """What is sent of an event, as text.

    It sees ``event`` with all its fields, ``text``, the event in a sentence, ``time``, its moment
    as RFC 3339 writes it, and ``image_url``, the link to its image, empty without one. It can call
    nothing that changes or reaches anything outside.

    Args:
        source: in Jinja2.
        is_json: what it makes must be JSON.

    Raises:
        BadTemplateError: it cannot be read, or fails with an event that has all fields, or with
            one that has only those that each has.
    """

    def __init__(self, source: str, is_json: bool = False) -> None:
        environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
        environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
        environment.filters["tojson"] = _json
        try:
            self._template = environment.from_string(source)
        except TemplateSyntaxError as error:
            raise BadTemplateError(f"line {error.lineno}: {error.message}") from None
        for event in (SAMPLE, _BARE):
            made = self.render(event, "https://cams.example/image")
            if is_json:
                _check_json(made, event)

    def render(self, event: Event, image_url: str = "") -> str:
        """Return the text.

        Raises:
            BadTemplateError: it fails with this event, or makes too much of it.
        """
        said = facts_of(event)
        try:
            made = self._template.render(
                event=said, text=event_sentence(event), time=rfc3339(event.ts), image_url=image_url
            )
            made.encode()  # no request can hold half a character
        except Exception as error:  # noqa: BLE001 Jinja's filters raise whatever Python does
            words = str(error) or type(error).__name__
            raise BadTemplateError(f"{_line(error)}with an event {event.kind}: {words}") from None
        if len(made) > MOST_CHARACTERS:
            raise BadTemplateError(
                f"with an event {event.kind}: {len(made)} characters, expected at most "
                f"{MOST_CHARACTERS}"
            )
        return made


def facts_of(event: Event) -> dict[str, Any]:
    """Return every field of an event, those that it does not have too, as plain values."""
    return {name: msgspec.to_builtins(getattr(event, name)) for name in EVENT_FIELDS}


def _json(value: Any) -> str:
    """As Jinja2's own filter, without escapes that only HTML needs."""
    return json.dumps(value, ensure_ascii=False)


def _check_json(made: str, event: Event) -> None:
    try:
        json.loads(made)
    except ValueError as error:
        raise BadTemplateError(
            f"with an event {event.kind}: expected JSON, as content_type says ({error}); write "
            "values as {{ event.label | tojson }}, or set content_type: text/plain"
        ) from None


def _line(error: BaseException) -> str:
    """``line 3: `` of the template; empty where the error is not from one."""
    found, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            found = trace.tb_lineno
        trace = trace.tb_next
    return f"line {found}: " if found else ""
