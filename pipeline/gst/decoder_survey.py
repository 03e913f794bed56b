"""The hardware decoders of a machine with what their trials say, for people."""

from __future__ import annotations

from pipeline.gst.decoder_proof import prove
from pipeline.gst.decoders import CODECS, hardware_decoders, may_stay


def decoder_lines() -> list[str]:
    """Return a line for each hardware decoder and codec, each tried as a camera would try it."""
    lines = [
        f"{each.name} ({each.device}, {CODECS[media]}): {prove(each.name, media)}"
        for each in hardware_decoders()
        for media in each.media
    ]
    lines += [
        f"{each.name} ({CODECS[media]}), decode: nvidia: {prove(each.name, media, on_gpu=True)}"
        for each in hardware_decoders("nvidia")
        for media in each.media
        if may_stay(each, media)
    ]
    return lines or ["hardware decoders: none; video is decoded in software"]
