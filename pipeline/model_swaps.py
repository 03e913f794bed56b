"""Models swapped by hand in a running worker: asked for and kept in Redis, done by the worker."""

from __future__ import annotations

import json
import logging
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import redis

from engines import serving

log = logging.getLogger(__name__)

# The braces put them into one cluster slot.
KEPT = "mirante:{mirante:models}:kept"
ASKED = "mirante:{mirante:models}:asked"
ANSWER = "mirante:{mirante:models}:answer"
ANSWER_KEPT_S = 300


class NoAnswerError(RuntimeError):
    """No worker took the request in time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request.

    Attributes:
        accepted: whether it was done.
        words: what changed, or why not.
    """

    accepted: bool
    words: str


def ask(
    client: redis.Redis, worker: str, model: str, to: str | None, timeout_s: float = 60.0
) -> Answer:
    """Asks a worker to run ``to`` in the place of ``model``; None for what it ran before.

    Raises:
        NoAnswerError: it does not answer in time; it does not find the request later either.
        redis.RedisError: Redis does not answer.
    """
    identity = secrets.token_hex(8)
    request = json.dumps({"id": identity, "model": model, "to": to})
    asked, answer = f"{ASKED}:{worker}", f"{ANSWER}:{identity}"
    client.rpush(asked, request)
    got: Any = None
    waited_s = 0.0
    while got is None and waited_s < timeout_s:  # shorter than the socket's own time-out
        got = client.blpop([answer], timeout=1)
        waited_s += 1.0
    if got is None:
        client.lrem(asked, 0, request)
        raise NoAnswerError(
            f'worker "{worker}" gave no answer within {timeout_s:g} s; is it running on this Redis?'
        )
    return Answer(**json.loads(got[1]))


class ModelSwaps:
    """The worker's side. Loading is done on a thread of its own.

    Args:
        client: of Redis.
        worker: the worker's name.
        on_swapped: told of a name after a swap by hand.
    """

    def __init__(self, client: redis.Redis, worker: str, on_swapped: Callable[[str], None]) -> None:
        self._client, self._worker, self._on_swapped = client, worker, on_swapped
        self._busy: threading.Thread | None = None

    def restore(self) -> None:
        """What was swapped before a restart, before the cameras start.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        kept = cast(Mapping[bytes, bytes], self._client.hgetall(f"{KEPT}:{self._worker}"))
        for field, value in kept.items():
            name, entry = field.decode(), json.loads(value)
            try:
                serving.restore(name, entry["runs"], tuple(entry["before"]))
            except Exception as error:  # noqa: BLE001 the model that is configured runs instead
                log.error("model %s: %s, asked for earlier: %s", name, entry["runs"], error)
                continue
            undo = f"mirante models rollback {name}"
            log.warning("model %s: %s, asked for earlier; undo: %s", name, entry["runs"], undo)
            self._on_swapped(name)

    def poll(self) -> None:
        """Takes the next request, if there is one and none is being worked on.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        if self._busy is not None and self._busy.is_alive():
            return
        raw = cast(bytes | None, self._client.lpop(f"{ASKED}:{self._worker}"))
        if raw is not None:
            self._busy = threading.Thread(
                target=self._work, args=(json.loads(raw),), name="model-swap", daemon=True
            )
            self._busy.start()

    def _work(self, request: Mapping[str, Any]) -> None:
        name, to = _in_full(request["model"]), request["to"]
        try:
            if to is None:
                answer = Answer(True, f"{serving.rollback(name)} runs again")
            else:
                answer = Answer(True, serving.swap(name, to))
        except Exception as error:  # noqa: BLE001 whoever asked is told, and the old model runs on
            answer = Answer(False, " ".join(str(error).split()))
        log.log(
            logging.INFO if answer.accepted else logging.ERROR,
            "model %s: %s: %s",
            name,
            "back" if to is None else f"swap for {to}",
            answer.words,
        )
        try:
            if answer.accepted:
                self._keep(name)
            self._answer(request["id"], answer)
        except redis.RedisError as error:
            log.error("model %s: the swap holds until the worker ends: %s", name, error)

    def _keep(self, name: str) -> None:
        """Notes what runs, so that a restart finds it."""
        (entry,) = (each for each in serving.in_use() if each.name == name)
        self._on_swapped(name)
        kept = json.dumps({"runs": entry.runs, "before": entry.before})
        self._client.hset(f"{KEPT}:{self._worker}", name, kept)

    def _answer(self, identity: str, answer: Answer) -> None:
        key = f"{ANSWER}:{identity}"
        with self._client.pipeline(transaction=True) as pipe:
            pipe.rpush(key, json.dumps(asdict(answer)))
            pipe.expire(key, ANSWER_KEPT_S)
            pipe.execute()


def _in_full(name: str) -> str:
    """A model of the folder ``models`` by its short name."""
    full = [each.name for each in serving.in_use() if Path(each.name).stem == name]
    return full[0] if len(full) == 1 else name
