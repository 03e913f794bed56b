"""An item on its way to a bridge's other side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from mirante.client.batches import Held
from mirante.client.items import Item
from mirante.client.plan import SubscribedKind


class AwayError(RuntimeError):
    """The other side takes nothing at present, in words: it is tried again later.

    Attributes:
        attempts: that failed since the last delivery.
    """

    def __init__(self, words: str, attempts: int = 1) -> None:
        super().__init__(words)
        self.attempts = attempts


@dataclass(slots=True)
class Parcel:
    """An item that is delivered once ``done`` or ``dead`` was called, and tried again until then.

    Attributes:
        held: the entry, read and not acknowledged.
        words: why the other side will never take it.
    """

    held: Held
    state: Literal["waits", "done", "dead"] = "waits"
    words: str = ""

    @property
    def item(self) -> Item:
        """The frame, event or status."""
        return self.held.item

    def done(self) -> None:
        """The other side has acknowledged it."""
        self.state = "done"

    def dead(self, words: str) -> None:
        """The other side will never take it: it goes to the stream of dead letters, and the next
        one is delivered.
        """
        self.words = words
        self.state = "dead"  # last: another thread may look at it


class Bridge(Protocol):
    """What a bridge does; ``carrying.run`` does the rest.

    Attributes:
        kind: ``mqtt``, ``webhook``, …
        target: where it carries things to, without secrets.
        kinds: of items that it carries.
    """

    kind: str
    target: str
    kinds: tuple[SubscribedKind, ...]

    def open(self) -> None:
        """Begin, before the first delivery.

        Raises:
            ValueError: an option is not as it should be; the command ends.
        """

    def deliver(self, parcels: list[Parcel]) -> None:
        """Hand parcels over in their order, each ``done`` when the other side has acknowledged it.

        It may wait for some seconds, not for ever. What is not ``done`` or ``dead`` afterwards
        comes again, in the same order, after a pause. With no parcels it tells whether the other
        side is there, where that can be seen.

        Raises:
            AwayError: the other side takes nothing at present.
        """

    def close(self) -> None:
        """End; called once, also after an error, or where it was never opened. What the other side
        has acknowledged by then is still to be ``done``.
        """
