"""Decoders that call themselves hardware, made of the one in software: right, wrong, and broken."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any, ClassVar

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstBase", "1.0")
import numpy as np
from gi.repository import Gst, GstBase
from numpy.typing import NDArray

from plugins.bindings import structure_of

Gst.init(None)
_FORMATS = "format={NV12,P010_10LE,P016_LE}"
_PLAIN = Gst.Caps.from_string(f"video/x-raw,{_FORMATS}")
_CUDA = Gst.Caps.from_string(f"video/x-raw(memory:CUDAMemory),{_FORMATS}")
_EITHER = Gst.Caps.from_string(f"{_CUDA.to_string()};{_PLAIN.to_string()}")

_SINK = "video/x-h264,stream-format=byte-stream,alignment=au"
# What stands around avdec_h264, before and behind it.
BEHIND = {
    "right": "identity",
    "wrong": "videobalance brightness=0.1",
    "few": "identity drop-probability=0.3",
    "failing": "identity error-after=3",
    "hanging": "identity sleep-time=5000000",
    # As those of NVIDIA's plug-in: frames stay in its memory where elements behind take it.
    "cuda": "videoconvert ! madecuda",
    "wrong-cuda": "videobalance brightness=0.1 ! videoconvert ! madecuda",
}


_numbers = itertools.count()


def _templates(taken: str = _SINK, given: str = "video/x-raw") -> tuple[Any, Any]:
    always, sink, src = Gst.PadPresence.ALWAYS, Gst.PadDirection.SINK, Gst.PadDirection.SRC
    return (
        Gst.PadTemplate.new("sink", sink, always, Gst.Caps.from_string(taken)),
        Gst.PadTemplate.new("src", src, always, Gst.Caps.from_string(given)),
    )


class MadeDecoder(Gst.Bin):
    """Counts the frames that leave each of its kind, in ``frames``."""

    __gstmetadata__ = ("Made up", "Codec/Decoder/Video/Hardware", "Made up", "Tests")
    __gsttemplates__ = _templates(given="video/x-raw;video/x-raw(memory:CUDAMemory)")

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
def made_jetson(*, converts: bool = True) -> Iterator[list[int]]:
    """JetPack's decoder for the time of a test: its images are said to lie elsewhere than here.

    Args:
        converts: its converter is here too.

    Yields:
        The frames that each of them decoded.
    """
    frames: list[int] = []
    closed = "video/x-raw(memory:NVMM)"
    made = {"nvv4l2decoder": ("Codec/Decoder/Video", "avdec_h264", _SINK, closed)}
    if converts:
        line = "videoconvert ! capsfilter caps=video/x-raw,format=NV12"
        made["nvvidconv"] = ("Filter/Converter/Video/Scaler", line, closed, "video/x-raw")
    for name, (klass, line, taken, given) in made.items():
        Gst.Element.register(
            None,
            name,
            int(Gst.Rank.PRIMARY) + 11,
            _moved(klass, line, taken, given, frames if name == "nvv4l2decoder" else []),
        )
    try:
        yield frames
    finally:
        registry = Gst.Registry.get()
        for name in (*made, "nvjetsondec"):
            if (feature := registry.lookup_feature(name)) is not None:
                registry.remove_feature(feature)


class _Moves(GstBase.BaseTransform):
    """Says of a buffer that it lies elsewhere."""

    __gstmetadata__ = ("Moves", "Filter", "Says of images that they lie elsewhere", "Tests")
    __gsttemplates__ = tuple(
        Gst.PadTemplate.new(
            name, direction, Gst.PadPresence.ALWAYS, Gst.Caps.from_string("video/x-raw(ANY)")
        )
        for name, direction in (("sink", Gst.PadDirection.SINK), ("src", Gst.PadDirection.SRC))
    )

    def do_transform_caps(self, direction: Any, caps: Any, filtered: Any) -> Any:
        """Return the same caps with the other features."""
        moved = Gst.Caps.new_empty()
        for index in range(caps.get_size()):
            one = Gst.Caps.new_empty()
            one.append_structure(structure_of(caps, index).copy())
            if not caps.get_features(index).contains("memory:NVMM"):
                one.set_features(0, Gst.CapsFeatures.from_string("memory:NVMM"))
            moved.append(one)
        return moved if filtered is None else moved.intersect(filtered)

    def do_transform_ip(self, _buffer: Any) -> Any:
        """Leave it as it is."""
        return Gst.FlowReturn.OK


def _moved(klass: str, line: str, taken: str, given: str, frames: list[int]) -> type[Gst.Bin]:
    """Return a bin around a line whose one end is said to lie elsewhere; counts in ``frames``."""

    def begin(self: Any) -> None:
        Gst.Bin.__init__(self)
        inner = Gst.parse_bin_from_description(line, True)
        moves = _Moves()
        self.add(inner)
        self.add(moves)
        first, last = (moves, inner) if "NVMM" in taken else (inner, moves)
        assert first.link(last)
        ends = (first.get_static_pad("sink"), last.get_static_pad("src"))
        for pad, template in zip(ends, type(self).__gsttemplates__, strict=True):
            self.add_pad(Gst.GhostPad.new_from_template(template.get_name(), pad, template))
        number = len(frames)
        frames.append(0)

        def count(_pad: Any, _info: Any) -> Any:
            frames[number] += 1
            return Gst.PadProbeReturn.OK

        self.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, count)

    return type(
        "Moved",
        (Gst.Bin,),
        {
            "__init__": begin,
            "__gtype_name__": f"Moved_{next(_numbers)}",
            "__gstmetadata__": ("Made up", klass, "Made up", "Tests"),
            "__gsttemplates__": _templates(taken, given),
        },
    )


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


class MadeCuda(GstBase.BaseTransform):
    """Says that frames lie in CUDA memory, where that is asked for; ``MadeDecoder`` has it last."""

    __gstmetadata__ = ("Made up", "Filter/Video", "Made up", "Tests")
    __gsttemplates__ = (
        Gst.PadTemplate.new("sink", Gst.PadDirection.SINK, Gst.PadPresence.ALWAYS, _PLAIN),
        Gst.PadTemplate.new("src", Gst.PadDirection.SRC, Gst.PadPresence.ALWAYS, _EITHER),
    )

    seen: ClassVar[Callable[[NDArray[np.uint8]], None]] = lambda _samples: None

    def __init__(self) -> None:
        super().__init__()
        self.set_passthrough(True)
        self.get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, _show)

    def do_transform_caps(self, direction: Any, caps: Any, only: Any) -> Any:
        if direction == Gst.PadDirection.SRC:
            text = caps.to_string().replace("memory:CUDAMemory", "memory:SystemMemory")
            other = Gst.Caps.from_string(text)
        else:
            taken = self.get_static_pad("src").peer_query_caps(None)
            features = [taken.get_features(index) for index in range(taken.get_size())]
            says = any(f.contains("memory:CUDAMemory") and not f.is_any() for f in features)
            names = ["memory:CUDAMemory"] if taken.can_intersect(_CUDA) else []
            names += [] if says else ["memory:SystemMemory"]
            other = Gst.Caps.new_empty()
            for name, index in product(names, range(caps.get_size())):
                features = Gst.CapsFeatures.from_string(name)
                other.append_structure_full(structure_of(caps, index).copy(), features)
        return other if only is None else only.intersect(other)


def _show(_pad: Any, info: Any) -> Any:
    with info.get_buffer().map(Gst.MapFlags.READ) as mapped:
        MadeCuda.seen(np.frombuffer(mapped.data, np.uint8))
    return Gst.PadProbeReturn.OK


Gst.Element.register(None, "madecuda", int(Gst.Rank.NONE), MadeCuda)
