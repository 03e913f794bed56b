"""Which worker gets which camera: a pure function of what cameras cost and workers offer.

A camera moves because it must (no worker, a worker that is gone, is drained, lacks what the camera
needs, or has more than it can do), or because two workers that could both have it differ by more
than ``IMBALANCE`` of their room; then all are brought within half of that, so that costs that are
measured a little otherwise move nothing. With the moves made, further calls come to rest.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.control.entries import Needs

IMBALANCE = 0.25  # of a worker's room, between the fullest and the emptiest
_LITTLE = 1e-9
_NONE = Needs()


@dataclass(frozen=True, slots=True)
class Demand:
    """A camera that is to run.

    Attributes:
        camera: its name.
        cost: cores that it takes.
        needs: what its worker must offer.
        worker: that has it; empty for none.
        settled: it may move for balance alone: it is not on its way already.
    """

    camera: str
    cost: float
    needs: Needs = _NONE
    worker: str = ""
    settled: bool = True


@dataclass(frozen=True, slots=True)
class Offer:
    """A worker that works.

    Attributes:
        worker: its name.
        room: cores that its cameras may use.
        labels, gpu, zone: what it offers.
        drained: it is to have no cameras.
        fresh: it works since a moment ago: no camera moves there for balance alone.
    """

    worker: str
    room: float
    labels: frozenset[str] = frozenset()
    gpu: bool = False
    zone: str = ""
    drained: bool = False
    fresh: bool = False

    def meets(self, needs: Needs) -> bool:
        """Return whether it offers what a camera needs."""
        has_gpu = self.gpu or not needs.gpu
        return has_gpu and needs.zone in ("", self.zone) and self.labels.issuperset(needs.labels)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done.

    Attributes:
        moves: by camera, the worker that it is to have.
        refused: by camera that no worker can have, why in words, with the numbers.
    """

    moves: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


def place(demands: Iterable[Demand], offers: Iterable[Offer], imbalance: float = IMBALANCE) -> Plan:
    """Return which cameras are to move, and which find no place.

    A camera that finds no better place stays where it is, as long as that worker works.

    Args:
        demands: of all cameras that are to run.
        offers: of all workers that work.
        imbalance: part of a worker's room by which two may differ.
    """
    return _Placing(list(demands), list(offers), imbalance).plan()


