"""Hardware decoding, on a machine without: decoders that are made up for the time of a test."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from gi.repository import Gst

from mirante.faults import FaultCode
from pipeline.cameras import state as camera_state
from pipeline.cameras.state import State
from pipeline.gst import decoder_proof, decoding, jetson
from pipeline.gst.decoder_proof import prove
from pipeline.gst.decoder_survey import decoder_lines
from pipeline.gst.decoders import hardware_decoders, refusal, software_decoder
from pipeline.gst.formats import unnamed
from plugins.element import elements_of
from tests.support import ROOT
from tests.support.decoded_cameras import Ran
from tests.support.made_decoders import made_decoder, made_jetson

H264 = "video/x-h264"
pytestmark = pytest.mark.skipif(
    bool(hardware_decoders()), reason="this machine has hardware decoders of its own"
)


@pytest.fixture(autouse=True)
def no_proofs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is proved yet, and a busy machine has the time to prove it."""
    monkeypatch.setattr(decoder_proof, "LIMIT_S", 60.0)
    decoder_proof._proofs.clear()
    yield
    decoder_proof._proofs.clear()


def test_nothing_is_tried_where_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "prove", lambda *_: pytest.fail("tried"))
    ran = Ran("plain")
    assert ran.decoded == 25
    assert decoder_lines() == ["hardware decoders: none; video is decoded in software"]


def test_one_that_gives_the_same_frames_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with made_decoder("madeuph264dec", "right") as made:
        assert Ran("first").decoded == 25
        assert Ran("second").decoded == 25
        assert made.frames == [25, 25, 25], "tried once, then two cameras"
        words = "madeuph264dec: gives the same 25 frames of H.264 as avdec_h264"
        assert caplog.text.count(words) == 1
        made.frames.clear()
        assert Ran("third", decode="software").decoded == 25
        assert made.frames == []
        assert decoder_lines() == [
            "madeuph264dec (other, H.264): gives the same 25 frames of H.264 as avdec_h264"
        ]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("wrong", "gave other pixels (frame 0: by up to 2"),
        ("few", "frames of 25"),
        ("failing", "failed: "),
        ("hanging", "frames in 0.7 s"),
    ],
)
def test_any_other_is_not_taken_and_that_is_said(
    kind: str, words: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = decoder_proof._decoded
    if kind == "hanging":
        expected = decoder_proof._run("avdec_h264", H264)
        monkeypatch.setattr(decoder_proof, "LIMIT_S", 0.7)
        monkeypatch.setattr(
            decoder_proof,
            "_decoded",
            lambda name, *how: expected if name == "avdec_h264" else whole(name, *how),
        )
    with made_decoder("vamadeh264dec", kind) as made:
        ran = Ran("gate", "in software", loop=True)
        assert ran.decoded > 0
        assert len(made.frames) == 1, "tried, and not taken"
        assert words in decoder_lines()[0]
    assert words in caplog.text
    (said,) = {reason for reason in ran.reasons if "in software" in reason}
    assert said.startswith("decoded in software: vamadeh264dec is not used, as for H.264 it ")
    assert words in said


def test_one_that_fails_later_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_state, "BACKOFF_FIRST_S", 0.01)
    with made_decoder("nvmadeh264dec", "right", "failing") as made:
        ran = Ran("gate")
        fault = next(change for change in ran.changes if change.code == FaultCode.UNDECODABLE)
        assert fault.reason.startswith(
            "nvmadeh264dec failed, so that software decodes from now on: "
        )
        assert ran.changes[-1].code == FaultCode.END_OF_FILE
        assert len(made.frames) == 2
        assert not prove("nvmadeh264dec", H264).good


def test_a_device_that_is_named_is_taken_alone() -> None:
    with (
        made_decoder("vamadeh264dec", "right") as intel,
        made_decoder("v4l2madeh264dec", "right") as board,
    ):
        assert Ran("gate", decode="v4l2").decoded == 25
        assert (intel.frames, board.frames) == ([], [25, 25])
        assert [each.name for each in hardware_decoders("vaapi")] == ["vamadeh264dec"]


