"""Decoders that call themselves hardware, made of the one in software: right, wrong, and broken."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

Gst.init(None)

_SINK = "video/x-h264,stream-format=byte-stream,alignment=au"
# What stands around avdec_h264, before and behind it.
BEHIND = {
    "right": "identity",
    "wrong": "videobalance brightness=0.1",
    "few": "identity drop-probability=0.3",
    "failing": "identity error-after=3",
    "hanging": "identity sleep-time=5000000",
}


_numbers = itertools.count()


def _templates() -> tuple[Any, Any]:
    return (
        Gst.PadTemplate.new(
            "sink", Gst.PadDirection.SINK, Gst.PadPresence.ALWAYS, Gst.Caps.from_string(_SINK)
        ),
        Gst.PadTemplate.new(
            "src", Gst.PadDirection.SRC, Gst.PadPresence.ALWAYS, Gst.Caps.from_string("video/x-raw")
        ),
    )


class MadeDecoder(Gst.Bin):
    """Counts the frames that leave each of its kind, in ``frames``."""

    __gstmetadata__ = ("Made up", "Codec/Decoder/Video/Hardware", "Made up", "Tests")
    __gsttemplates__ = _templates()

    behind: ClassVar[list[str]] = []  # the last stands for all that follow
    frames: ClassVar[list[int]] = []

    def __init__(self) -> None:
        super().__init__()
        kind = type(self)
        number = len(kind.frames)
        kind.frames.append(0)
        text = kind.behind[min(number, len(kind.behind) - 1)]
        inner = Gst.parse_bin_from_description(f"avdec_h264 ! {text}", True)
        self.add(inner)
        for name, template in zip(("sink", "src"), type(self).__gsttemplates__, strict=True):
            pad = inner.get_static_pad(name)
            self.add_pad(Gst.GhostPad.new_from_template(name, pad, template))

        def count(_pad: Any, _info: Any) -> Any:
            kind.frames[number] += 1
            return Gst.PadProbeReturn.OK

        self.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, count)


@contextmanager
def made_decoder(name: str, *kinds: str) -> Iterator[type[MadeDecoder]]:
    """A decoder that this machine has for the time of a test.

    Args:
        name: of the element, such as ``vamadeh264dec``.
        kinds: of ``BEHIND``: of the first that is made, the second, …; the last of all others.
    """
    kind = type(
        f"Made_{name}",
        (MadeDecoder,),
        {
            "behind": [BEHIND[each] for each in kinds],
            "frames": [],
            "__gtype_name__": f"Made_{name}_{next(_numbers)}",
        },
    )
    Gst.Element.register(None, name, int(Gst.Rank.NONE), kind)
    try:
        yield kind
    finally:
        registry = Gst.Registry.get()
        registry.remove_feature(registry.lookup_feature(name))
