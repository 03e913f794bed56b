"""The hardware decoders of a machine with what their trials say, for people."""

from __future__ import annotations

from pipeline.gst.decoder_proof import prove
from pipeline.gst.decoders import CODECS, hardware_decoders


def decoder_lines() -> list[str]:
    """Return a line for each hardware decoder and codec, each tried as a camera would try it."""
    lines = [
        f"{each.name} ({each.device}, {CODECS[media]}): {prove(each.name, media)}"
        for each in hardware_decoders()
        for media in each.media
    ]
    return lines or ["hardware decoders: none; video is decoded in software"]
