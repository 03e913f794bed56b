"""Ask a worker for a clip of a camera."""

from __future__ import annotations

import msgspec
import redis

from pipeline.control.rpc import ask


class Made(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to a request for a clip.

    Attributes:
        id: of the clip; empty where none is made.
        begins: Unix seconds at which it is to begin.
        ends: and to end; it is listed a little later.
        words: why none is made; else empty.
        is_full: it is for want of room.
    """

    id: str = ""
    begins: float = 0.0
    ends: float = 0.0
    words: str = ""
    is_full: bool = False


_read_made = msgspec.json.Decoder(Made)


def ask_clip(
    client: redis.Redis,
    worker: str,
    camera: str,
    before_s: float | None,
    after_s: float | None,
    timeout_s: float = 10.0,
) -> Made:
    """Ask a worker for a clip of a camera of its, around now.

    Args:
        client: a Redis client that answers bytes.
        worker: the worker's name.
        camera: the camera's name.
        before_s, after_s: seconds before and after now; None as the camera's configuration says.
        timeout_s: how long to wait for the answer.

    Raises:
        NoAnswerError: the worker does not answer in time.
        RefusedError: it runs no such camera.
        redis.RedisError: Redis does not answer.
    """
    request = {"camera": camera, "before_s": before_s, "after_s": after_s}
    return _read_made.decode(ask(client, "clip", worker, request, timeout_s))
