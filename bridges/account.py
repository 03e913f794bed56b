"""Count a bridge's progress while it carries, and report it to Redis every second."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import redis

from bridges.parcel import Bridge
from mirante.backoff import Backoff
from mirante.client.plan import Plan
from mirante.keys import EntryId, bridge_key
from mirante.outage import Outage
from mirante.redis_url import exchange, refuses
from pipeline.control.bridge_reports import BridgeReport, BridgeState, publish, reported
from pipeline.control.lease import Lease

log = logging.getLogger(__name__)

_EVERY_S = 1.0
_RETRY_S = (0.2, 5.0)  # pauses while Redis is away at the start


@dataclass
class Account:
    """Outcomes of the items so far; written by the thread that carries them."""

    state: BridgeState = "connecting"
    words: str = ""
    delivered: int = 0
    failed: int = 0
    dead: int = 0
    lost: int = 0
    last_error: str = ""
    last_error_at: float | None = None
    streams: tuple[str, ...] = ()
    oldest: EntryId | None = None
    started: float = field(default_factory=time.time)

    def error(self, words: str) -> None:
        """Note what went wrong last."""
        self.last_error, self.last_error_at = words, time.time()


class Reporter:
    """A thread that holds the bridge's name and reports its account.

    Attributes:
        robbed: another process took the name; in words.
        before: what the last bridge of this name reported last; None where that is not known.
    """

    def __init__(self, bridge: Bridge, name: str, plan: Plan, account: Account) -> None:
        self._bridge, self._name, self._plan, self._account = bridge, name, plan, account
        self._client = plan.url.shaped_client()
        self._raw = plan.url.client()
        self._lease = Lease(
            self._client, bridge_key(name, "lease"), f'bridge "{name}"', "option --name"
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="report", daemon=True)
        self.robbed = ""
        self.before: BridgeReport | None = None

    def start(self, stop: threading.Event) -> bool:
        """Take the name, waiting for Redis and for a name whose holder may be dead, and begin to
        report; False where ``stop`` was set meanwhile.

        Raises:
            LeaseTakenError: a bridge of that name runs.
            redis.RedisError: Redis refuses this client.
        """
        outage = Outage(self._plan.url, log, f"{self._name} begins when it is back")
        backoff = Backoff(*_RETRY_S)
        while not stop.is_set():
            wait_s = _EVERY_S
            try:
                if self._lease.acquire():
                    self.before = reported(self._client, self._name)
                    self._tell()
                    self._thread.start()
                    return True
                outage.served()
            except (redis.RedisError, OSError) as error:
                if refuses(error):
                    raise
                outage.failed(error)
                wait_s = backoff.next_s()
            stop.wait(wait_s)
        return False

    def finish(self) -> None:
        """Report for the last time, and give the name back; to be called however ``start`` went."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
            with suppress(redis.RedisError, OSError):
                if not self.robbed:
                    self._tell()
                    self._lease.release()
        self._close()

    def _close(self) -> None:
        self._client.close()
        self._raw.close()

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_S):
            try:
                if not self._lease.take():
                    self.robbed = f'bridge "{self._name}" runs elsewhere: {self._lease.holder}'
                    return
                self._tell()
            except (redis.RedisError, OSError) as error:
                log.debug("no report: %s", self._plan.url.explain(error))

    def _tell(self) -> None:
        account, (lag, lag_s) = self._account, self._lag()
        publish(
            self._client,
            BridgeReport(
                name=self._name,
                kind=self._bridge.kind,
                target=self._bridge.target,
                state=account.state,
                words=account.words,
                at=time.time(),
                started=account.started,
                pid=os.getpid(),
                host=socket.gethostname(),
                version=version("mirante"),
                group=str(self._plan.group),
                cameras=len({stream.rpartition(":")[0] for stream in account.streams}),
                lag=lag,
                lag_s=lag_s,
                delivered=account.delivered,
                failed=account.failed,
                dead=account.dead,
                lost=account.lost,
                last_error=account.last_error,
                last_error_at=account.last_error_at,
            ),
        )

    def _lag(self) -> tuple[int | None, float]:
        """Entries to be delivered, and the age in seconds of the oldest."""
        streams, unread = self._account.streams, 0
        replies = exchange(self._raw, [("XINFO", "GROUPS", stream) for stream in streams])
        behind = list[tuple[int | None, tuple[Any, ...]]]()  # what is unread, what finds the oldest
        for stream, reply in zip(streams, replies, strict=True):
            if isinstance(reply, redis.RedisError):
                continue  # the stream is gone, and with it what was in it
            for facts in (dict(zip(flat[::2], flat[1::2], strict=True)) for flat in reply):
                if facts[b"name"] != str(self._plan.group).encode():
                    continue
                unread += facts[b"pending"]
                if (lag := facts.get(b"lag")) != 0:
                    after = b"(" + facts[b"last-delivered-id"]
                    behind.append((lag, ("XRANGE", stream, after, "+", "COUNT", 1)))
        oldest = [] if self._account.oldest is None else [self._account.oldest]
        is_known = True
        found: list[Any] = exchange(self._raw, [command for _, command in behind])
        for (lag, _), reply in zip(behind, found, strict=True):
            if isinstance(reply, list) and reply:
                unread += lag or 0
                oldest.append(EntryId.parse(reply[0][0]))
                is_known &= lag is not None
        age_s = max(0.0, time.time() - min(oldest).ms / 1000) if oldest else 0.0
        return (unread if is_known else None), round(age_s, 3)
