"""The recent history of one camera."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, NamedTuple

from dashboard.history.newest import Newest, Sampled
from dashboard.history.series import Series
from mirante.frame import Counts

RATE_S = 5  # samples that a rate is taken over
LATENCY_S = 30  # samples that percentiles of latency are taken over


class Account(NamedTuple):
    """A camera's counts as somebody told them.

    Attributes:
        at: Unix seconds of whoever told them, so that differences do not depend on our clock.
        counts: since the counting began.
        epoch: when that was; None where it was not told.
    """

    at: float
    counts: Counts
    epoch: int | None = None

    def follows(self, before: Account) -> bool:
        """Return whether both belong to one count: a camera that restarts counts from 0."""
        known = self.epoch is not None and before.epoch is not None
        if known and self.epoch != before.epoch:
            return False
        return self.counts.decoded >= before.counts.decoded

    def per_second(self, before: Account) -> dict[str, float] | None:
        """Frames a second since ``before``, a reason's as ``dropped.<reason>``; None when no time
        has passed.

        A frame that the outbox lost moves from published to dropped: what fell counts as 0.
        """
        passed_s = self.at - before.at
        if passed_s <= 0:
            return None
        now, then = _flat(self.counts), _flat(before.counts)
        return {name: max(0, now[name] - then.get(name, 0)) / passed_s for name in now}


class Track:
    """The last 15 minutes of one camera, and its account now.

    Args:
        added: Unix seconds at which it was added; what is older was another's of that name.
        before: what that one said last, if there was one.
    """

    def __init__(self, added: float = 0.0, before: Newest | None = None) -> None:
        self.added = added
        self._before = before
        self.sampled: Sampled | None = None
        self.account: Account | None = None
        self._series = Series()
        self._recorded: deque[Account] = deque(maxlen=RATE_S + 1)
        self._entry_recorded = b""

    def own(self, newest: Newest) -> Newest:
        """Return the part of ``newest`` that this camera published."""
        return newest.since(self.added, self._before)

    def note(self, newest: Newest, told: Account | None) -> None:
        """Takes what was read.

        Args:
            newest: the camera's newest entries.
            told: its account as its worker tells it, which continues when no frame is published.
        """
        sampled = self.own(newest).sampled
        if sampled is not None:
            self.sampled = sampled
            _, sent, message = sampled
            own = Account(message.ts if sent is None else sent, message.counts, message.epoch)
            told = own if told is None or own.at >= told.at else told
        elif told is not None and told.at < self.added:
            told = None
        self.account = told or self.account

    def record(self, now_s: float, reached: bool) -> None:
        """Adds a sample; an empty one when Redis was not reached.

        Args:
            now_s: Unix seconds.
            reached: what was noted is of now.
        """
        self._series.begin(now_s)
        if reached:
            self._record_rates()
            self._record_message()

    def rate(self) -> dict[str, float] | None:
        """Frames decoded, published, dropped and failed a second over the last 5 s."""
        if len(self._recorded) < 2:
            return None
        found = self._recorded[-1].per_second(self._recorded[0])
        if found is None:
            return None
        dropped = sum(value for name, value in found.items() if name.startswith("dropped."))
        names = ("decoded", "published", "failed")
        return {**{name: round(found[name], 2) for name in names}, "dropped": round(dropped, 2)}

    def latency_ms(self) -> dict[str, float] | None:
        """Median and 95th percentile from capture to Redis over the last half minute."""
        values = sorted(self._series.lasting("latency_ms", LATENCY_S))
        if not values:
            return None
        last = len(values) - 1
        return {
            "p50": round(values[round(last * 0.5)], 1),
            "p95": round(values[round(last * 0.95)], 1),
        }

    def history(self, seconds: int) -> dict[str, Any]:
        """Return columns of the last samples; a missing value is NaN."""
        empty: dict[str, Any] = {"dropped": {}, "objects": {}, "stages": {}}
        found = empty | self._series.table(seconds)
        nothing = [float("nan")] * len(found["t"])
        for name in ("decoded", "published", "failed", "latency_ms"):
            found.setdefault(name, nothing)
        return found

    def _record_rates(self) -> None:
        account = self.account
        if account is None:
            return
        if self._recorded and not account.follows(self._recorded[-1]):
            self._recorded.clear()
        before = self._recorded[-1] if self._recorded else None
        self._recorded.append(account)
        found = account.per_second(before) if before else None
        if found is None:
            return
        reasons = {}
        for name, value in found.items():
            if name.startswith("dropped."):
                reasons[name.removeprefix("dropped.")] = value
            else:
                self._series.put(name, value)
        self._series.put_group("dropped", reasons)

    def _record_message(self) -> None:
        if self.sampled is None or self.sampled.entry_id == self._entry_recorded:
            return
        entry_id, sent, message = self.sampled
        self._entry_recorded = entry_id
        if sent is not None:
            self._series.put("latency_ms", (sent - message.ts) * 1000)
        self._series.put_group("objects", Counter(found.label for found in message.objects))
        self._series.put_group("stages", message.timings)


def _flat(counts: Counts) -> dict[str, int]:
    plain = {
        "decoded": counts.decoded,
        "published": counts.published,
        "failed": counts.failed,
    }
    return plain | {f"dropped.{reason}": frames for reason, frames in counts.dropped.items()}
