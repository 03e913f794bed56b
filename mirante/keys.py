"""Every name in Redis, the names that cameras may have, and the IDs of stream entries.

Braces are literal: they are Redis Cluster's hash tag, which keeps the keys that one transaction
writes on one node. No worker can have a name that makes two of these names one.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

CAMERA_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"

Kind = Literal["detections", "masks", "events", "images", "tracks", "status", "preview", "groups"]
KINDS: tuple[Kind, ...] = get_args(Kind)

STREAMS = "mirante:{*}:*"
"""The pattern of all streams of all cameras, for ``SCAN``."""
CAMERAS = "mirante:cameras"
"""The hash of configured cameras: name → entry."""
CAMERAS_VERSION = f"mirante:{{{CAMERAS}}}:version"
"""The hash that changes with ``CAMERAS``: ``generation`` and ``number``."""
WORKERS = "mirante:{mirante:workers}"
"""The set of workers that write reports."""
BRIDGES = "mirante:{mirante:bridges}"
"""The set of bridges that run, or ran within a day."""
FLEET_REPORT = "mirante:{mirante:fleet}:report"
"""What the keeper of a fleet said last."""
FLEET_BEATS = "mirante:{mirante:fleet}:beats"
"""The hash of signs of life of a fleet's workers."""
FLEET_DRAINED = "mirante:{mirante:fleet}:drained"
"""The set of workers and nodes of a fleet that are to have no cameras."""
FLEET_KEEPER = "mirante:{mirante:fleet}:keeper"
"""The lease of the process that decides which worker has which camera."""
AUDIT = "mirante:audit"
"""The stream of who changed what."""
BLOBS = "mirante:{mirante:blobs}"
"""The hash of the files that travel to workers through Redis: digest → bytes."""
_ASKED = "mirante:{mirante:asked}"
PROBE = f"{_ASKED}:probe"
"""A key that never is: ``RPUSHX`` and ``XADD … NOMKSTREAM`` write nothing to it, and tell whether
Redis takes writes."""


def lease_key(worker: str) -> str:
    """Return the key that a worker keeps alive while it holds its name."""
    return f"mirante:worker:{worker}"


def report_key(worker: str) -> str:
    """Return the key of a worker's newest report."""
    return f"{WORKERS}:{worker}"


def request_key(what: str, worker: str) -> str:
    """Return the list of requests of one kind that a worker has not taken yet."""
    return f"{_ASKED}:{what}:{worker}"


def answer_key(identity: str) -> str:
    """Return the list that gets the answer to one request."""
    return f"{_ASKED}:answer:{identity}"


def kept_models_key(worker: str) -> str:
    """Return the hash of models that were swapped on a worker: name → what runs."""
    return f"mirante:{{mirante:models}}:kept:{worker}"


def blob_key(digest: str) -> str:
    """Return the hash of the pieces of a file that travels to workers: number → bytes.

    Raises:
        ValueError: that is no SHA-256 in hexadecimal digits.
    """
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise ValueError(f"blob: expected 64 hexadecimal digits, got {digest!r}")
    return f"mirante:{{mirante:blob:{digest}}}:pieces"


def bridge_key(bridge: str, what: Literal["report", "lease", "dead"]) -> str:
    """Return the key of a bridge's newest report, of its lease, or of the stream of what its other
    side will never take.

    Raises:
        ValueError: no bridge can have that name.
    """
    if not re.fullmatch(CAMERA_NAME, bridge):
        raise ValueError(
            f"name: expected 1 to 64 letters, digits, '_', '.', '-', beginning with a letter or "
            f"digit, got {bridge!r}"
        )
    return f"{BRIDGES}:{bridge}:{what}"


def written_key(stream: str, bridge: str) -> str:
    """Return the hash of the last entry of each camera that a bridge wrote to a stream that is not
    ours: on the node of that stream, as one script writes to both.
    """
    return f"mirante:{{{stream}}}:{bridge}:written"


def check_camera(name: str) -> str:
    """The name itself.

    Raises:
        ValueError: no camera can have that name.
    """
    if not isinstance(name, str) or not _is_camera(name):
        raise ValueError(
            f"camera: expected 1 to 64 letters, digits, '_', '.', '-', beginning with a letter or "
            f"digit, got {name!r}"
        )
    return name


@lru_cache(maxsize=1024)  # asked several times for each frame
def _is_camera(name: str) -> bool:
    return re.fullmatch(CAMERA_NAME, name) is not None


def key(camera: str, kind: Kind) -> str:
    """Return the key of a camera's stream, the channel of its ``preview``, or the sorted set
    ``groups`` in which subscribers note how far a consumer group has been served.

    Raises:
        ValueError: no camera can have that name, or there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind: expected one of {', '.join(KINDS)}, got {kind!r}")
    return f"mirante:{{{check_camera(camera)}}}:{kind}"


def owner_key(camera: str) -> str:
    """Return the key of the token that a publisher of the camera's streams must have.

    Raises:
        ValueError: no camera can have that name.
    """
    return f"mirante:{{{check_camera(camera)}}}:owner"


def memory_key(camera: str) -> str:
    """Return the key of what a camera's stages know of earlier frames.

    Raises:
        ValueError: no camera can have that name.
    """
    return f"mirante:{{{check_camera(camera)}}}:memory"


def counts_key(camera: str, day: str) -> str:
    """Return the key of the hash of what a camera counted in the hours of a day of UTC,
    ``2026-11-29``, or in the minutes of four hours, ``2026-11-29T08``.

    Raises:
        ValueError: no camera can have that name.
    """
    return f"mirante:{{{check_camera(camera)}}}:counts:{day}"


def address(kind: str) -> str:
    """Return the key of a kind for any camera, as AsyncAPI writes it: ``mirante:{camera}:kind``."""
    return f"mirante:{{camera}}:{kind}"


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
