"""The arithmetic of room: how many cameras a machine holds, by what one of them costs."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor
from typing import Annotated, NamedTuple

import msgspec

KEPT = 0.2  # of the cores: a frame that finds all of them busy waits, and is late
KEPT_MEMORY = 0.1  # of the memory


class Fit(NamedTuple):
    """How many more cameras fit, and what runs out first."""

    more: int
    limited_by: str


def fit(left: Mapping[str, float], each: Mapping[str, float]) -> Fit | None:
    """Return how many more cameras fit; None where a camera takes nothing of what there is.

    Args:
        left: what cameras may use yet, by what it is; the first of several that allow as many is
            named.
        each: what one camera takes of it; what is absent, or 0, does not count.
    """
    fits = [
        Fit(floor(max(0.0, amount) / each[what] + 1e-9), what)
        for what, amount in left.items()
        if each.get(what, 0) > 0
    ]
    return min(fits, key=lambda found: found.more, default=None)


class Space(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine has, and what is in use of it.

    Attributes:
        cores: that processes here may use, fewer where a quota or an affinity says so.
        used: of them, by everything that runs, as an average over the time of measuring.
        memory_bytes: that processes here may use.
        memory_free_bytes: of it, with what only caches files.
        own_cores, own_memory: a limit of this container says so, and others have theirs besides.
    """

    cores: float
    used: float
    memory_bytes: int
    memory_free_bytes: int
    own_cores: bool = False
    own_memory: bool = False

    @property
    def free(self) -> float:
        """Cores that cameras may use yet; a part is kept free."""
        return max(0.0, self.cores * (1 - KEPT) - self.used)

    @property
    def memory_left_bytes(self) -> int:
        """Memory that cameras may use yet; a part is kept free."""
        return max(0, self.memory_free_bytes - round(KEPT_MEMORY * self.memory_bytes))

    @property
    def left(self) -> dict[str, float]:
        """What cameras may use yet, for ``fit``: cores, and bytes of memory."""
        return {"processor": self.free, "memory": self.memory_left_bytes}

    def holds(self, cores: float, memory_bytes: int = 0) -> Fit:
        """Return how many more cameras fit.

        Args:
            cores: that each needs, more than 0.
            memory_bytes: that each needs; 0 leaves memory out.
        """
        found = fit(self.left, {"processor": cores, "memory": memory_bytes})
        assert found is not None
        return found


class RoomReport(msgspec.Struct, frozen=True, kw_only=True):
    """How many more cameras a worker's machine holds, from its last minute.

    Attributes:
        cameras: that run now.
        camera_percent: of one core that each of them costs on average, with the processes around
            the worker; None where none runs.
        free_percent: of one core, that cameras may use yet.
        more: how many more cameras like these, as they are now, fit; None where none runs.
        camera_bytes: memory that each of them holds on average, with its share of the models; None
            where none runs, or from an earlier worker.
        memory_left_bytes: that cameras may use yet; None from an earlier worker.
        own_cores, own_memory: what is left is this container's alone, by a limit of its own; else
            all on its machine share it.
    """

    cameras: int
    camera_percent: Annotated[
        float | None, msgspec.Meta(description="of one core, on average; null: none runs")
    ]
    free_percent: Annotated[
        float, msgspec.Meta(description="of one core, that cameras may use; 20 % are kept free")
    ]
    more: Annotated[
        int | None, msgspec.Meta(description="cameras like these that fit besides; null: none runs")
    ]
    camera_bytes: Annotated[
        int | None, msgspec.Meta(description="memory of one, with its share of the models")
    ] = None
    memory_left_bytes: Annotated[
        int | None, msgspec.Meta(description="that cameras may use; 10 % are kept free")
    ] = None
    own_cores: Annotated[
        bool, msgspec.Meta(description="a limit of its container, not its machine's cores")
    ] = False
    own_memory: Annotated[
        bool, msgspec.Meta(description="a limit of its container, not its machine's memory")
    ] = False


def percent(cores: float) -> str:
    """Return a share of one core in words."""
    share = 100 * cores
    return f"{share:.0f} %" if share >= 9.95 else f"{share:.1f} %"
