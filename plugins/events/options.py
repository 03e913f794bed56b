"""The options of events: what is reported of objects, and how they are shown."""

from __future__ import annotations

import msgspec


class EventsOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of events.

    Attributes:
        tracked: objects have tracks; without them there are no events of objects.
        objects: report objects that appear, change and go.
        classes: of these classes alone; empty for all.
        min_hits: minimum number of frames that show an object before it is reported.
        min_s: minimum seconds for which it is there before.
        update_s: minimum seconds between two events of one object.
        nothing_seen: seconds without an object of a class after which that is reported, by class.
        images: events have images.
        image_size: maximum width and height of an image, pixels.
        image_quality: JPEG quality, 1 to 100.
        image_margin: what is shown around an object, as a share of its box on each side.
        images_per_s: maximum number of images made in a second.
        blur: classes that are made unrecognisable in images.
        lost_s: seconds of watching after which the tracker gives up a missing object.
    """

    tracked: bool = True
    objects: bool = True
    classes: tuple[str, ...] = ()
    min_hits: int = 3
    min_s: float = 0.5
    update_s: float = 10.0
    nothing_seen: dict[str, float] = {}
    images: bool = True
    image_size: int = 320
    image_quality: int = 80
    image_margin: float = 0.25
    images_per_s: float = 4.0
    blur: tuple[str, ...] = ()
    lost_s: float = 3.0


_read_options = msgspec.json.Decoder(EventsOptions)


def read_options(text: str) -> EventsOptions:
    """Return the options that a JSON text holds.

    Raises:
        ValueError: it is none, or has a key that is unknown or of another type.
    """
    try:
        return _read_options.decode(text or "{}")
    except msgspec.MsgspecError as error:
        raise ValueError(f"options: {text:.80} — {error}") from None
