"""Names in Redis: what a camera may be called, where its entries lie, and what numbers them."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, get_args

CAMERA_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"

Kind = Literal["detections", "masks", "events", "status", "preview", "groups"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def check_camera(name: str) -> str:
    """The name itself.

    Raises:
        ValueError: no camera can have that name.
    """
    if not isinstance(name, str) or not re.fullmatch(CAMERA_NAME, name):
        raise ValueError(
            f"camera: expected 1 to 64 letters, digits, '_', '.', '-', beginning with a letter or "
            f"digit, got {name!r}"
        )
    return name


def key(camera: str, kind: Kind) -> str:
    """The key of a camera's stream, the channel of its ``preview``, or the sorted set ``groups``
    in which subscribers note how far a consumer group has been served.

    The braces are literal: they are Redis Cluster's hash tag, which keeps all of a camera's keys
    on one node.

    Raises:
        ValueError: no camera can have that name, or there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind: expected one of {', '.join(KINDS)}, got {kind!r}")
    return f"mirante:{{{check_camera(camera)}}}:{kind}"


def camera_of(stream: str) -> str:
    """The camera of a key made by ``key``.

    Raises:
        ValueError: the key is not of that form.
    """
    found = re.fullmatch(r"mirante:\{([^{}]+)\}:[a-z]+", stream)
    if found is None:
        raise ValueError(f"key: expected mirante:{{camera}}:kind, got {stream!r}")
    return check_camera(found[1])


class EntryId(NamedTuple):
    """The ID of a stream's entry; ordered as Redis orders them.

    Attributes:
        ms: Unix milliseconds of capture, raised where needed so that IDs never fall.
        seq: the frame's number.
    """

    ms: int
    seq: int

    @classmethod
    def parse(cls, text: str | bytes) -> EntryId:
        """Reads ``<ms>-<seq>``.

        Raises:
            ValueError: the text is not of that form.
        """
        if isinstance(text, bytes):
            text = text.decode("ascii", "replace")
        if not re.fullmatch(r"\d{1,20}-\d{1,20}", text, re.ASCII):
            raise ValueError(f"entry ID: expected <milliseconds>-<number>, got {text!r}")
        ms, _, seq = text.partition("-")
        return cls(int(ms), int(seq))

    def __str__(self) -> str:
        return f"{self.ms}-{self.seq}"
