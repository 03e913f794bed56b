"""Carry items from Redis to a bridge's other side, until it is told to stop."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any

import msgspec
import redis

from bridges.account import Account, Reporter
from bridges.parcel import AwayError, Bridge, Parcel
from bridges.reading import Reading
from mirante.backoff import Backoff
from mirante.client.batches import Batches
from mirante.client.items import Frame
from mirante.client.plan import Plan
from mirante.keys import EntryId, bridge_key, camera_of
from mirante.redis_url import reply_to

log = logging.getLogger("mirante.bridge")

_BATCH = 64  # items that are on their way at once: all that a bridge without lanes keeps in memory
LANE = 32  # the same of one camera, where cameras have lanes; what was read ahead may come to it
_WAIT_S, _TURN_S = 0.5, 0.02  # for what is new; while a full lane has room every now and then
_DEAD_KEPT = 1000
_MARGIN_S = 10.0  # by which an entry may be older than the moment at which it is written
RETRY_S = (0.2, 15.0)  # pauses between attempts


class Carrier:
    """One bridge that runs.

    Args:
        bridge: where to.
        reading: what.
        stop: set when it is to end.
        retry_s: the first pause before another attempt, and the longest.
        lane: of a bridge whose ``deliver`` returns at once, and settles parcels later: how many of
            a camera may wait before no more of that camera are read; None where nothing is read
            while something waits.
    """

    def __init__(
        self,
        bridge: Bridge,
        reading: Reading,
        stop: threading.Event,
        retry_s: tuple[float, float] = RETRY_S,
        lane: int | None = None,
    ) -> None:
        self._bridge, self._stop, self._lane = bridge, stop, lane
        self._name = reading.named(bridge.kind)
        self._plan = reading.plan(bridge.kind, bridge.kinds)
        self._backoff = Backoff(*retry_s)
        self._parcels: list[Parcel] = []  # read and not acknowledged
        self._moved_s: dict[str, float] = {}  # when something of a stream was settled last
        self.account = Account()
        self._reporter = Reporter(bridge, self._name, self._plan, self.account)

    def run(self) -> None:
        """Carry until ``stop`` is set; what is not acknowledged by then comes the next time.

        Raises:
            LeaseTakenError: a bridge of that name runs, or took over.
            SubscribeError: Redis refuses this client.
            ValueError: an option of the bridge is not as it should be.
            redis.RedisError: Redis refuses this client at the start.
        """
        batches: Batches | None = None
        try:
            if not self._reporter.start(self._stop):
                return
            self._bridge.open()
            log.info("%s: carries to %s", self._name, self._bridge.target)
            batches = Batches(self._resumed())
            while not self._stop.is_set():
                self._check_name()
                self._read(batches)
                self._deliver(batches)
            self.account.state, self.account.words = "stopped", ""
        except BaseException as error:
            self.account.state, self.account.words = "failed", str(error) or type(error).__name__
            raise
        finally:
            self._end(batches)

    def _end(self, batches: Batches | None) -> None:
        """Close the bridge, and acknowledge what was on its way until then."""
        self._bridge.close()
        if batches is not None:
            self._settle_all(batches)
            batches.close()
        self._reporter.finish()

    def _resumed(self) -> Plan:
        """The plan; a camera that came while no bridge of this name ran is read from then on."""
        before = self._reporter.before
        if before is None or before.group != self._plan.group:
            return self._plan
        ended = EntryId(max(0, round((before.at - _MARGIN_S) * 1000)), 0)
        return replace(self._plan, since=min(ended, self._plan.since or ended))

    def _check_name(self) -> None:
        if self._reporter.robbed:
            raise RuntimeError(self._reporter.robbed)

    def _read(self, batches: Batches) -> None:
        """Take what is new: once nothing waits, or of cameras whose lanes have room."""
        if self._parcels and self._lane is None:
            return
        waiting = Counter(parcel.held.stream for parcel in self._parcels)
        full = {stream for stream, many in waiting.items() if many >= (self._lane or _BATCH)}
        newest_s = max((self._moved_s.get(stream, float("-inf")) for stream in full), default=0.0)
        is_moving = bool(full) and time.monotonic() - newest_s < _WAIT_S
        held = batches.read(_BATCH, _TURN_S if is_moving else _WAIT_S, full)
        self._parcels += map(Parcel, held)
        self.account.streams = batches.streams
        self.account.lost = sum(batches.lost.values())

    def _deliver(self, batches: Batches) -> None:
        """Deliver what waits, or see whether the other side is there; pause after a failure."""
        self._note_oldest()
        before, away = len(self._parcels), None
        try:
            self._bridge.deliver([parcel for parcel in self._parcels if parcel.state == "waits"])
        except AwayError as error:
            away = error
        unkept = self._settle_all(batches)
        is_left = bool(self._parcels) and self._lane is None
        if not (away or unkept or is_left):
            self._goes_well()
        elif not self._stop.is_set():
            words = "not everything was acknowledged"
            self._fails(away or AwayError(unkept or words))
            if len(self._parcels) < before:
                self._backoff.reset()
            self._stop.wait(self._backoff.next_s())

    def _note_oldest(self) -> None:
        self.account.oldest = min((each.held.entry_id for each in self._parcels), default=None)

    def _settle_all(self, batches: Batches) -> str:
        """Acknowledge what need not come again; return why one that is given up waits all the same,
        if it does.
        """
        left, unkept = list[Parcel](), ""
        for parcel in self._parcels:
            if parcel.state == "dead" and not unkept:
                unkept = self._bury(parcel)
            if parcel.state == "waits" or (parcel.state == "dead" and unkept):
                left.append(parcel)
            else:
                self._settle(batches, parcel)
        self._parcels = left
        self._note_oldest()
        return unkept

    def _settle(self, batches: Batches, parcel: Parcel) -> None:
        self._moved_s[parcel.held.stream] = time.monotonic()
        if parcel.state == "dead":
            self.account.dead += 1
            self.account.error(parcel.words)
        else:
            self.account.delivered += 1
        batches.done(parcel.held)

    def _bury(self, parcel: Parcel) -> str:
        """Keep what the other side will never take, with the reason; return why it is not kept, if
        it is not.
        """
        item, held = parcel.item, parcel.held
        text = b"" if isinstance(item, Frame) else msgspec.json.encode(item)
        fields = ("stream", held.stream, "entry", str(held.entry_id), "json", text)
        head = ("XADD", bridge_key(self._name, "dead"), "MAXLEN", "~", _DEAD_KEPT, "*")
        with self._plan.url.client() as client:
            try:
                reply_to(client, (*head, *fields, "words", parcel.words))
            except redis.RedisError as error:
                return f"what is given up cannot be kept: {self._plan.url.explain(error)}"
        log.error("%s: %s %s is given up: %s", self._name, camera_of(held.stream),
                  held.entry_id, parcel.words)  # fmt: skip
        return ""

    def _goes_well(self) -> None:
        self._backoff.reset()
        if self.account.state == "away":
            log.warning("%s: %s accepts items again", self._name, self._bridge.target)
        self.account.state, self.account.words = "running", ""

    def _fails(self, error: AwayError) -> None:
        words = str(error)
        if error.attempts:
            self.account.failed += error.attempts
            self.account.error(words)
        if self.account.state != "away":
            log.warning("%s: %s: %s; trying again", self._name, self._bridge.target, words)
        self.account.state, self.account.words = "away", words


def run(bridge: Bridge, reading: Reading) -> None:
    """Carry until Ctrl-C or SIGTERM; what ``Carrier.run`` raises is raised."""
    with logging_until_stopped() as stop:
        Carrier(bridge, reading, stop).run()


@contextmanager
def logging_until_stopped() -> Iterator[threading.Event]:
    """Log as a worker does, and yield what is set when this process is told to end."""
    from pipeline.config.settings import Log
    from pipeline.logs import configure_logs

    configure_logs(Log())
    stop = threading.Event()

    def told(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signals = (signal.SIGINT, signal.SIGTERM)
    before: list[Callable[..., Any] | int | None] = [signal.signal(each, told) for each in signals]
    try:
        yield stop
    finally:
        for each, handler in zip(signals, before, strict=True):
            signal.signal(each, handler)