@pytest.mark.slow
def test_the_decoder_of_a_jetson_is_taken_with_its_converter() -> None:
    with made_jetson() as frames:
        jetson.register()
        (found,) = hardware_decoders()
        assert (found.name, found.device, found.media) == ("nvjetsondec", "nvidia", (H264,))
        assert Ran("gate", decode="nvidia").decoded == 25
        assert frames == [25, 25], "tried once, then a camera"
        assert Ran("gate").decoded == 25
        assert frames == [25, 25, 25]
        assert decoder_lines() == [
            "nvjetsondec (nvidia, H.264): gives the same 25 frames of H.264 as avdec_h264"
        ]
        assert Ran("gate", decode="software").decoded == 25
        assert len(frames) == 3
        whole = Gst.ElementFactory.make("nvjetsondec")
        parts = ((each, each.get_factory()) for each in elements_of(whole))
        (part,) = (each for each, made in parts if made and made.get_name() == "nvv4l2decoder")
        chosen = decoding.Decoding("auto")
        assert chosen.note(whole.get_factory(), whole)
        assert not chosen.note(part.get_factory(), part)
        assert chosen.name == "nvjetsondec"


def test_images_that_nothing_else_can_read_are_not_decoded_by_it() -> None:
    """A container without JetPack's converter: its decoder is GStreamer's favourite."""
    with made_jetson(converts=False) as frames:
        jetson.register()
        assert hardware_decoders() == []
        assert Ran("gate").decoded == 25
        assert frames == []


def test_a_device_that_is_named_is_taken_though_it_differs_and_that_is_said() -> None:
    with made_decoder("vamadeh264dec", "wrong") as made:
        ran = Ran("gate", "forced", decode="vaapi", loop=True)
        assert made.frames[0] == 25
        assert made.frames[1] > 0
    (said,) = {reason for reason in ran.reasons if "forced" in reason}
    assert said.startswith(
        "decode is forced: vamadeh264dec is used, though for H.264 it gave other"
    )


def test_a_device_that_is_not_here_is_refused() -> None:
    assert refusal("auto") is refusal("software") is None
    assert refusal("vaapi") == (
        'decode: "vaapi" — expected "auto" or "software", as this machine has no decoder of that '
        "device; hardware decoders here: none"
    )
    with made_decoder("nvmadeh264dec", "right"):
        with pytest.raises(ValueError, match=r'decode: "v4l2" .* here: nvmadeh264dec \(nvidia\)$'):
            Ran("gate", decode="v4l2")
        assert refusal("nvidia") is None


def test_a_codec_that_the_device_has_not_is_a_fault() -> None:
    clip = ROOT / "pipeline/gst/proofs/one_second.h265"
    with made_decoder("vamadeh264dec", "right"):
        ran = Ran("gate", decode="vaapi", url=f"file:{clip}")
    (failed,) = [change for change in ran.changes if change.state == State.FAILED]
    assert failed.code == FaultCode.NO_DECODER
    assert failed.reason == (
        "no decoder of the device that decode names for H.265; it has: vamadeh264dec (H.264)"
    )


@pytest.mark.parametrize("media", ["video/x-h264", "video/x-h265", "image/jpeg"])
def test_each_sample_can_be_decoded(media: str) -> None:
    decoder = software_decoder(media)
    assert decoder is not None
    assert prove(decoder, media).good
    assert not prove(decoder, "video/x-vp9").good


@pytest.mark.parametrize(
    ("caps", "words"),
    [
        ("video/x-h265,chroma-format=4:0:0,bit-depth-luma=(uint)10", "grey of 10 bits"),
        ("video/x-h265,chroma-format=4:0:0,bit-depth-luma=(uint)8", ""),
        ("video/x-h265,chroma-format=4:2:0,bit-depth-luma=(uint)10", ""),
        ("video/x-h264,chroma-format=4:0:0,bit-depth-luma=(uint)10", ""),
        ("video/x-h265", ""),
    ],
)
def test_what_would_end_the_process_is_not_decoded(caps: str, words: str) -> None:
    told = unnamed(Gst.Caps.from_string(caps))
    assert words in told
    assert bool(told) == bool(words)
