"""The memory of a camera's stages: what they know of earlier frames, across graphs and workers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar


class Remembered(Protocol):
    """A part of the memory."""

    def saved(self) -> bytes:
        """Return all that its successor needs to continue as if it were this one."""


T = TypeVar("T", bound=Remembered)


CAMERA = "camera"  # the part that says whether the camera is lost
HEARD = "heard"  # the part that knows the camera's own events
_STILL = {CAMERA, HEARD}  # frames do not change them


class Memory:
    """Parts by name. A part outlives the elements that use it: a graph built again finds it.

    Args:
        saved: of each part, what the camera's last worker left; empty where that is unknown.
        recall: returns the same, on first use of any part.

    Attributes:
        is_used: there are parts.
        is_moving: there are parts that frames change.
    """

    def __init__(
        self,
        saved: Mapping[str, bytes] | None = None,
        recall: Callable[[], Mapping[str, bytes]] | None = None,
    ) -> None:
        self._saved = dict(saved or {})
        self._recall = recall
        self._parts: dict[str, Remembered] = {}
        self._lock = threading.Lock()
        self.is_used = self.is_moving = False

    def part(self, name: str, make: Callable[[bytes | None], T]) -> T:
        """Return the part of a name, made on first use.

        Args:
            name: of the part.
            make: called once with what its predecessor saved, or None.
        """
        with self._lock:
            part = self._parts.get(name)
            if part is None:
                if self._recall is not None:
                    self._saved.update(self._recall())
                    self._recall = None
                self.is_used = True
                self.is_moving |= name not in _STILL
                part = self._parts[name] = make(self._saved.pop(name, None))
            return part  # type: ignore[return-value]

    def load(self, saved: Mapping[str, bytes]) -> None:
        """Take what the camera's last worker left in the place of all that is known; whoever uses a
        part has to ask for it again.
        """
        with self._lock:
            self._saved, self._parts, self._recall = dict(saved), {}, None
            self.is_used = self.is_moving = False

    def find(self, name: str) -> Remembered | None:
        """Return the part of a name; None where nobody uses it."""
        return self._parts.get(name)

    def saved(self) -> dict[str, bytes]:
        """Return what each part saves; what was saved of parts that nobody has used yet is kept."""
        with self._lock:
            return {**self._saved, **{name: part.saved() for name, part in self._parts.items()}}
