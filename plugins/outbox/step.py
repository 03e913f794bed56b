"""Memory and counts, written together with a camera's newest event: none is told twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from mirante.counts import Digits

Place = tuple[str, str, int]  # key, field, and the first character


class Saved(msgspec.Struct, frozen=True):
    """The value of ``mirante:{camera}:memory``, in MessagePack.

    Attributes:
        captured_ms: Unix ms of capture of the last frame that it knows of.
        parts: of each part of the memory, what its successor needs.
    """

    captured_ms: int
    parts: dict[str, bytes]


_read = msgspec.msgpack.Decoder(Saved)


def read_saved(data: bytes) -> Saved | None:
    """Return a memory as it stands in Redis; None of what is none."""
    try:
        return _read.decode(data)
    except msgspec.MsgspecError:
        return None


@dataclass(frozen=True, slots=True)
class Step:
    """A camera's memory and counts as of an event, or as of a moment without one.

    Attributes:
        memory: the value of its key; empty to leave that as it is.
        counts: digits by their place; absolute, so that writing them again changes nothing.
    """

    memory: bytes = b""
    counts: dict[Place, Digits] = field(default_factory=dict)

    @classmethod
    def of(cls, memory: bytes, counts: Iterable[Digits]) -> Step:
        """Return a step; of two digits at one place the later holds."""
        return cls(memory, {(each.key, each.field, each.at): each for each in counts})

    @property
    def size(self) -> int:
        """Bytes that it holds, roughly."""
        return len(self.memory) + 300 * len(self.counts)

    def then(self, later: Step | None) -> Step:
        """Return one step in the place of this and a later one."""
        if later is None:
            return self
        return Step(later.memory or self.memory, {**self.counts, **later.counts})


def joined(steps: Iterable[Step | None]) -> Step | None:
    """Return one step in the place of several, the earliest first; None of none."""
    whole: Step | None = None
    for step in steps:
        whole = step if whole is None else whole.then(step)
    return whole
