"""The one thread of a worker that speaks to Redis."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from typing import Any

import redis

from mirante.backoff import Backoff
from mirante.keys import PROBE, key
from mirante.outage import Outage
from mirante.redis_url import RedisUrl, exchange
from mirante.refusal import refusal
from mirante.servers.slots import NodeError
from plugins.outbox.claims import Claims
from plugins.outbox.command import write_command
from plugins.outbox.fence import FOREIGN, Fence, Tenure, in_script, owner_of, owner_words
from plugins.outbox.lane import Entry, Lane
from plugins.outbox.limits import Limits
from plugins.outbox.newest import last_id, newest_epoch, not_ours
from plugins.outbox.previews import Previews
from plugins.outbox.recall import answer_recalls
from plugins.outbox.retention import Retention
from plugins.outbox.ring import Ring

_BATCH = 64  # entries per round trip: 35 000 entries of 2 kB a second; 7 000 one by one
_BATCH_BYTES = 1 << 20  # … and of the commands, each of which is to be sent within a second
_TICK_S = 0.25
_LANE_RETRY_S = 1.0
_CLAIM_RETRY_S = 0.5
_FOREIGN, _DONE, _BEHIND = 0, 1, 2  # what the script that writes answers first


class Sender:
    """Takes entries from the ring and writes them to their streams, in order, each once.

    Each camera's part of a batch is one script (``fence``), so that an answer is for all of it:
    Redis out of memory in the middle of a batch cannot swallow single frames, and no other
    publisher comes in between.

    Attributes:
        connected: the last exchange went well, and Redis takes writes.
        words: why not, or which cameras are refused; empty when all is well.
    """

    def __init__(
        self,
        url: RedisUrl,
        ring: Ring,
        previews: Previews,
        retention: Retention,
        limits: Limits,
        log: logging.Logger,
        outage: Outage,
        tenure: Tenure | None = None,
    ) -> None:
        self.connected = False
        self.words = f"Redis {url}: not connected yet"
        self._url = url
        self._ring = ring
        self._previews = previews
        self._retention = retention
        self._limits = limits
        self._log = log
        self._outage = outage
        self._refused = False
        self._fence = Fence(tenure)
        self._claims = Claims(ring, self._fence, url.is_cluster)
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
        if self._thread.ident is None:
            self._leave()

    def _run(self) -> None:
        expired_s = time.monotonic()
        while not self._stop.is_set():
            self._wait()
            if self._closing.is_set() and not self._ring.is_waiting:
                break
            if time.monotonic() - expired_s > 1.0:
                self._ring.expire()
                expired_s = time.monotonic()
            if not self.turn():
                self._stop.wait(self._backoff.next_s())
        self._leave()

    def turn(self) -> bool:
        """Exchange everything that is due, once; return whether that could be. The thread does it,
        or where it was not started whoever has many senders.
        """
        try:
            self._turn()
        except Exception as error:  # noqa: BLE001 - the only sender must outlive a mistake
            self._fail(error)
            return False
        return True

    def _leave(self) -> None:
        """Gives the cameras back and hangs up."""
        if self._client is None:
            return
        with suppress(redis.RedisError, OSError):
            self._exchange([self._fence.release(camera) for camera in list(self._fence.tokens)])
        self._client.close()

    def _wait(self) -> None:
        with self._ring.changed:
            if not self._due() and not self._previews.waiting:
                self._ring.changed.wait(0.02 if self._closing.is_set() else _TICK_S)

    def _due(self) -> list[Lane]:
        """Return what an exchange would take, once one of them may not wait any more."""
        lanes = [lane for lane in self._ring.lanes.values() if self._ready(lane)]
        now_s = time.monotonic()
        holds = [lane.synced and lane.held_until_s > now_s for lane in lanes]
        return [] if all(holds) and not self._closing.is_set() else lanes

    def _ready(self, lane: Lane) -> bool:
        is_asked = lane.recall is not None and lane.recall.saved is None
        is_due = lane.is_waiting or lane.denied or lane.doubted or is_asked
        return is_due and lane.retry_s <= time.monotonic() and lane.camera not in self._ring.held

    def _turn(self) -> None:
        if self._client is None:
            self._client = self._url.client()
            self._client.ping()
            if self._refused:
                self._probe()
        with self._ring.changed:
            lanes = self._due()
        self._sync([lane for lane in lanes if not lane.synced])
        with self._ring.changed:
            most, most_bytes = (
                max(1, bound // max(1, len(lanes))) for bound in (_BATCH, _BATCH_BYTES)
            )
            batch = [
                (lane, self._ring.take(lane, most, most_bytes)) for lane in lanes if lane.synced
            ]
            batch = [each for each in batch if each[1] or each[0].flying_step]
            quiet = self._fence.due() - {lane.camera for lane, _ in batch}
            batch += [(lane, []) for lane in self._ring.synced(quiet)]
        self._send(batch)
        for lane, error in answer_recalls(lanes, self._exchange):
            self._block_apart(lane, error)
        self._give_back(self._ring.left())
        self._previews.exchange(self._client, self._ring.unclaimed())
        self._succeed()

    def _probe(self) -> None:
        """Find out whether Redis takes writes again, though there may be nothing to write.

        Raises:
            redis.RedisError: it does not.
        """
        old = self._limits.outdated(list(self._ring.lanes.values()))
        *_, reply = self._exchange([*old, ("XADD", PROBE, "NOMKSTREAM", "*", "", "")])
        if refusal(reply):
            raise reply

    def _exchange(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        assert self._client is not None
        return exchange(self._client, commands)

    def _sync(self, lanes: list[Lane]) -> None:
        """Claims the cameras of these lanes, and reads how far their streams are.

        In this order: behind a claim nobody else writes.
        """
        lanes = self._claim(lanes)
        wanted = [(lane, kind) for lane in lanes for kind in lane.kinds]
        replies = self._exchange([("XINFO", "STREAM", key(lane.camera, k)) for lane, k in wanted])
        for lane in lanes:
            own = [
                reply for (other, _), reply in zip(wanted, replies, strict=True) if other is lane
            ]
            try:
                floors = dict(zip(lane.kinds, map(last_id, own), strict=True))
            except redis.RedisError as error:
                self._block(lane, error)
                continue
            epoch = newest_epoch(own[-1])
            if lane.is_outdated(epoch) and lane.camera in self._ring.shared:
                self._ring.move(lane.camera, self._claims.worker)
                continue
            with self._ring.changed:
                refused = lane.sync(floors, epoch)
            self._ring.report_lost(lane, refused)
        synced = [lane for lane in lanes if lane.synced]
        for lane, reply in self._limits.measure(synced, self._exchange):
            self._block_apart(lane, reply)
            lane.synced = False

    def _claim(self, lanes: list[Lane]) -> list[Lane]:
        """Return those lanes whose camera this publisher owns now."""
        for lane, answer in self._claims.make(lanes, self._exchange):
            self._denied(lane, answer)
        return [lane for lane in lanes if lane.camera in self._fence.tokens]

    def _denied(self, lane: Lane, answer: Any) -> None:
        """A claim failed: as another owns the camera, or by an error."""
        if isinstance(answer, redis.RedisError):
            self._block_apart(lane, answer)
            return
        if lane.camera in self._claims.relieved:
            self._ring.move(lane.camera, owner_of(answer))
            return
        with self._ring.changed:
            refused = lane.deny()
            lane.retry_s = time.monotonic() + _CLAIM_RETRY_S
        self._ring.report_refused(lane, refused)
        self._say(lane, owner_words(answer))

    def _send(self, batch: list[tuple[Lane, list[Entry]]]) -> None:
        sent = f"{time.time():.6f}"
        now_s, apart = time.monotonic(), (self._fence, self._limits, self._retention)
        replies = self._exchange(
            [write_command(lane, entries, sent, now_s, *apart) for lane, entries in batch]
        )
        failed: redis.RedisError | None = None
        for (lane, entries), reply in zip(batch, replies, strict=True):
            error = reply if isinstance(reply, redis.RedisError) else None
            if error is None and reply[0] == _DONE:
                error = self._land(lane, entries, reply[1:])
            else:
                self._return(lane, None if error else reply[0], error)
            if isinstance(error, redis.exceptions.NoScriptError):
                lane.whole = True
            elif error is not None and self._is_apart(error):
                self._block(lane, error)
            else:
                failed = error or failed
        if failed is not None:
            raise failed

    def _return(self, lane: Lane, answer: int | None, error: redis.RedisError | None) -> None:
        """What a lane sent was not written, or nobody knows whether it was."""
        lane.expire_s = 0.0
        if isinstance(error, NodeError):  # what flies waits for the stream's last ID
            lane.doubted = True
            self._disown(lane.camera)
            return
        with self._ring.changed:
            lane.land([], [], stepped=False)
            if answer == _BEHIND:
                lane.synced, lane.doubted = False, True
        if answer == _FOREIGN:
            lane.doubted |= lane.camera in self._ring.shared  # whose is it, though nothing waits
            self._disown(lane.camera)

    def _is_apart(self, error: redis.RedisError) -> bool:
        """The error concerns this lane, not the whole server; in a cluster its node."""
        return self._url.is_cluster or _is_own(error)

    def _disown(self, camera: str) -> None:
        """The camera is another's, or nobody's as Redis lost the token: it is to be claimed."""
        self._fence.tokens.pop(camera, None)
        with self._ring.changed:
            for lane in self._ring.of(camera):
                lane.synced = False

    def _give_back(self, cameras: set[str]) -> None:
        """Frees cameras that this publisher has left."""
        owned = [camera for camera in cameras if camera in self._fence.tokens]
        self._exchange([self._fence.release(camera) for camera in owned])
        for camera in cameras:
            self._disown(camera)
            for lane in self._ring.of(camera):
                lane.denied = False

    def _land(
        self, lane: Lane, entries: list[Entry], errors: list[Any]
    ) -> redis.ResponseError | None:
        """Sorts a batch's entries into taken, refused and to be sent again.

        Returns:
            The error for which some are to be sent again.
        """
        writes = lane.writes(entries)
        found = dict(zip(errors[::2], errors[1::2], strict=True))
        doubtful = {writes[number][0] for number, e in found.items() if "smaller" in str(e)}
        failed = next((n for n, e in found.items() if "smaller" not in str(e)), None)
        again = {entry for entry, _ in writes[failed:]} if failed is not None else set[Entry]()
        refused = not_ours(
            lane, [e for e in entries if e in doubtful and e not in again], self._exchange
        )
        done = [e for e in entries if e not in again and e not in refused]
        with self._ring.changed:
            lost = sum(not entry.acked for entry in refused)
            lane.land(done, refused, stepped=failed is None)
            if failed is None:
                lane.words = ""
                self._outage.served(lane.camera)
        self._limits.landed(lane, [*again, *refused])
        self._ring.report_lost(lane, lost)
        if refused:
            self._say(lane, FOREIGN)
        return None if failed is None else found[failed]

    def _block_apart(self, lane: Lane, error: redis.RedisError) -> None:
        """Leaves one camera for a second.

        Raises:
            redis.RedisError: the error, where it concerns all of them.
        """
        if not self._is_apart(error):
            raise error
        self._block(lane, error)

    def _block(self, lane: Lane, error: redis.RedisError) -> None:
        """Leaves one camera for a second; the others continue."""
        lane.retry_s = time.monotonic() + _LANE_RETRY_S
        if _is_own(error):
            self._say(lane, self._url.explain(in_script(error)))
        else:  # a shard is away, which many cameras would say
            lane.words = f"{lane.camera}: {self._outage.failed(error, lane.camera)}"

    def _say(self, lane: Lane, words: str) -> None:
        text = f"{lane.camera}: {words}"
        if text != lane.words:
            self._log.error("%s", text)
        lane.words = text

    def _fail(self, error: BaseException) -> None:
        self.connected, self.words = False, self._outage.failed(error, "outbox")
        self._refused = refusal(error) is not None
        self._previews.forget()
        self._fence.tokens.clear()
        if self._client is not None:
            self._client.close()
        self._client = None
        with self._ring.changed:
            for lane in self._ring.lanes.values():
                lane.doubted |= lane.synced and bool(lane.kept)
                lane.synced = False

    def _succeed(self) -> None:
        blocked = [lane.words for lane in list(self._ring.lanes.values()) if lane.words]
        if not self.connected and not self._outage.words:
            self._log.info("Redis %s: connected", self._url)
        self.connected, self.words = True, "; ".join(blocked)
        self._refused = False
        self._outage.served("outbox")
        self._backoff.reset()


def _is_own(error: redis.RedisError) -> bool:
    """True for what concerns one camera's keys, not the whole server."""
    denied = isinstance(in_script(error), redis.exceptions.NoPermissionError)
    return denied or "WRONGTYPE" in str(error)
