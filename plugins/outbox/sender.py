"""The one thread of a worker that speaks to Redis."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import redis

from mirante.backoff import Backoff
from mirante.keys import EntryId, Kind, key
from mirante.redis_url import RedisUrl, exchange
from plugins.outbox.previews import Previews
from plugins.outbox.retention import Retention
from plugins.outbox.ring import Entry, Lane, Ring

_BATCH = 64  # entries per round trip: 35 000 entries of 2 kB a second; 7 000 one by one
_TICK_S = 0.25
_LANE_RETRY_S = 1.0
_RENEW_S = 60.0
_OWN = redis.exceptions.NoPermissionError  # concerns one camera's keys, not the whole server


class Sender:
    """Takes entries from the ring and writes them to their streams, in order, each once.

    Each camera's part of a batch is one transaction, so that an answer is for all of it: Redis
    out of memory in the middle of a batch cannot swallow single frames.

    Attributes:
        connected: the last exchange went well.
        words: why not, or which cameras are refused; empty when all is well.
    """

    def __init__(
        self,
        url: RedisUrl,
        ring: Ring,
        previews: Previews,
        retention: Retention,
        log: logging.Logger,
    ) -> None:
        self.connected = False
        self.words = f"Redis {url}: not connected yet"
        self._url = url
        self._ring = ring
        self._previews = previews
        self._retention = retention
        self._log = log
        self._client: redis.Redis | None = None
        self._backoff = Backoff()
        self._closing = threading.Event()  # no more is put: send the rest and end
        self._stop = threading.Event()  # end now
        self._thread = threading.Thread(target=self._run, name="redis-sender", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """Sends what is left, for at most ``timeout_s``, and ends the thread."""
        self._closing.set()
        with self._ring.changed:
            self._ring.changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2.5)  # a connection attempt and an exchange take a second at most

    def _run(self) -> None:
        expired_s = time.monotonic()
        while not self._stop.is_set():
            self._wait()
            if self._closing.is_set() and not self._ring.depth:
                break
            if time.monotonic() - expired_s > 1.0:
                self._ring.expire()
                expired_s = time.monotonic()
            try:
                self._turn()
            except (redis.RedisError, OSError) as error:
                self._fail(error)
                self._stop.wait(self._backoff.next_s())
            except Exception as error:  # noqa: BLE001 - the only sender must outlive a mistake
                self._log.exception("outbox: %s", type(error).__name__)
                self._fail(error)
                self._stop.wait(self._backoff.next_s())
        if self._client is not None:
            self._client.close()

    def _wait(self) -> None:
        with self._ring.changed:
            idle = not any(self._ready(lane) for lane in self._ring.lanes.values())
            if idle and not self._previews.waiting:
                self._ring.changed.wait(0.02 if self._closing.is_set() else _TICK_S)

    @staticmethod
    def _ready(lane: Lane) -> bool:
        return bool(lane.unsent or lane.flying) and lane.retry_s <= time.monotonic()

    def _turn(self) -> None:
        """Exchange everything that is due, once."""
        if self._client is None:
            self._client = self._url.client()
            self._client.ping()
        with self._ring.changed:
            lanes = [lane for lane in self._ring.lanes.values() if self._ready(lane)]
        self._sync([lane for lane in lanes if not lane.synced])
        with self._ring.changed:
            share = max(1, _BATCH // max(1, len(lanes)))
            batch = [(lane, lane.take(share)) for lane in lanes if lane.synced]
        self._send([(lane, entries) for lane, entries in batch if entries])
        self._previews.exchange(self._client)
        self._succeed()

    def _exchange(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        assert self._client is not None
        return exchange(self._client, commands)

    def _sync(self, lanes: list[Lane]) -> None:
        """Reads the last ID of each stream that is new to this connection."""
        wanted = [(lane, kind) for lane in lanes for kind in lane.kinds]
        replies = self._exchange([("XINFO", "STREAM", key(lane.camera, k)) for lane, k in wanted])
        for lane in lanes:
            own = [
                reply for (other, _), reply in zip(wanted, replies, strict=True) if other is lane
            ]
            try:
                floors = dict(zip(lane.kinds, map(_last_id, own), strict=True))
            except redis.ResponseError as error:
                self._block(lane, error)
                continue
            with self._ring.changed:
                refused = lane.sync(floors)
            self._ring.report({lane.camera: refused})

    def _send(self, batch: list[tuple[Lane, list[Entry]]]) -> None:
        sent = f"{time.time():.6f}"
        written = [(lane, self._transaction(lane, entries, sent)) for lane, entries in batch]
        replies = iter(self._exchange([part for _, parts in written for part in parts]))
        failed: redis.RedisError | None = None
        for (lane, entries), (_, parts) in zip(batch, written, strict=True):
            answers = [next(replies) for _ in parts]
            error = next((a for a in answers if isinstance(a, redis.RedisError)), None)
            if error is None:
                self._land(lane, entries, answers[-1])
                continue
            with self._ring.changed:
                lane.land([], [])
            if isinstance(error, _OWN):
                self._block(lane, error)
            else:
                failed = error
        if failed is not None:
            raise failed

    def _transaction(self, lane: Lane, entries: list[Entry], sent: str) -> list[tuple[Any, ...]]:
        now_s = time.monotonic()
        trim = {kind: self._retention.trim(kind, lane, now_s) for kind in lane.kinds}
        commands: list[tuple[Any, ...]] = [("MULTI",)]
        for entry, kind in _writes(lane, entries):
            fields = [part for pair in entry.fields[kind].items() for part in pair]
            stream = key(lane.camera, kind)
            commands.append(("XADD", stream, *trim[kind], str(entry.id), "sent", sent, *fields))
        if lane.expire_s <= now_s:
            lane.expire_s = now_s + _RENEW_S
            forget_s = round(self._retention.forget_s)
            commands += [("EXPIRE", key(lane.camera, kind), forget_s) for kind in lane.kinds]
        return [*commands, ("EXEC",)]

    def _land(self, lane: Lane, entries: list[Entry], results: list[Any]) -> None:
        """Sorts a transaction's entries into taken, refused and to be sent again."""
        doubtful: set[Entry] = set()
        again: dict[Entry, redis.ResponseError] = {}
        for (entry, _), result in zip(_writes(lane, entries), results, strict=False):
            if isinstance(result, redis.ResponseError):
                if "equal or smaller" in str(result):
                    doubtful.add(entry)
                else:
                    again[entry] = result
        refused = self._not_ours(lane, [e for e in entries if e in doubtful and e not in again])
        done = [e for e in entries if e not in again and e not in refused]
        with self._ring.changed:
            lost = sum(not entry.acked for entry in refused)
            lane.land(done, refused)
            lane.words = ""
        self._ring.report({lane.camera: lost})
        if refused:
            self._say(lane, f"{len(refused)} results refused: another publisher writes its streams")
        if again:
            self._block(lane, next(iter(again.values())))

    def _not_ours(self, lane: Lane, entries: list[Entry]) -> list[Entry]:
        """Return the entries that an earlier try did not already write with our content."""
        stream = key(lane.camera, lane.kinds[-1])
        replies = self._exchange([("XRANGE", stream, str(e.id), str(e.id)) for e in entries])
        ours = [entry.fields[lane.kinds[-1]]["json"] for entry in entries]
        return [
            entry
            for entry, reply, mine in zip(entries, replies, ours, strict=True)
            if not (isinstance(reply, list) and reply and mine in reply[0][1])
        ]

    def _block(self, lane: Lane, error: redis.RedisError) -> None:
        """Leaves one camera for a second; the others continue."""
        lane.retry_s = time.monotonic() + _LANE_RETRY_S
        self._say(lane, self._url.explain(error))

    def _say(self, lane: Lane, words: str) -> None:
        text = f"{lane.camera}: {words}"
        if text != lane.words:
            self._log.error("%s", text)
        lane.words = text

    def _fail(self, error: BaseException) -> None:
        words = self._url.explain(error)
        if words != self.words or self.connected:
            self._log.error("%s; results wait in memory", words)
        self.connected, self.words = False, words
        self._previews.forget()
        if self._client is not None:
            self._client.close()
        self._client = None
        with self._ring.changed:
            for lane in self._ring.lanes.values():
                lane.synced = False

    def _succeed(self) -> None:
        blocked = [lane.words for lane in list(self._ring.lanes.values()) if lane.words]
        if not self.connected:
            self._log.info("Redis %s: connected", self._url)
        self.connected, self.words = True, "; ".join(blocked)
        self._backoff.reset()


def _writes(lane: Lane, entries: list[Entry]) -> list[tuple[Entry, Kind]]:
    """Return what must still be written: after a reconnect one of two streams may have it."""
    return [
        (entry, kind)
        for entry in entries
        for kind in lane.kinds
        if kind in entry.fields and entry.id > lane.floors[kind]
    ]


def _last_id(reply: Any) -> EntryId:
    """The ID that XINFO STREAM reports as the last; 0-0 of a stream that does not exist."""
    if isinstance(reply, redis.ResponseError):
        if "no such key" in str(reply):
            return EntryId(0, 0)
        raise reply
    facts = dict(zip(reply[::2], reply[1::2], strict=True))
    return EntryId.parse(facts[b"last-generated-id"])
