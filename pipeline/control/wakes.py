"""Tell a worker that something is happening in front of one of its cameras."""

from __future__ import annotations

import redis

from pipeline.control.rpc import ask

SECONDS, SECONDS_MOST = 10.0, 3600.0


def ask_wake(
    client: redis.Redis, worker: str, camera: str, seconds: float, timeout_s: float = 10.0
) -> str:
    """Wake a camera, and have its models look at each frame for a while; return that in words.

    Args:
        client: a Redis client that answers bytes.
        worker: the worker's name.
        camera: the camera's name.
        seconds: for how long, from now.
        timeout_s: how long to wait for the answer.

    Raises:
        NoAnswerError: the worker does not answer in time.
        RefusedError: it runs no such camera, or the camera has no gate.
        redis.RedisError: Redis does not answer.
    """
    request = {"camera": camera, "seconds": seconds}
    return ask(client, "wake", worker, request, timeout_s).decode()
