"""The keeper of a fleet: makes the registry say which worker has which camera.

It decides nothing else. Workers run what carries their name, the fence lets one of them write, and
results flow while no keeper runs. All that it knows is in Redis: another one goes on from there.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

import redis

from fleet.costs import Costs
from fleet.members import LOST_S, Members
from fleet.placing import Demand, Plan, place
from mirante.keys import FLEET_DRAINED, owner_key, report_key
from mirante.redis_url import exchange
from pipeline.control.beats import beats, end
from pipeline.control.entries import Desired
from pipeline.control.registry import Place, Registry
from pipeline.control.reports import WorkerReport, read_report
from pipeline.control.versioned import Version, read, read_since, read_version

log = logging.getLogger(__name__)

REPORTS_S = 5.0  # in which the report of each worker is read once
EVEN_S = 5.0  # between two looks at costs that changed
MOVING_S = 20.0  # that a camera may take to move before it is moved again for balance
AT_ONCE = 4  # cameras that a worker takes over at a time from workers that work
CHECKED = 500  # cameras on their way that are looked at in a step
SHOWN = 50  # of the newest moves


@dataclass(frozen=True, slots=True)
class Move:
    """A camera that was given to another worker.

    Attributes:
        at: Unix seconds.
        camera: its name.
        source, target: the workers; empty for none.
        why: in words.
    """

    at: float
    camera: str
    source: str
    target: str
    why: str


class Keeper:
    """Follows beats, registry and reports; ``step`` is to be called every ``TICK_S``.

    Args:
        client: a Redis client that answers bytes.
        clock: seconds that only grow.
        lost_s: seconds without a new beat after which a worker is lost.
        decides: whether it still does, asked before each change.

    Attributes:
        members: the workers.
        costs: of the cameras.
        entries: the cameras of the fleet.
        reports: of the workers, each at most ``REPORTS_S`` old.
        refused: by camera that no worker can have, why in words.
        moves: the newest first.
        moved: how many there were.
    """

    def __init__(
        self,
        client: redis.Redis,
        clock: Callable[[], float] = time.monotonic,
        lost_s: float = LOST_S,
        decides: Callable[[], bool] = lambda: True,
    ) -> None:
        self._client, self._clock, self._lost_s = client, clock, lost_s
        self._decides = decides
        self._registry = Registry(client)
        self._seen: Version | None = None
        self._token: bytes | None = None
        self._moving: dict[str, float] = {}  # until when
        self._missing: dict[str, float] = {}  # workers of cameras, without a beat since
        self._queue: list[str] = []  # of workers whose report is due
        self._read_s = clock()
        self._even_s = float("-inf")
        self._left = False  # moves of the last plan that are yet to be made
        self.members = Members(lost_s)
        self.costs = Costs()
        self.entries: dict[str, Desired] = {}
        self.reports: dict[str, WorkerReport] = {}
        self.refused: Mapping[str, str] = {}
        self.moves: deque[Move] = deque(maxlen=SHOWN)
        self.moved = 0

    def step(self) -> int:
        """Look once, and give cameras to workers where that is due; return how many moved.

        Raises:
            redis.RedisError: Redis does not answer.
            RegistryError: others change the cameras all the time.
        """
        is_due = self.look()
        now_s = self._clock()
        is_due |= self._read_entries()
        end(self._client, *self.members.forgotten(now_s))
        self._read_reports(now_s)
        lost = self._lost(now_s)
        self._check_moving(now_s)
        if now_s - self._even_s >= EVEN_S:
            self._even_s, is_due = now_s, True
            self.costs.settle(self.entries)
        if not (is_due or lost or self._left):
            return 0
        plan = place(self._demands(now_s), self.members.offers(now_s))
        self.refused = plan.refused
        return self._carry_out(plan, now_s)

    def look(self) -> bool:
        """Look at the workers alone, as one does that may have to decide soon; return whether what
        they offer changed.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        drained = cast(set[bytes], self._client.smembers(FLEET_DRAINED))
        names = frozenset(name.decode("utf-8", "replace") for name in drained)
        return self.members.follow(beats(self._client), names, self._clock())

    def _read_entries(self) -> bool:
        """Read the registry where it changed; return whether it did. What Redis lost workers put
        back first.
        """
        now = read_version(self._client)
        if now == self._seen:
            return False
        found = self._seen and read_since(self._client, self._seen, self._token, now)
        if found:
            changed, self._token = found
            self._seen = now
            kept = {name: entry for name, entry in self.entries.items() if name not in changed}
            new = {name: entry for name, entry in changed.items() if entry and entry.fleet}
            self.entries = kept | new
            return True
        version, entries, token = read(self._client)
        if version.is_whole:
            self._seen, self._token = version, token
            self.entries = {name: entry for name, entry in entries.items() if entry.fleet}
        return version.is_whole

    def _read_reports(self, now_s: float) -> None:
        """Read some workers' reports, so that each has its turn in ``REPORTS_S``."""
        share = min(1.0, (now_s - self._read_s) / REPORTS_S)
        count = int(share * len(self.members.alive))
        if count < 1 and (self.reports or not self.members.alive):
            return
        self._read_s = now_s
        while (self._queue and len(self._queue) < count) or not self._queue:
            self._queue += sorted(self.members.alive)
        due, self._queue = self._queue[: max(1, count)], self._queue[max(1, count) :]
        self.reports = {w: r for w, r in self.reports.items() if w in self.members.known}
        raw = cast(list[bytes | None], self._client.mget([report_key(name) for name in due]))
        for worker, found in zip(due, raw, strict=True):
            try:
                if found is not None:
                    self.reports[worker] = read_report(found)
                    self.costs.note(self.reports[worker], self.entries)
            except ValueError as error:
                log.warning('worker "%s": its report cannot be read: %s', worker, error)

    def _lost(self, now_s: float) -> bool:
        """Note which cameras' workers do not work; return whether one of them is lost for good.
        One without any beat has the time to send one: Redis may have lost them all. Where none
        works there is nothing to decide: whoever comes back goes on.
        """
        entries = self.entries.values()
        needed = {entry.worker for entry in entries if entry.worker and not entry.paused}
        gone = needed - self.members.alive
        self._missing = {worker: self._missing.get(worker, now_s) for worker in gone}
        return bool(self.members.alive) and any(self._is_lost(worker, now_s) for worker in gone)

    def _is_lost(self, worker: str, now_s: float) -> bool:
        if worker in self.members.known:
            return worker not in self.members.alive
        return now_s - self._missing.get(worker, now_s) > self._lost_s

    def _demands(self, now_s: float) -> Iterable[Demand]:
        for name, entry in self.entries.items():
            if entry.paused:
                continue
            worker = entry.worker
            if worker and worker not in self.members.alive and not self._is_lost(worker, now_s):
                continue  # not known yet
            has = worker if worker in self.members.alive else ""
            yield Demand(name, self.costs.of(entry), entry.needs, has, name not in self._moving)

    def _carry_out(self, plan: Plan, now_s: float) -> int:
        """Write the moves that may be made now: those of cameras that nobody has at once, others a
        few at a time for each worker that takes them over.
        """
        taking: dict[str, int] = {}
        for name in self._moving.keys() & self.entries.keys():
            worker = self.entries[name].worker
            taking[worker] = taking.get(worker, 0) + 1
        chosen: dict[str, str] = {}
        for name, target in plan.moves.items():
            if self.entries[name].worker in self.members.alive:
                if taking.get(target, 0) >= AT_ONCE:
                    continue
                taking[target] = taking.get(target, 0) + 1
            chosen[name] = target
        self._left = len(chosen) < len(plan.moves)
        homeless = [name for name in plan.refused if self.entries[name].worker]
        if not self.members.alive:
            homeless = []
        return self._write({**chosen, **dict.fromkeys(homeless, "")}, now_s)

    def _write(self, targets: Mapping[str, str], now_s: float) -> int:
        if not targets or not self._decides():
            return 0
        owners = self._owners(targets)
        places = {
            name: Place(target, "" if owners[name] == target else owners[name])
            for name, target in targets.items()
        }
        before = self._registry.assign(places)
        for name, entry in before.items():
            if targets[name]:
                self._moving[name] = now_s + MOVING_S
            why = self._why(entry)
            self.moves.appendleft(Move(time.time(), name, entry.worker, targets[name], why))
            log.info('camera %s: "%s" → "%s": %s', name, entry.worker, targets[name], why)
        self.moved += len(before)
        self._read_entries()
        return len(before)

    def _why(self, entry: Desired) -> str:
        if not entry.worker:
            return "no worker had it"
        if entry.worker not in self.members.alive:
            return f'worker "{entry.worker}" is gone'
        if entry.worker in self.members.drained:
            return f'worker "{entry.worker}" is drained'
        return f'worker "{entry.worker}" has more than others, or not what it needs'

    def _owners(self, cameras: Collection[str]) -> dict[str, str]:
        """Return the worker that publishes each camera; empty for none."""
        replies = exchange(self._client, [("GET", owner_key(camera)) for camera in cameras])
        owners = {}
        for camera, reply in zip(cameras, replies, strict=True):
            if isinstance(reply, redis.RedisError):
                raise reply
            owners[camera] = (reply or b"").decode("utf-8", "replace").partition(":")[0]
        return owners

    def _check_moving(self, now_s: float) -> None:
        """Forget cameras that arrived; mend those that another worker than was thought publishes:
        one that took over, and was lost before it was known.
        """
        some = [name for name in self._moving if name in self.entries][:CHECKED]
        mended = {}
        for name, owner in self._owners(some).items():
            entry, until_s = self.entries[name], self._moving.pop(name)
            if owner == entry.worker:
                continue
            if now_s < until_s:
                self._moving[name] = until_s  # behind those that are yet to be looked at
            if owner and owner != entry.before:
                mended[name] = Place(entry.worker, owner)
        self._moving = {n: until_s for n, until_s in self._moving.items() if n in self.entries}
        if mended and self._decides():
            self._registry.assign(mended)
            self._read_entries()
