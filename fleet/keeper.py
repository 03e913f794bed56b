"""The keeper of a fleet: makes the registry say which worker has which camera.

It decides nothing else. Workers run what carries their name, the fence lets one of them write, and
results flow while no keeper runs. All that it knows is in Redis: another one goes on from there.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import cast

import redis

from fleet.arrivals import Arrivals, Seen
from fleet.cameras import Cameras, Change
from fleet.ceilings import Ceiling, ceilings_of
from fleet.costs import Costs
from fleet.members import LOST_S, Members, outdated
from fleet.placing import Demand, Plan, place
from mirante.keys import FLEET_DRAINED, owner_key, report_key
from mirante.redis_url import exchange
from pipeline.control.beats import beats, end
from pipeline.control.entries import Desired
from pipeline.control.registry import Place, Registry
from pipeline.control.reports import WorkerReport, read_report

log = logging.getLogger(__name__)

REPORTS_S = 5.0  # in which the report of each worker is read once
ASKED_S = 1.0  # between two looks at those of workers whose cameras may be dark
EVEN_S = 5.0  # between two looks at costs that changed
AT_ONCE = 4  # cameras that a worker takes over at a time from workers that work
WRITTEN = 500  # cameras that one change of the registry gives to workers
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
        decides: whether it still does, asked before each change and behind what takes long.

    Attributes:
        members: the workers.
        costs: of the cameras.
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
        self._cameras = Cameras(client, self._registry)
        self._arrivals = Arrivals()
        self._missing: dict[str, float] = {}  # workers of cameras, without a beat since
        self._queue: list[str] = []  # of workers whose report is due
        self._read_s = self._asked_s = clock()
        self._reported_s: dict[str, float] = {}  # when the report of a worker was read
        self._even_s = float("-inf")
        self._left = False  # moves of the last plan that are yet to be made
        self._ceilings: dict[str, Ceiling] = {}
        self.members = Members(lost_s)
        self.costs = Costs()
        self.reports: dict[str, WorkerReport] = {}
        self.refused: Mapping[str, str] = {}
        self.moves: deque[Move] = deque(maxlen=SHOWN)
        self.moved = 0

    @property
    def entries(self) -> Mapping[str, Desired]:
        """The cameras of the fleet."""
        return self._cameras.entries

    def step(self) -> int:
        """Look once, and give cameras to workers where that is due; return how many moved.

        Raises:
            redis.RedisError: Redis does not answer.
            RegistryError: others change the cameras all the time.
        """
        is_due = self.look()
        now_s = self._clock()
        is_due |= self._read_entries(now_s)
        end(self._client, *self.members.forgotten(now_s))
        self._read_reports(now_s)
        lost = self._lost(now_s)
        moved = self._check_arrivals(now_s)
        if now_s - self._even_s >= EVEN_S:
            self._even_s, is_due = now_s, True
            self.costs.settle(self.entries)
            works = {w: r for w, r in self.reports.items() if w in self.members.alive}
            self._ceilings = ceilings_of(works, self.members.nodes())
        if not (is_due or lost or self._left):
            return moved
        if self.members.begins(now_s):
            self._left = True
            return moved
        plan = place(self._demands(now_s), self.members.offers(now_s, self._ceilings))
        self.refused = plan.refused
        return moved + self._carry_out(plan, now_s)

    def look(self) -> bool:
        """Look at the workers alone, as one does that may have to decide soon; return whether what
        they offer changed.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        try:
            drained = cast(set[bytes], self._client.smembers(FLEET_DRAINED))
            found = beats(self._client)
        except redis.RedisError:
            self.members.cut_off()
            raise
        names = frozenset(name.decode("utf-8", "replace") for name in drained)
        if ended := outdated(names, found):
            self._client.srem(FLEET_DRAINED, *ended)
        return self.members.follow(found, names, self._clock())

    def _read_entries(self, now_s: float) -> bool:
        """Read what changed of the registry; return whether something did."""
        is_read = self._cameras.read(self.members.alive, now_s)
        if is_read is Change.ALL:
            self._decides()  # which prolongs it
        return is_read is not Change.NONE

    def _read_reports(self, now_s: float) -> None:
        """Read some workers' reports, so that each has its turn in ``REPORTS_S``, and those that
        tell of cameras which may be dark.
        """
        due = self._due_reports(now_s)
        if now_s - self._asked_s >= ASKED_S:
            self._asked_s = now_s
            due = sorted({*due, *self._arrivals.asked(self.entries, now_s)} & self.members.alive)
        if not due:
            return
        known = self.members.known
        self.reports = {w: r for w, r in self.reports.items() if w in known}
        self._reported_s = {w: at_s for w, at_s in self._reported_s.items() if w in known}
        raw = cast(list[bytes | None], self._client.mget([report_key(name) for name in due]))
        for worker, found in zip(due, raw, strict=True):
            try:
                if found is not None:
                    self.reports[worker] = read_report(found)
                    self._reported_s[worker] = now_s
                    self.costs.note(self.reports[worker], self.entries)
            except ValueError as error:
                log.warning('worker "%s": its report cannot be read: %s', worker, error)

    def _due_reports(self, now_s: float) -> list[str]:
        share = min(1.0, (now_s - self._read_s) / REPORTS_S)
        count = int(share * len(self.members.alive))
        if count < 1 and (self.reports or not self.members.alive):
            return []
        self._read_s = now_s
        while (self._queue and len(self._queue) < count) or not self._queue:
            self._queue += sorted(self.members.alive)
        due, self._queue = self._queue[: max(1, count)], self._queue[max(1, count) :]
        return due

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
            return worker not in self.members.alive | self.members.unsure
        return now_s - self._missing.get(worker, now_s) > self._lost_s

    def _demands(self, now_s: float) -> Iterable[Demand]:
        on_their_way = self._arrivals.on_their_way(now_s)
        for name, entry in self.entries.items():
            if entry.paused:
                continue
            worker = entry.worker
            if worker and worker not in self.members.alive and not self._is_lost(worker, now_s):
                continue  # not known yet
            has = worker if worker in self.members.alive else ""
            cores, memory, gpu = self.costs.of(entry)
            is_settled, shuns = name not in on_their_way, self._arrivals.shuns(name)
            yield Demand(name, cores, entry.needs, has, is_settled, memory, gpu, shuns)

    def _carry_out(self, plan: Plan, now_s: float) -> int:
        """Write the moves that may be made now: those of cameras that nobody has at once, others a
        few at a time for each worker that takes them over.
        """
        taking = Counter(
            self.entries[name].worker
            for name in self._arrivals.on_their_way(now_s)
            if name in self.entries
        )
        chosen: dict[str, str] = {}
        for name, target in plan.moves.items():
            if self.entries[name].worker in self.members.alive:
                if taking[target] >= AT_ONCE:
                    continue
                taking[target] += 1
            chosen[name] = target
        homeless = [name for name in plan.refused if self.entries[name].worker]
        if not self.members.alive:
            homeless = []
        moved = self._write({**chosen, **dict.fromkeys(homeless, "")}, now_s)
        self._left = moved < len(plan.moves) + len(homeless)
        return moved

    def _write(self, targets: Mapping[str, str], now_s: float) -> int:
        """Give cameras to workers, so many at a time that the lease is prolonged in between, and
        that the first begin while the last are written.
        """
        moved, names = 0, list(targets)
        for first in range(0, len(names), WRITTEN):
            part = {name: targets[name] for name in names[first : first + WRITTEN]}
            if not self._decides():
                break
            owners = self._owners(part)
            places = {
                name: Place(target, "" if owners[name] == target else owners[name])
                for name, target in part.items()
            }
            before = self._cameras.assign(places)
            for name, entry in before.items():
                self._note(entry, part[name], now_s)
            moved += len(before)
        self.moved += moved
        return moved

    def _note(self, entry: Desired, target: str, now_s: float) -> None:
        if target:
            self._arrivals.note(entry.name, entry.worker, self.reports, now_s)
        why = self._why(entry)
        self.moves.appendleft(Move(time.time(), entry.name, entry.worker, target, why))
        log.info('camera %s: "%s" → "%s": %s', entry.name, entry.worker, target, why)

    def _why(self, entry: Desired) -> str:
        if not entry.worker:
            return "no worker had it"
        if entry.worker not in self.members.alive:
            return f'worker "{entry.worker}" is gone'
        if entry.worker in self.members.drained:
            return f'worker "{entry.worker}" is drained'
        if entry.worker in self._arrivals.shuns(entry.name):
            return f'worker "{entry.worker}" could not reach it'
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

    def _check_arrivals(self, now_s: float) -> int:
        """Mend what did not arrive as it was meant to; return how many cameras were given away."""
        owners = self._arrivals.check(self.entries, self._owners, now_s)
        if owners and self._decides():
            places = {n: Place(self.entries[n].worker, owner) for n, owner in owners.items()}
            self._cameras.assign(places)
        seen = Seen(self.reports, self._reported_s, self.members.alive)
        back = dict(self._arrivals.in_vain(self.entries, seen, now_s))
        stay = self.members.alive - self.members.drained
        homes = {name: source for name, source in back.items() if source in stay}
        return self._write(homes | self._elsewhere(back.keys() - homes.keys(), now_s), now_s)

    def _elsewhere(self, cameras: Collection[str], now_s: float) -> dict[str, str]:
        """Return other workers for cameras that theirs cannot reach, where there are some."""
        if not cameras:
            return {}
        demands = (
            replace(each, worker="") if each.camera in cameras else each
            for each in self._demands(now_s)
        )
        moves = place(demands, self.members.offers(now_s, self._ceilings)).moves
        return {name: target for name, target in moves.items() if name in cameras}
