"""Look at the newest state and results of all cameras, in one round trip."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Any

import msgspec
import redis

from bridges.mqtt.board import Camera, Frame
from mirante.keys import CAMERAS, CAMERAS_VERSION, STREAMS, EntryId, camera_of, key
from mirante.redis_url import RedisUrl, exchange, reply_to, scan
from mirante.status import Status
from mirante.wire.errors import UNREADABLE
from pipeline.control.entries import Desired, read_entries

_SCAN_S = 5.0
_FRESH_S = 60.0  # a camera of nobody's registry is there as long as it gives results

_read_frame = msgspec.json.Decoder(Frame)
_read_status = msgspec.json.Decoder(Status)


class Look:
    """The cameras in Redis.

    Args:
        url: of Redis.
        patterns: names and patterns of those that matter.

    Attributes:
        cameras: by name, as of the last ``again``.
    """

    def __init__(self, url: RedisUrl, patterns: Sequence[str]) -> None:
        self._patterns = tuple(patterns)
        self._client = url.client()
        self._scanned_s = float("-inf")
        self._streams = set[str]()
        self._registered = set[str]()  # at any time; such a one is gone with its entry
        self.cameras: dict[str, Camera] = {}

    def close(self) -> None:
        """Leave Redis."""
        self._client.close()

    def matters(self, name: str) -> bool:
        """Return whether a camera of that name is one to carry."""
        return any(fnmatchcase(name, each) for each in self._patterns)

    def again(self) -> dict[str, Camera]:
        """Read again; return the cameras that are gone.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        wanted = self._wanted()
        self._registered |= set(wanted)
        others = self._others() - self._registered
        names = sorted({*wanted, *others})
        replies = exchange(
            self._client,
            [
                ("XREVRANGE", key(name, kind), "+", "-", "COUNT", 1)
                for name in names
                for kind in ("status", "detections")
            ],
        )
        before, self.cameras = self.cameras, {}
        for name, said, seen in zip(names, replies[::2], replies[1::2], strict=True):
            camera = before.get(name) or Camera(name)
            camera.desired = wanted.get(name)
            is_fresh = _take(camera, _newest(said), _newest(seen))
            if camera.desired is not None or is_fresh:
                self.cameras[name] = camera
        return {name: each for name, each in before.items() if name not in self.cameras}

    def _wanted(self) -> dict[str, Desired]:
        reply = reply_to(self._client, ("HGETALL", CAMERAS))
        if not reply and not reply_to(self._client, ("EXISTS", CAMERAS_VERSION)):
            # Redis lost all it had, and no worker has said its cameras again.
            found = {name: each.desired for name, each in self.cameras.items()}
            return {name: desired for name, desired in found.items() if desired is not None}
        entries = read_entries(reply[1::2])
        return {name: each for name, each in entries.items() if self.matters(name)}

    def _others(self) -> set[str]:
        """Cameras with results, such as those of a pipeline of the user's own."""
        if time.monotonic() < self._scanned_s + _SCAN_S:
            return self._streams
        self._streams = set()
        for found in scan(self._client, ("MATCH", STREAMS, "COUNT", 1000, "TYPE", "stream")):
            for stream in () if isinstance(found, redis.RedisError) else found:
                text = stream.decode("utf-8", "replace")
                with suppress(ValueError):  # somebody else's
                    if text.endswith("}:detections") and self.matters(name := camera_of(text)):
                        self._streams.add(name)
        self._scanned_s = time.monotonic()
        return self._streams


def _newest(reply: Any) -> tuple[bytes, dict[bytes, bytes]] | None:
    """The ID and the fields of an entry; None where there is none."""
    if isinstance(reply, redis.RedisError) or not reply:
        return None
    entry, flat = reply[0]
    return entry, dict(zip(flat[::2], flat[1::2], strict=True))


def _take(camera: Camera, said: Any, seen: Any) -> bool:
    """Take note of a camera's newest entries; return whether it gave results lately."""
    try:
        if said is not None:
            camera.status = _read_status.decode(said[1][b"json"])
        if seen is not None and seen[0] != camera.entry:
            camera.frame = _read_frame.decode(seen[1][b"json"])
            camera.entry, camera.text = seen[0], seen[1][b"json"]
    except (*UNREADABLE, KeyError):
        return False  # a publisher of another version; the next entry may be readable
    if seen is None:
        return False
    return EntryId.parse(seen[0]).ms / 1000 > time.time() - _FRESH_S
