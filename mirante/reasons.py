"""The table of reasons: why a decoded frame was not published, or no model looked at it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

Counter = Literal["dropped", "failed", "damaged", "skipped"]


class Reason(StrEnum):
    """Why a frame is in a counter other than ``published``; keys of ``counts.dropped``.

    Attributes:
        counter: the field of ``counts`` that has it; ``failed`` and ``damaged`` are fields.
        words: the reason in words.
        advice: what to do about many such frames.
    """

    counter: Counter
    words: str
    advice: str

    def __new__(cls, name: str, counter: Counter, words: str, advice: str) -> Reason:
        """Make a row of the table."""
        row = str.__new__(cls, name)
        row._value_ = name
        row.counter, row.words, row.advice = counter, words, advice
        return row

    RATE = (
        "rate",
        "dropped",
        "above the requested rate",
        "Nothing is wrong. A higher fps analyses more frames.",
    )
    QUEUE = (
        "queue",
        "dropped",
        "the models were busy and a newer frame arrived",
        "Lower fps or the analysed width and height, choose a smaller model, or run fewer cameras "
        "on that machine.",
    )
    STAGE = (
        "stage",
        "dropped",
        "dropped by a stage",
        "Check the rules of the camera's own stages.",
    )
    RECONNECT = (
        "reconnect",
        "dropped",
        "in flight when the connection broke",
        "The camera's changes of state give the reason of each break.",
    )
    STOP = (
        "stop",
        "dropped",
        "in flight when the camera was stopped",
        "Nothing is wrong: it was paused, changed or removed.",
    )
    DUPLICATE_PTS = (
        "duplicate_pts",
        "dropped",
        "duplicate timestamp from the camera",
        "Update the camera's firmware, or take another of its streams.",
    )
    OUTBOX = (
        "outbox",
        "dropped",
        "Redis was away for too long",
        "Check Redis and the network to it. A longer redis.ring_s holds results for longer.",
    )
    UNPUBLISHED = (
        "unpublished",
        "dropped",
        "it left a line that nothing publishes",
        "Put mirpublish at the end of the launch line, if results are to go to Redis.",
    )
    REFUSED = (
        "refused",
        "dropped",
        "another publisher has the camera: its frames are there instead",
        "Let one worker alone run the camera.",
    )
    MOVED = (
        "moved",
        "dropped",
        "the fleet moved the camera: another worker published it then",
        "Nothing is wrong.",
    )
    DAMAGED = (
        "damaged",
        "damaged",
        "the decoder made up a part of the image",
        "Use TCP, check the network, or lower the camera's bit rate.",
    )
    FAILED = (
        "failed",
        "failed",
        "a stage failed, or the image broke off before it was decoded",
        "The worker's log names the stage and what it raised.",
    )
    STILL = (
        "still",
        "skipped",
        "nothing moved: published with what was found before; the models did not run",
        "Nothing is wrong. With gate: off models look at each frame.",
    )
    TRACKED = (
        "tracked",
        "skipped",
        "only tracked objects moved, as expected: published where they should be; the models did "
        "not run",
        "Nothing is wrong. Without skip models look at each frame in which something moves.",
    )
