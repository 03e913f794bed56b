"""How full a worker is: what its cameras take of its processor, memory and GPU."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

LITTLE = 1e-9
Amounts = tuple[float, float, float]  # cores, bytes of memory, share of a GPU

CORES, MEMORY, GPU = range(3)
_MIB = 1 << 20


class Filled:
    """What a worker has, and what its cameras take of it.

    Args:
        room: cores, bytes and share of a GPU that they may take; infinite where there is no bound.

    Attributes:
        share: the part of its room that is taken, of what is taken most of.
    """

    __slots__ = ("_room", "_taken", "share")

    def __init__(self, room: Amounts) -> None:
        self._room = room
        self._taken = [0.0, 0.0, 0.0]
        self.share = self._share(self._taken)

    def add(self, takes: Amounts, times: int = 1) -> None:
        """Take one more camera, or with -1 one less."""
        for what, amount in enumerate(takes):
            self._taken[what] += times * amount
        self.share = self._share(self._taken)

    def without(self, all_take: Iterable[Amounts]) -> Filled:
        """Return it without some cameras."""
        found = Filled(self._room)
        found.add((self._taken[0], self._taken[1], self._taken[2]))
        for takes in all_take:
            found.add(takes, -1)
        return found

    def share_with(self, takes: Amounts, times: int = 1) -> float:
        """Return what ``share`` would be with one camera more, or with -1 one less."""
        return self._share([has + times * t for has, t in zip(self._taken, takes, strict=True)])

    def fits(self, takes: Amounts) -> bool:
        """Return whether there is room for a camera."""
        taken, room = self._taken, self._room
        return (
            taken[0] + takes[0] <= room[0] + LITTLE
            and (not takes[1] or taken[1] + takes[1] <= room[1] + LITTLE)
            and (not takes[2] or taken[2] + takes[2] <= room[2] + LITTLE)
        )

    @property
    def over(self) -> int | None:
        """What it has too much of: ``CORES`` or ``GPU``; None for nothing. Memory that is taken
        does not come free by what is measured of cameras alone.
        """
        return next((what for what in (CORES, GPU) if self.excess(what) > LITTLE), None)

    def excess(self, what: int) -> float:
        """Return how much more its cameras take than there is."""
        return self._taken[what] - self._room[what]

    def left(self, what: int) -> float:
        """Return how much cameras may take yet."""
        return max(0.0, -self.excess(what))

    def room(self, what: int) -> float:
        """Return how much cameras may take in all."""
        return self._room[what]

    def _share(self, taken: Sequence[float]) -> float:
        room = self._room
        if room[CORES] <= 0:
            return float("inf")
        return max(taken[0] / room[0], _part(taken[1], room[1]), _part(taken[2], room[2]))


def _part(taken: float, room: float) -> float:
    if room > 0:
        return taken / room
    return float("inf") if taken > LITTLE else 0.0


def most_left(takes: Amounts, workers: Mapping[str, Filled]) -> str:
    """Return in words why none of the workers has room for a camera, with the numbers: of what the
    fewest have enough.
    """

    def enough(what: int) -> int:
        return sum(each.left(what) + LITTLE >= takes[what] for each in workers.values())

    what = min((each for each in range(3) if takes[each]), key=enough, default=CORES)
    name = max(workers, key=lambda each: workers[each].left(what))
    asked, left, room = takes[what], workers[name].left(what), workers[name].room(what)
    if what == CORES:
        words = f"it takes {asked:.2f} cores", f"{left:.2f} of {room:.2f}"
    elif what == MEMORY:
        asked, left, room = asked / _MIB, left / _MIB, room / _MIB
        words = f"it takes {asked:.0f} MiB of memory", f"{left:.0f} of {room:.0f}"
    else:
        words = f"it takes {asked:.0%} of a GPU", f"{left:.0%} of {room:.0%}"
    return f'{words[0]}; worker "{name}" has most left, {words[1]}'
