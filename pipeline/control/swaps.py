"""Ask a worker to swap a model."""

from __future__ import annotations

import redis

from pipeline.control.rpc import ask


def ask_swap(
    client: redis.Redis, worker: str, model: str, to: str | None, timeout_s: float = 60.0
) -> str:
    """Asks a worker to run ``to`` in the place of ``model``; None for what it ran before.

    Returns:
        What changed, in words.

    Raises:
        NoAnswerError: it does not answer in time.
        RefusedError: it cannot; the running model stays.
        redis.RedisError: Redis does not answer.
    """
    return ask(client, "swap", worker, {"model": model, "to": to}, timeout_s).decode()
