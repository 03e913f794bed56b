"""The decoder of a Jetson, as one that other elements can follow.

JetPack's ``nvv4l2decoder`` gives images in a memory of its own (NVMM), which NVIDIA's own elements
alone read. Here it stands in a bin with ``nvvidconv``, which copies them to main memory.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

Gst.init(None)

NAME = "nvjetsondec"  # as the option ``decode`` finds those of NVIDIA
DECODER, CONVERTER = "nvv4l2decoder", "nvvidconv"
_LINE = f"{DECODER} ! {CONVERTER} ! capsfilter caps=video/x-raw,format=NV12"
_CLOSED = "memory:NVMM"
_GIVEN = Gst.Caps.from_string("video/x-raw,format=NV12")


class _Around(Gst.Bin):  # type: ignore[misc]
    """``nvv4l2decoder`` with its images in main memory."""

    __gstmetadata__ = (
        "Decoder of a Jetson",
        "Codec/Decoder/Video/Hardware",
        "Decodes on the device and copies to main memory",
        "Mirante",
    )

    def __init__(self) -> None:
        super().__init__()
        inner = Gst.parse_bin_from_description(_LINE, True)
        self.add(inner)
        for name, template in zip(("sink", "src"), type(self).__gsttemplates__, strict=True):
            pad = inner.get_static_pad(name)
            self.add_pad(Gst.GhostPad.new_from_template(name, pad, template))


def register() -> None:
    """Make it an element, where the two that it is made of are."""
    factory = Gst.ElementFactory.find(DECODER)
    is_here = Gst.ElementFactory.find(NAME) is not None
    if is_here or factory is None or Gst.ElementFactory.find(CONVERTER) is None:
        return
    taken = _caps(factory, Gst.PadDirection.SINK).to_string()
    Gst.Element.register(None, NAME, int(Gst.Rank.NONE), _kind(taken))


def is_closed(factory: Any) -> bool:
    """Return whether what an element gives lies only where NVIDIA's own elements can read it."""
    caps = _caps(factory, Gst.PadDirection.SRC)
    every = range(caps.get_size())
    return len(every) > 0 and all(caps.get_features(each).contains(_CLOSED) for each in every)


@cache
def _kind(taken: str) -> type[Gst.Bin]:
    """Return the element that takes what the decoder takes, which only a Jetson tells."""
    always, sink, src = Gst.PadPresence.ALWAYS, Gst.PadDirection.SINK, Gst.PadDirection.SRC
    templates = (
        Gst.PadTemplate.new("sink", sink, always, Gst.Caps.from_string(taken)),
        Gst.PadTemplate.new("src", src, always, _GIVEN),
    )
    return type("MiranteJetsonDecoder", (_Around,), {"__gsttemplates__": templates})


def _caps(factory: Any, direction: Any) -> Any:
    found = Gst.Caps.new_empty()
    for template in factory.get_static_pad_templates():
        if template.direction == direction:
            found = found.merge(template.get_caps())
    return found