class _Placing:
    def __init__(self, demands: list[Demand], offers: list[Offer], imbalance: float) -> None:
        self._offers = {offer.worker: offer for offer in offers}
        self._imbalance = imbalance
        self._demands = demands
        self._load = dict.fromkeys(self._offers, 0.0)
        self._of: dict[str, dict[str, Demand]] = {name: {} for name in self._offers}
        self._heaps: dict[Needs, list[tuple[float, str]]] = {}
        self._most_free: dict[Needs, float] = {}
        self._moves: dict[str, str] = {}

    def plan(self) -> Plan:
        """Place what must move, the costly ones first; then even out."""
        homeless = []
        for demand in self._demands:
            if demand.worker in self._offers:
                self._put(demand, demand.worker)
            else:
                homeless.append(demand)
        homeless = self._given(homeless)
        self._given(self._misplaced())
        self._even_out()
        homeless = self._given(homeless)  # for whom room has come free
        return Plan(self._moves, {demand.camera: self._why(demand) for demand in homeless})

    def _given(self, demands: list[Demand]) -> list[Demand]:
        """Give cameras to the emptiest workers; return those that no worker can have."""
        left = []
        for demand in sorted(demands, key=_by_cost):
            if (worker := self._roomiest(demand)) is None:
                left.append(demand)
            else:
                self._give(demand, worker)
        return left

    def _misplaced(self) -> list[Demand]:
        """Cameras that should not be where they are: all of a drained worker, and so many of one
        that has too much as bring it back to its room, the cheapest that does it alone first.
        """
        found = []
        for name, offer in self._offers.items():
            own = list(self._of[name].values())
            wrong = [each for each in own if offer.drained or not offer.meets(each.needs)]
            found += wrong
            left = self._load[name] - sum(each.cost for each in wrong)
            if left <= offer.room + _LITTLE:
                continue
            stays = (each for each in own if each.settled and offer.meets(each.needs))
            rest = [] if offer.drained else sorted(stays, key=_cost)
            while left > offer.room + _LITTLE and rest:
                over = left - offer.room
                index = next((i for i, each in enumerate(rest) if each.cost >= over), -1)
                found.append(rest.pop(index))
                left -= found[-1].cost
        return found

    def _share(self, worker: str) -> float:
        """The part of its room that a worker's cameras take."""
        room = self._offers[worker].room
        return self._load[worker] / room if room > 0 else float("inf")

    def _put(self, demand: Demand, worker: str) -> None:
        self._load[worker] += demand.cost
        self._of[worker][demand.camera] = demand
        self._changed(worker)

    def _give(self, demand: Demand, worker: str) -> None:
        before = self._moves.get(demand.camera, demand.worker)
        if before in self._of and self._of[before].pop(demand.camera, None) is not None:
            self._load[before] -= demand.cost
            self._changed(before)
        self._put(demand, worker)
        self._moves[demand.camera] = worker
        if worker == demand.worker:
            del self._moves[demand.camera]

    def _changed(self, worker: str) -> None:
        """Heaps hold old shares too, which are passed over when they come up."""
        self._most_free.clear()
        for needs, heap in self._heaps.items():
            offer = self._offers[worker]
            if not offer.drained and offer.meets(needs):
                heapq.heappush(heap, (self._share(worker), worker))

    def _heap(self, needs: Needs) -> list[tuple[float, str]]:
        """The workers that meet needs, the emptiest first."""
        if needs not in self._heaps:
            able = [o.worker for o in self._offers.values() if not o.drained and o.meets(needs)]
            self._heaps[needs] = [(self._share(worker), worker) for worker in able]
            heapq.heapify(self._heaps[needs])
        heap = self._heaps[needs]
        while heap and heap[0][0] != self._share(heap[0][1]):
            heapq.heappop(heap)
        return heap

    def _roomiest(self, demand: Demand) -> str | None:
        """The emptiest worker that can have a camera, other than the one that has it."""
        if demand.cost > self._free(demand.needs) + _LITTLE:
            return None
        heap, passed, found = self._heap(demand.needs), list[tuple[float, str]](), None
        while heap:
            share, worker = heap[0]
            if worker != demand.worker and self._fits(demand, worker):
                found = worker
                break
            if share >= 1.0:
                break
            passed.append(heapq.heappop(heap))
            self._heap(demand.needs)
        for each in passed:
            heapq.heappush(heap, each)
        return found

    def _free(self, needs: Needs) -> float:
        """The most cores that one of the workers that meet needs has left."""
        if needs not in self._most_free:
            able = {worker for _, worker in self._heap(needs)}
            left = (self._offers[worker].room - self._load[worker] for worker in able)
            self._most_free[needs] = max(left, default=0.0)
        return self._most_free[needs]

    def _fits(self, demand: Demand, worker: str) -> bool:
        return self._load[worker] + demand.cost <= self._offers[worker].room + _LITTLE

    def _why(self, demand: Demand) -> str:
        able = [o for o in self._offers.values() if not o.drained and o.meets(demand.needs)]
        if not able:
            asked = words_of(demand.needs)
            wanted = f"offers {asked}" if asked else "takes cameras"
            return f"none of {len(self._offers)} workers {wanted}"
        most = max(able, key=lambda offer: offer.room - self._load[offer.worker])
        free = max(0.0, most.room - self._load[most.worker])
        return (
            f'it takes {demand.cost:.2f} cores; worker "{most.worker}" has most left, {free:.2f} '
            f"of {most.room:.2f}"
        )

    def _even_out(self) -> None:
        """Move cameras of the fullest workers to the emptiest, where these differ by too much."""
        full = [(-self._share(n), n) for n, offer in self._offers.items() if not offer.drained]
        if not any(self._better(name, self._imbalance) for _, name in full):
            return
        heapq.heapify(full)
        while full:
            share, name = heapq.heappop(full)
            if -share != self._share(name) or not (
                found := self._better(name, self._imbalance / 2)
            ):
                continue  # an old share, or nothing to gain there
            self._give(*found)
            heapq.heappush(full, (-self._share(name), name))

    def _better(self, worker: str, differs: float) -> tuple[Demand, str] | None:
        """A camera of a worker, and another worker that is so much emptier that it is better there,
        and is not the fuller of the two then; the costliest such camera.
        """
        by_needs: dict[Needs, list[Demand]] = {}
        for demand in self._of[worker].values():
            if demand.settled and demand.cost > _LITTLE:
                by_needs.setdefault(demand.needs, []).append(demand)
        found = []
        for needs, demands in by_needs.items():
            heap = self._heap(needs)
            if not heap or self._share(worker) - heap[0][0] <= differs + _LITTLE:
                continue
            other = heap[0][1]
            if self._offers[other].fresh:
                continue
            fits = [each for each in demands if self._evens(each, worker, other)]
            found += [(each, other) for each in fits]
        return max(found, key=lambda pair: (pair[0].cost, pair[0].camera), default=None)

    def _evens(self, demand: Demand, worker: str, other: str) -> bool:
        here, there = self._offers[worker].room, self._offers[other].room
        after = (self._load[worker] - demand.cost) / here if here > 0 else float("inf")
        evens = (self._load[other] + demand.cost) / there <= after + _LITTLE
        return evens and self._fits(demand, other)


def words_of(needs: Needs) -> str:
    """Return in words what a camera needs; empty for nothing."""
    asked = [f'label "{label}"' for label in needs.labels]
    asked += ["a GPU"] if needs.gpu else []
    asked += [f'zone "{needs.zone}"'] if needs.zone else []
    return " and ".join(asked)


def _cost(demand: Demand) -> float:
    return demand.cost


def _by_cost(demand: Demand) -> tuple[float, str]:
    return -demand.cost, demand.camera
