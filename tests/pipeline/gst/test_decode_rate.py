"""Counting the frames of decoders, with those in software."""

from __future__ import annotations

import pytest

from pipeline.gst.decode_rate import decode_rate
from pipeline.gst.decoders import software_decoder
from tests.support import ROOT

SMALL = ROOT / "pipeline/gst/proofs"


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_frames_of_all_streams_are_counted(codec: str) -> None:
    media, looked = f"video/x-{codec}", list[int]()
    decoder = software_decoder(media)
    assert decoder is not None
    clip = SMALL / f"one_second.{codec}"
    rate = decode_rate(clip, media, decoder, 2, 0.2, lambda: looked.append(1), raw="video/x-raw")
    assert rate > 0
    assert looked == [1]


def test_what_fails_is_told_in_words() -> None:
    clip, media = SMALL / "one_second.h264", "video/x-h264"
    with pytest.raises(RuntimeError, match="nosuchdec"):
        decode_rate(clip, media, "nosuchdec", 1, 0.0)
    with pytest.raises(RuntimeError, match=r"stream|negotiat"):
        decode_rate(clip, media, "avdec_h264", 1, 0.0, raw="video/x-raw,format=RGB")
