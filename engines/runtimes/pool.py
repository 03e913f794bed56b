"""Things that serve one thread at a time, lent to many threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Pool(Generic[T]):
    """Makes a thing when none is idle, so there are as many as were ever in use at once.

    Threads come and go with cameras; what belonged to one of them is used by the next.
    """

    def __init__(self, make: Callable[[], T], first: T | None = None) -> None:
        self._make = make
        self._idle = [] if first is None else [first]

    @contextmanager
    def lent(self) -> Iterator[T]:
        """One of them, for this thread alone. It is not used again after an exception."""
        try:
            thing = self._idle.pop()  # atomic, as append is
        except IndexError:
            thing = self._make()
        yield thing
        self._idle.append(thing)
