"""Which worker gets which camera: a pure function of what cameras take and workers offer.

A camera moves because it must (no worker, a worker that is gone, is drained, lacks what the camera
needs, or has more than it can do), or because two workers that could both have it differ by more
than ``IMBALANCE`` of their room; then all are brought within half of that, so that costs that are
measured a little otherwise move nothing. One that has joined gets its share, however little there
is to do. With the moves made, further calls come to rest.

A worker is as full as the fullest of what it has: processor, memory, GPU.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fleet.filled import LITTLE, Amounts, Filled, most_left
from pipeline.control.entries import Needs
from pipeline.control.needs import offers, words_of

IMBALANCE = 0.25  # of a worker's room, between the fullest and the emptiest
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
        memory: bytes that it takes; 0 where that was not measured.
        gpu: share of a GPU that it takes, 0 to 1.
        shuns: workers that could not reach it.
    """

    camera: str
    cost: float
    needs: Needs = _NONE
    worker: str = ""
    settled: bool = True
    memory: float = 0.0
    gpu: float = 0.0
    shuns: frozenset[str] = frozenset()

    @property
    def takes(self) -> Amounts:
        """What it takes of each thing that may run out."""
        return self.cost, self.memory, self.gpu


@dataclass(frozen=True, slots=True)
class Offer:
    """A worker that works.

    Attributes:
        worker: its name.
        room: cores that its cameras may use.
        labels, gpu, zone: what it offers.
        drained: it is to have no cameras.
        fresh: it works since a moment ago: no camera moves there for balance alone.
        memory: bytes that its cameras may use; infinite where that was not measured.
        gpu_room: share of a GPU that its cameras may use; infinite where there is none.
        joined: it has come to the others a short while ago.
    """

    worker: str
    room: float
    labels: frozenset[str] = frozenset()
    gpu: bool = False
    zone: str = ""
    drained: bool = False
    fresh: bool = False
    memory: float = float("inf")
    gpu_room: float = float("inf")
    joined: bool = False

    def meets(self, needs: Needs) -> bool:
        """Return whether it offers what a camera needs."""
        return offers(needs, self.labels, self.gpu, self.zone)


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
        self._filled = {o.worker: Filled((o.room, o.memory, o.gpu_room)) for o in offers}
        self._of: dict[str, dict[str, Demand]] = {name: {} for name in self._offers}
        self._heaps: dict[Needs, list[tuple[float, str]]] = {}
        self._in_vain: dict[Needs, list[Amounts]] = {}  # that no worker had room for
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
            filled = self._filled[name].without(each.takes for each in wrong)
            if offer.drained or (over := filled.over) is None:
                continue
            stays = (each for each in own if each.settled and offer.meets(each.needs))
            rest = sorted((each for each in stays if each.takes[over]), key=lambda d: d.takes[over])
            while (excess := filled.excess(over)) > LITTLE and rest:
                index = next((i for i, each in enumerate(rest) if each.takes[over] >= excess), -1)
                found.append(rest.pop(index))
                filled.add(found[-1].takes, -1)
        return found

    def _put(self, demand: Demand, worker: str) -> None:
        self._filled[worker].add(demand.takes)
        self._of[worker][demand.camera] = demand
        self._changed(worker)

    def _give(self, demand: Demand, worker: str) -> None:
        before = self._moves.get(demand.camera, demand.worker)
        if before in self._of and self._of[before].pop(demand.camera, None) is not None:
            self._filled[before].add(demand.takes, -1)
            self._in_vain.clear()
            self._changed(before)
        self._put(demand, worker)
        self._moves[demand.camera] = worker
        if worker == demand.worker:
            del self._moves[demand.camera]

    def _changed(self, worker: str) -> None:
        """Heaps hold old shares too, which are passed over when they come up."""
        for needs, heap in self._heaps.items():
            offer = self._offers[worker]
            if not offer.drained and offer.meets(needs):
                heapq.heappush(heap, (self._filled[worker].share, worker))

    def _heap(self, needs: Needs) -> list[tuple[float, str]]:
        """The workers that meet needs, the emptiest first."""
        if needs not in self._heaps:
            able = [o.worker for o in self._offers.values() if not o.drained and o.meets(needs)]
            self._heaps[needs] = [(self._filled[worker].share, worker) for worker in able]
            heapq.heapify(self._heaps[needs])
        heap = self._heaps[needs]
        while heap and heap[0][0] != self._filled[heap[0][1]].share:
            heapq.heappop(heap)
        return heap

    def _roomiest(self, demand: Demand) -> str | None:
        """The emptiest worker that can have a camera, other than the one that has it."""
        in_vain = self._in_vain.setdefault(demand.needs, [])
        if any(_is_more(demand.takes, least) for least in in_vain):
            return None
        heap, passed, found = self._heap(demand.needs), list[tuple[float, str]](), None
        is_picky = False
        while heap and found is None and heap[0][0] < 1.0:
            worker = heap[0][1]
            fits = self._filled[worker].fits(demand.takes)
            if fits and worker != demand.worker and worker not in demand.shuns:
                found = worker
                continue
            is_picky |= fits
            passed.append(heapq.heappop(heap))
            self._heap(demand.needs)
        for each in passed:
            heapq.heappush(heap, each)
        if found is None and not is_picky:
            least = [each for each in in_vain if not _is_more(each, demand.takes)]
            self._in_vain[demand.needs] = [*least, demand.takes]
        return found

    def _why(self, demand: Demand) -> str:
        able = [
            o
            for o in self._offers.values()
            if not o.drained and o.meets(demand.needs) and o.worker not in demand.shuns
        ]
        if not able:
            asked = words_of(demand.needs)
            wanted = f"offers {asked}" if asked else "takes cameras"
            reaches = " and reaches it" if demand.shuns else ""
            return f"none of {len(self._offers)} workers {wanted}{reaches}"
        return most_left(demand.takes, {o.worker: self._filled[o.worker] for o in able})

    def _even_out(self) -> None:
        """Move cameras of the fullest workers to the emptiest, where these differ by too much."""
        names = [name for name, offer in self._offers.items() if not offer.drained]
        if not any(self._better(name, self._imbalance) for name in names):
            return
        full = [(-self._filled[name].share, name) for name in names]
        heapq.heapify(full)
        while full:
            share, name = heapq.heappop(full)
            if -share != self._filled[name].share or not (
                found := self._better(name, self._imbalance / 2)
            ):
                continue  # an old share, or nothing to gain there
            self._give(*found)
            heapq.heappush(full, (-self._filled[name].share, name))

    def _better(self, worker: str, differs: float) -> tuple[Demand, str] | None:
        """A camera of a worker, and another worker that is so much emptier that it is better there,
        and is not the fuller of the two then; the costliest such camera.
        """
        by_needs: dict[Needs, list[Demand]] = {}
        for demand in self._of[worker].values():
            if demand.settled and demand.cost > LITTLE:
                by_needs.setdefault(demand.needs, []).append(demand)
        found = []
        for needs, demands in by_needs.items():
            if not (heap := self._heap(needs)):
                continue
            share, other = heap[0]
            least = 0.0 if self._offers[other].joined else differs
            if self._filled[worker].share - share <= least + LITTLE or self._offers[other].fresh:
                continue
            fits = [each for each in demands if self._evens(each, worker, other)]
            found += [(each, other) for each in fits]
        return max(found, key=lambda pair: (pair[0].cost, pair[0].camera), default=None)

    def _evens(self, demand: Demand, worker: str, other: str) -> bool:
        if other in demand.shuns or not self._filled[other].fits(demand.takes):
            return False
        after = self._filled[worker].share_with(demand.takes, -1)
        return self._filled[other].share_with(demand.takes) <= after + LITTLE


def _by_cost(demand: Demand) -> tuple[float, str]:
    return -demand.cost, demand.camera


def _is_more(takes: Amounts, least: Amounts) -> bool:
    """Return whether there is no room for ``takes`` where there was none for ``least``."""
    return all(one >= other - LITTLE for one, other in zip(takes, least, strict=True))
