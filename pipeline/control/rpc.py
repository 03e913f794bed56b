"""Requests to a running worker, over lists in Redis: asked by commands and pages, done by it."""

from __future__ import annotations

import json
import logging
import math
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

import redis

from mirante.keys import answer_key, bridge_key, request_key
from pipeline.control.lease import holders, not_running

log = logging.getLogger(__name__)

What = Literal["swap", "trial", "clip", "wake", "hook"]
Handler = Callable[[dict[str, Any]], bytes]
AT_ONCE: Mapping[What, int] = {"swap": 1, "trial": 2, "clip": 4, "wake": 4, "hook": 1}
ANSWER_KEPT_S = 300
# Before an answer's bytes, and before the words of a handler that raised.
DONE, REFUSED = b"+", b"-"
LOOK_S = 1.0  # shorter than the socket's own time-out


class NoAnswerError(RuntimeError):
    """No worker accepted the request in time, or only other workers are running."""


class RefusedError(RuntimeError):
    """The worker could not do it; the message says why, in its words."""


def ask(
    client: redis.Redis,
    what: What,
    worker: str,
    request: Mapping[str, object],
    timeout_s: float = 60.0,
) -> bytes:
    """Asks a worker for something and waits for its answer.

    Args:
        client: a Redis client that answers bytes.
        what: the kind of request, for which the worker has a handler.
        worker: the worker's name.
        request: JSON values, no secrets: Redis holds them until the worker takes them.
        timeout_s: how long to wait; a worker does not find the request later.

    Returns:
        What the worker's handler returned.

    Raises:
        NoAnswerError: it does not answer in time, or only other workers are running. Where none
            is running yet, the request waits for it.
        RefusedError: its handler raised an error.
        redis.RedisError: Redis does not answer.
    """
    running = holders(client, worker)
    if running and worker not in running:
        raise NoAnswerError(not_running(worker, running))
    return _asked(client, what, worker, request, timeout_s, f'worker "{worker}"')


def ask_bridge(
    client: redis.Redis, what: What, bridge: str, request: Mapping[str, object], timeout_s: float
) -> bytes:
    """Ask a bridge as ``ask`` does a worker.

    Raises:
        NoAnswerError: it does not run, or does not answer in time.
        RefusedError, redis.RedisError, ValueError: as ``ask``; no bridge can have that name.
    """
    if not client.exists(bridge_key(bridge, "lease")):
        raise NoAnswerError(f'bridge "{bridge}" is not running on this Redis')
    return _asked(client, what, bridge, request, timeout_s, f'bridge "{bridge}"')


def _asked(
    client: redis.Redis,
    what: What,
    name: str,
    request: Mapping[str, object],
    timeout_s: float,
    whose: str,
) -> bytes:
    identity = secrets.token_hex(8)
    asked, answer = request_key(what, name), answer_key(identity)
    entry = json.dumps({"id": identity, "request": request})
    # Whoever asks may be killed and never withdraw it. Only Redis 7 can be told not to shorten.
    kept_s = max(math.ceil(timeout_s), client.ttl(asked))
    with client.pipeline(transaction=True) as pipe:
        pipe.rpush(asked, entry)
        pipe.expire(asked, kept_s)
        pipe.execute()
    try:
        got = _wait(client, answer, timeout_s)
    finally:
        client.lrem(asked, 0, entry)
    if got is None:
        raise NoAnswerError(
            f"{whose} gave no answer within {timeout_s:g} s; is it running on this Redis?"
        )
    if got.startswith(REFUSED):
        raise RefusedError(got.removeprefix(REFUSED).decode())
    return got.removeprefix(DONE)


def _wait(client: redis.Redis, answer: str, timeout_s: float) -> bytes | None:
    until_s = time.monotonic() + timeout_s
    while (left_s := until_s - time.monotonic()) > 0:
        # Redis reads 0 as for ever.
        got = cast(Any, client.blpop([answer], timeout=min(LOOK_S, max(left_s, 0.01))))
        if got is not None:
            return cast(bytes, got[1])
    return None


class Requests:
    """The worker's side: takes what is asked of it, each request on a thread of its own.

    Args:
        client: a Redis client that answers bytes.
        worker: the worker's name.
        handlers: what is done by kind. A handler gets the request and returns the answer's bytes;
            the words of any error that it raises go to whoever asked. It is called by as many
            threads at once as ``AT_ONCE`` says of its kind; other requests wait in Redis.
    """

    def __init__(self, client: redis.Redis, worker: str, handlers: Mapping[What, Handler]) -> None:
        self._client, self._worker, self._handlers = client, worker, handlers
        self._busy: dict[What, list[threading.Thread]] = {what: [] for what in handlers}

    def poll(self) -> None:
        """Takes the next request of each kind, as far as it has a free thread. Never waits for one.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        for what in self._handlers:
            busy = self._busy[what] = [each for each in self._busy[what] if each.is_alive()]
            if len(busy) >= AT_ONCE[what]:
                continue
            raw = cast(bytes | None, self._client.lpop(request_key(what, self._worker)))
            if raw is not None:
                thread = threading.Thread(
                    target=self._work, args=(what, raw), name=f"asked-{what}", daemon=True
                )
                busy.append(thread)
                thread.start()

    def _work(self, what: What, raw: bytes) -> None:
        try:
            entry = json.loads(raw)
            identity, request = str(entry["id"]), dict(entry["request"])
        except (ValueError, KeyError, TypeError, RecursionError):
            log.error('a request for a %s is not {"id": …, "request": {…}}; nobody is told', what)
            return
        try:
            answer = DONE + self._handlers[what](request)
        except Exception as error:  # noqa: BLE001 whoever asked is told, and the worker goes on
            words = " ".join(str(error).split()) or type(error).__name__
            log.error("%s, requested: %s", what, words)
            answer = REFUSED + words.encode()
        try:
            self._answer(answer_key(identity), answer)
        except redis.RedisError as error:
            log.error("%s: whoever asked gets no answer: %s", what, error)

    def _answer(self, key: str, answer: bytes) -> None:
        with self._client.pipeline(transaction=True) as pipe:
            pipe.rpush(key, answer)
            pipe.expire(key, ANSWER_KEPT_S)
            pipe.execute()
