"""Look for the parameter sets of a camera's stream, without which no image can be decoded."""

from __future__ import annotations

import time
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from pipeline.cameras.nal_units import CODECS, Codec, unit_types
from plugins.bindings import structure_of

_OK, _DROP, _REMOVE = (
    Gst.PadProbeReturn.OK,
    Gst.PadProbeReturn.DROP,
    Gst.PadProbeReturn.REMOVE,
)


class ParameterSets:
    """Looks into the packets of an rtspsrc until the sets have come.

    Nothing is looked at where the camera's description has them, as nearly all do. While some have
    come and others have not, images are withheld: rtph265depay would send them without caps, which
    ends the graph.
    """

    def __init__(self, source: Any) -> None:
        self._missing: set[int] = set()  # types
        self._keyed_s: float | None = None  # monotonic time of the first key frame without them
        source.connect("pad-added", self._on_pad)

    @property
    def missing_s(self) -> float:
        """Seconds since a key frame came without them; 0 while nothing is missing."""
        return 0.0 if self._keyed_s is None else time.monotonic() - self._keyed_s

    def _on_pad(self, _source: Any, pad: Any) -> None:
        caps = pad.get_current_caps() or pad.query_caps(None)
        said = structure_of(caps)
        codec = CODECS.get(str(said.get_string("encoding-name")).upper())
        if codec is None:
            return
        self._missing = {kind for kind, told in codec.sets.items() if not said.has_field(told)}
        if self._missing:
            pad.add_probe(Gst.PadProbeType.BUFFER, self._on_packet, codec)

    def _on_packet(self, _pad: Any, info: Any, codec: Codec) -> Any:
        buffer = info.get_buffer()
        types = unit_types(buffer.extract_dup(0, buffer.get_size()), codec)
        self._missing -= types
        if not self._missing:
            self._keyed_s = None
            return _REMOVE
        if types & codec.keys and self._keyed_s is None:
            self._keyed_s = time.monotonic()
        is_partial = len(self._missing) < len(codec.sets)
        return _DROP if is_partial and not types & codec.sets.keys() else _OK
