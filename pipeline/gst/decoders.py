"""The video decoders that this machine has, in hardware and in software."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from pipeline.gst import jetson
from plugins.device.decoder import NAME as NVDEC
from plugins.device.decoder import offer
from plugins.device.nvdec import CODECS as CUVID

Gst.init(None)
jetson.register()

CHOSEN_RANK = int(Gst.Rank.PRIMARY) + 128  # above every decoder in software
CODECS = {
    "video/x-h264": "H.264",
    "video/x-h265": "H.265",
    "image/jpeg": "MJPEG",
    "video/mpeg": "MPEG",
    "video/x-vp8": "VP8",
    "video/x-vp9": "VP9",
    "video/x-av1": "AV1",
}
# By the beginning of their names: one made by a program is of no plug-in.
_DEVICES = {"va": "vaapi", "nv": "nvidia", NVDEC: "nvidia", "v4l2": "v4l2"}


def one_thread(decoder: Any) -> None:
    """Have a decoder work on one frame at a time: frame threads would hold back one each."""
    if decoder.find_property("max-threads") is not None:
        decoder.set_property("max-threads", 1)


@dataclass(frozen=True, slots=True)
class HardwareDecoder:
    """A decoder that a device of this machine runs.

    Attributes:
        name: of GStreamer's element.
        device: "vaapi", "nvidia" or "v4l2", as the option ``decode`` names them; else "other".
        rank: GStreamer's preference, 0 for those that it never takes by itself.
        media: those of ``CODECS`` that it decodes.
    """

    name: str
    device: str
    rank: int
    media: tuple[str, ...]


def may_stay(decoder: HardwareDecoder, media: str) -> bool:
    """Return whether frames of a decoder may be such as our kernels read where they lie. Those of
    a Jetson's own leave the memory of that decoder.
    """
    return decoder.device == "nvidia" and media in CUVID and decoder.name != jetson.NAME


def is_decoder(factory: Any) -> bool:
    """Return whether elements of a factory decode video or images."""
    kind = factory.get_metadata("klass") or ""
    return "Decoder" in kind and ("Video" in kind or "Image" in kind)


def is_hardware(factory: Any) -> bool:
    """Return whether elements of a factory decode on a device."""
    is_said = "Hardware" in factory.get_metadata("klass").split("/")
    return is_decoder(factory) and (is_said or jetson.is_closed(factory))


def hardware_decoders(device: str | None = None) -> list[HardwareDecoder]:
    """Return those of this machine, preferred ones first.

    Args:
        device: only those of this device; for "nvidia" the one by PyNvVideoCodec too, last.
    """
    if device == "nvidia":
        offer()
    found = [_described(each) for each in _usable(Gst.Registry.get().get_feature_list_cookie())]
    wanted = [each for each in found if device in {None, each.device} and each.media]
    if device is None:  # its frames are for graphs that were asked to leave them on the GPU
        wanted = [each for each in wanted if each.name != NVDEC]
    return sorted(wanted, key=lambda each: (each.name == NVDEC, -each.rank, each.name))


def software_decoder(media: str) -> str | None:
    """Return the name of the preferred decoder in software; None where there is none."""
    caps = Gst.Caps.from_string(media)
    able = [
        factory
        for factory in _factories()
        if is_decoder(factory) and not is_hardware(factory) and factory.can_sink_any_caps(caps)
    ]
    best = max(able, key=lambda factory: int(factory.get_rank()), default=None)
    return best.get_name() if best is not None and best.get_rank() > 0 else None


def refusal(decode: str) -> str | None:
    """Return why this machine cannot decode as the option ``decode`` says; None where it can."""
    if decode in {"auto", "software"} or hardware_decoders(decode):
        return None
    here = ", ".join(f"{each.name} ({each.device})" for each in hardware_decoders())
    return (
        f'decode: "{decode}" — expected "auto" or "software", as this machine has no decoder of '
        f"that device; hardware decoders here: {here or 'none'}{_without(decode)}"
    )


def _without(decode: str) -> str:
    """Return why neither way to NVIDIA's decoder is open; empty for other devices."""
    if decode != "nvidia":
        return ""
    return (
        "; GStreamer has no nv…dec: that takes NVIDIA's driver with libnvcuvid1 (and Debian's "
        f"gstreamer1.0-plugins-bad); {offer()}"
    )


@lru_cache(maxsize=1)
def _usable(_cookie: int) -> list[Any]:
    """Return those in hardware whose images others can read.

    Each session of a camera wants them, and there are hundreds to ask.

    Args:
        _cookie: of the registry: another one wherever an element came or went.
    """
    return [each for each in _factories() if is_hardware(each) and not jetson.is_closed(each)]


def _factories() -> list[Any]:
    kinds = Gst.ELEMENT_FACTORY_TYPE_DECODER
    return list(Gst.ElementFactory.list_get_elements(kinds, Gst.Rank.NONE))


def _described(factory: Any) -> HardwareDecoder:
    name = factory.get_name()
    device = next((d for start, d in _DEVICES.items() if name.startswith(start)), "other")
    media = [m for m in CODECS if factory.can_sink_any_caps(Gst.Caps.from_string(m))]
    return HardwareDecoder(name, device, int(factory.get_rank()), tuple(media))
