"""Reading a group by batches, whose entries are acknowledged when what they became is safe."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import NamedTuple

from mirante.client.group import GroupReader
from mirante.client.items import Item
from mirante.client.plan import Plan
from mirante.client.subscription import Subscription
from mirante.keys import EntryId


class Held(NamedTuple):
    """An item that was read and not acknowledged yet.

    Attributes:
        stream: the key of its entry.
        entry_id: the entry's ID.
        item: that it became.
    """

    stream: str
    entry_id: EntryId
    item: Item


class Batches(Subscription[Item]):
    """Reads what there is, for those who carry it on. Belongs to one thread.

    Args:
        plan: one with a group.
    """

    _reader: GroupReader

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        assert isinstance(self._talk.reader, GroupReader)
        self._reader = self._talk.reader

    def read(self, most: int, wait_s: float, without: Collection[str] = ()) -> list[Held]:
        """Return items in order; none where nothing came, or while Redis is away.

        It may take longer by the plan's ``block_s``.

        Args:
            most: maximum number of them.
            wait_s: how long to wait for the first.
            without: keys of streams of which no more is read at present; what was read ahead comes
                all the same.

        Raises:
            SubscribeError: a wrong password, or no permission.
        """
        end_s = time.monotonic() + wait_s
        self._reader.without, self._reader.patience_s = without, wait_s
        while self._talk.hungry:
            if self._talk.refusal is not None:
                raise self._talk.refusal
            self._advance()
            if time.monotonic() >= end_s:
                break
        ready = self._reader.ready
        return [Held(*ready.popleft()) for _ in range(min(most, len(ready)))]

    @property
    def streams(self) -> tuple[str, ...]:
        """The keys of all that is read."""
        return tuple(self._reader.positions)

    def done(self, held: Held) -> None:
        """Acknowledge an item with the next read, or when this is closed."""
        self._reader.skip(held.stream, held.entry_id)
