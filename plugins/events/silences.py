"""Classes of which nothing is seen for long."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import msgspec

from mirante.events import Event
from mirante.frame import FrameResult


class Silence(msgspec.Struct, array_like=True):
    """The seconds of watching that have shown no object of a class."""

    seconds: float = 0.0
    is_reported: bool = False


class Silences(msgspec.Struct, array_like=True):
    """The silences of a camera: a part of its memory.

    Attributes:
        born: epoch in which it began with nothing.
        number: events so far.
        of: by class.
    """

    born: int = 0
    number: int = 0
    of: dict[str, Silence] = {}

    def listen(self, seen: Collection[str], watched_s: float, labels: Collection[str]) -> None:
        """Note which classes a frame shows.

        Args:
            seen: classes in the frame.
            watched_s: seconds since the frame before in which an object would have been seen.
            labels: classes to listen for.
        """
        self.of = {label: self.of.get(label, Silence()) for label in labels}
        for label, silence in self.of.items():
            if label in seen:
                silence.seconds, silence.is_reported = 0.0, False
            else:
                silence.seconds += watched_s

    def events(self, result: FrameResult, after_s: Mapping[str, float]) -> Iterator[Event]:
        """Yield the event of each class of which nothing was seen for too long, once.

        Args:
            result: of the frame that was listened to last.
            after_s: seconds, by class.
        """
        self.born = self.born or result.epoch
        for label, limit_s in after_s.items():
            silence = self.of[label]
            if silence.is_reported or silence.seconds < limit_s:
                continue
            silence.is_reported, self.number = True, self.number + 1
            yield result.new_event(
                "nothing-seen",
                f"{self.born}-nothing-seen-{label}-{self.number}",
                label=label,
                reason=f"no {label} for {limit_s:g} s",
            )
