"""``decode: nvidia``: frames that stay on the GPU, by either way to its decoder, without a GPU.

PyNvVideoCodec and GStreamer's plug-in are doubles with decoders in software behind them, and CUDA
is the simulated one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from gi.repository import Gst

from mirante.faults import FaultCode
from pipeline.cameras import state as camera_state
from pipeline.cameras.sharing import SharedSessions
from pipeline.cameras.state import State
from pipeline.gst import decoder_proof, decoders, decoding
from pipeline.gst.clips import read_clip
from pipeline.gst.decoder_survey import decoder_lines
from pipeline.gst.decoders import hardware_decoders, refusal
from plugins.device import decoder, nvdec
from plugins.device.nvdec import NvdecError
from plugins.device.sharing import SharingError
from plugins.element import elements_of
from tests.support import ROOT, recorded_stages
from tests.support.decoded_cameras import CLIP, Ran
from tests.support.made_decoders import MadeCuda, made_decoder
from tests.support.rtsp_manners import Manners, MannersServer
from tests.support.simulated_gpu import SimulatedGpu, simulated_gpu
from tests.support.simulated_nvdec import SimulatedNvdec
from tests.support.watched import Watched

H265 = ROOT / "pipeline/gst/proofs/one_second.h265"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(hardware_decoders()), reason="this machine has hardware decoders of its own"
    ),
]


@pytest.fixture
def gpu(kernel_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedGpu]:
    monkeypatch.setattr(decoder_proof, "LIMIT_S", 60.0)
    decoder_proof._proofs.clear()
    with simulated_gpu(kernel_home) as made:
        monkeypatch.setattr(MadeCuda, "seen", staticmethod(made.memory.adopt))
        shared: list[int] = []
        for module in (decoder_proof, decoding):
            monkeypatch.setattr(module, "share", lambda _bin, context: shared.append(context))
        yield made
        assert set(shared) <= {made.context}
    decoder_proof._proofs.clear()


@pytest.fixture
def nvcodec(gpu: SimulatedGpu, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedNvdec]:
    """PyNvVideoCodec is here."""
    made = SimulatedNvdec(gpu.memory)
    monkeypatch.setattr(decoder, "api", lambda: made)
    decoder.offer.cache_clear()
    yield made
    decoder.offer.cache_clear()
    registry = Gst.Registry.get()
    if (feature := registry.lookup_feature(decoder.NAME)) is not None:
        registry.remove_feature(feature)
    until_s = time.monotonic() + 60
    while made.alive:  # what was tried is taken down on threads of its own
        assert time.monotonic() < until_s, made.alive
        time.sleep(0.01)


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """PyNvVideoCodec is not installed."""

    def missing() -> Any:
        raise NvdecError('it is not installed: pip install "mirante[nvdec]"')

    monkeypatch.setattr(decoder, "api", missing)
    decoder.offer.cache_clear()
    yield
    decoder.offer.cache_clear()


def test_access_units_in_surfaces_out(nvcodec: SimulatedNvdec, gpu: SimulatedGpu) -> None:
    ran = Ran("gate", decode="nvidia")
    assert ran.decoded == 25
    assert (nvcodec.opened, nvcodec.units) == (2, 50), "the trial, then the camera"
    assert gpu.ran == ["fill_slot"] * 25, "of the trial: no stage asked for pixels"
    assert decoder_lines() == [
        "mirnvdec (H.264), decode: nvidia: "
        "keeps the same 25 frames of H.264 on the GPU as avdec_h264",
        "mirnvdec (H.265), decode: nvidia: "
        "keeps the same 20 frames of H.265 on the GPU as avdec_h265",
    ]


def test_gstreamers_own_goes_first(nvcodec: SimulatedNvdec, gpu: SimulatedGpu) -> None:
    with made_decoder("nvmadeh264dec", "cuda") as made:
        assert Ran("gate", decode="nvidia").decoded == 25
        assert made.frames == [25, 25]
    assert nvcodec.opened == 0
    assert gpu.ran == ["fill_slot"] * 25


def test_where_one_way_differs_the_other_is_taken(nvcodec: SimulatedNvdec) -> None:
    with made_decoder("nvmadeh264dec", "wrong-cuda") as made:
        assert Ran("gate", decode="nvidia").decoded == 25
        assert made.frames == [25], "tried, and not taken"
    assert nvcodec.opened == 2


def test_where_frames_may_not_stay_they_come_to_the_host_and_that_is_said(
    nothing: None, gpu: SimulatedGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_bin: Any, _context: int) -> None:
        raise SharingError("no NVIDIA driver")

    monkeypatch.setattr(decoder_proof, "share", refuse)
    with made_decoder("nvmadeh264dec", "cuda") as made:
        ran = Ran("gate", "main memory", decode="nvidia", loop=True)
        assert made.frames[1] > 0
    (said,) = {reason for reason in ran.reasons if "main memory" in reason}
    assert said == (
        "frames come to main memory, as none may stay on the GPU: nvmadeh264dec: for H.264 it "
        "cannot be tried: no NVIDIA driver; PyNvVideoCodec: it is not installed: "
        'pip install "mirante[nvdec]"'
    )
    assert gpu.ran == []


def test_where_neither_works_that_is_a_fault_with_both_reasons(nvcodec: SimulatedNvdec) -> None:
    nvcodec.brightens = 20
    ran = Ran("gate", decode="nvidia")
    (failed,) = [each for each in ran.changes if each.code == FaultCode.NO_DECODER]
    assert failed.reason.startswith(
        "nothing here decodes H.264 on the GPU: mirnvdec: for H.264 it gave other pixels (frame 0"
    )


def test_where_neither_is_here_the_camera_is_refused(nothing: None) -> None:
    words = refusal("nvidia")
    assert words is not None
    assert "hardware decoders here: none; GStreamer has no nv…dec" in words
    assert words.endswith('PyNvVideoCodec: it is not installed: pip install "mirante[nvdec]"')


def test_without_a_gpu_pynvvideocodec_is_not_offered(
    nvcodec: SimulatedNvdec, gpu: SimulatedGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder, "why_not", lambda: "no NVIDIA driver is here")
    words = refusal("nvidia")
    assert words is not None
    assert words.endswith("PyNvVideoCodec: no NVIDIA driver is here")
    assert decoders.hardware_decoders("nvidia") == []


def test_other_cameras_never_take_it(nvcodec: SimulatedNvdec) -> None:
    assert Ran("first", decode="nvidia").decoded == 25
    nvcodec.units = 0
    assert Ran("second", decode="auto").decoded == 25
    assert nvcodec.units == 0


def test_a_decoder_that_fails_is_told_and_begun_again(
    nvcodec: SimulatedNvdec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera_state, "BACKOFF_FIRST_S", 0.01)
    nvcodec.fail_at = {25 + 10}
    ran = Ran("gate", decode="nvidia")
    fault = next(each for each in ran.changes if each.code is not None)
    assert fault.code == FaultCode.UNDECODABLE
    assert (
        "mirnvdec failed: mirnvdec: the decoder fails: HandlePictureDecode : cuvidDecodePicture"
        in fault.reason
    )
    assert "advice" not in fault.reason
    assert ran.changes[-1].code == FaultCode.END_OF_FILE
    assert nvcodec.opened == 3


def test_a_session_that_is_refused_is_told(
    nvcodec: SimulatedNvdec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera_state, "BACKOFF_FIRST_S", 0.01)
    assert Ran("first", decode="nvidia").decoded == 25
    nvcodec.refuse = RuntimeError("out of sessions")
    ran = Ran("gate", "out of sessions", decode="nvidia")
    assert any("no session of the decoder: out of sessions" in each for each in ran.reasons)


@pytest.mark.rtsp
def test_cameras_that_share_a_session_share_surfaces(
    nvcodec: SimulatedNvdec, gpu: SimulatedGpu
) -> None:
    clip = read_clip(ROOT / "tests/support/numbers/numbers_b0.h264.mp4")
    stages = "mirstage python=tests.support.recorded_stages:Record ! fakesink"
    shared, wanted = SharedSessions(), {(96, 192, 3), (24, 48, 3), (192, 96, 3)}
    options: list[dict[str, Any]] = [{}, {"width": 48, "gate": "auto"}, {"rotate": 90}]
    with MannersServer(Manners(clip)) as server, ExitStack() as running:
        cameras = []
        for number, keys in enumerate(options):
            camera = Watched(f"c{number}", server.url(), stages, shared, decode="nvidia", **keys)
            cameras.append(running.enter_context(camera))
            camera.wait(State.RUNNING)
        until_s = time.monotonic() + 60
        while not wanted <= {shape for shape, *_ in recorded_stages.seen}:
            assert time.monotonic() < until_s
            time.sleep(0.02)
        assert server.plays == ["tcp"]
        assert nvcodec.opened == 2, "the trial, then the session"
        assert cameras[0].line.held.most >= 1
        for camera in cameras:
            camera.runner.stop()  # the first goes while others look at its surfaces
        assert [camera.line.held.surfaces for camera in cameras] == [{}, {}, {}]


class Line:
    """A launch line that ended, and the times of the frames that came through.

    Args:
        text: of the line, with a sink named ``end``.
    """

    def __init__(self, text: str) -> None:
        self.pts: list[int] = []
        self.caps: list[str] = []
        pipeline = Gst.parse_launch(text)
        pad = pipeline.get_by_name("end").get_static_pad("sink")
        pad.add_probe(Gst.PadProbeType.BUFFER, self._on_buffer)
        pad.add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, self._on_event)
        pipeline.set_state(Gst.State.PLAYING)
        try:
            wanted = Gst.MessageType.EOS | Gst.MessageType.ERROR
            ended = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, wanted)
            assert ended is not None
            self.error = "" if ended.type == Gst.MessageType.EOS else ended.parse_error()[0].message
            held = [each.line.held for each in elements_of(pipeline) if hasattr(each, "line")]
            self.most = max((each.most for each in held), default=0)
        finally:
            pipeline.set_state(Gst.State.NULL)
        assert all(each.surfaces == {} for each in held), "a sink keeps its last frame till then"

    def _on_buffer(self, _pad: Any, info: Any) -> Any:
        self.pts.append(info.get_buffer().pts)
        return Gst.PadProbeReturn.OK

    def _on_event(self, _pad: Any, info: Any) -> Any:
        if info.get_event().type == Gst.EventType.CAPS:
            self.caps.append(info.get_event().parse_caps().to_string())
        return Gst.PadProbeReturn.OK


@pytest.mark.parametrize(
    ("clip", "parser", "software"),
    [(CLIP, "h264parse", "avdec_h264"), (H265, "h265parse", "avdec_h265")],
)
def test_each_frame_has_the_time_of_its_access_unit(
    nvcodec: SimulatedNvdec, clip: Path, parser: str, software: str
) -> None:
    assert decoder.offer() == ""
    head = f"filesrc location={clip} ! {parser}"
    plain = Line(f"{head} ! {software} ! fakesink name=end")
    there = Line(f"{head} ! mirnvdec ! mirsurface name=surface stays=true ! fakesink name=end")
    assert there.error == ""
    assert there.pts == plain.pts
    assert len(there.pts) == (25 if clip is CLIP else 20)
    assert there.most >= 1


def test_another_format_has_another_session_and_loses_no_frame(
    nvcodec: SimulatedNvdec, tmp_path: Path
) -> None:
    assert decoder.offer() == ""
    both = tmp_path / "both.h264"
    made = "videotestsrc num-buffers=4 ! video/x-raw,width={},height={} ! openh264enc ! h264parse"
    for size in ((160, 96), (96, 64)):
        part = tmp_path / "part.h264"
        plain = f"{made.format(*size)} ! video/x-h264,stream-format=byte-stream"
        assert Line(f"{plain} ! filesink name=end location={part}").error == ""
        with both.open("ab") as file:
            file.write(part.read_bytes())
    ran = Line(
        f"filesrc location={both} ! h264parse ! mirnvdec ! mirsurface name=surface stays=true "
        "! fakesink name=end"
    )
    assert ran.error == ""
    assert len(ran.pts) == 8
    assert [("width=(int)160" in each, "width=(int)96" in each) for each in ran.caps] == [
        (True, False),
        (False, True),
    ]
    assert nvcodec.opened == 2


def test_chroma_that_no_kernel_reads_is_refused(nvcodec: SimulatedNvdec) -> None:
    assert decoder.offer() == ""
    caps = "video/x-h264,stream-format=byte-stream,alignment=au,chroma-format=4:4:4"
    ran = Line(
        f'filesrc location={CLIP} ! h264parse ! capssetter caps="{caps}" ! mirnvdec '
        "! fakesink name=end"
    )
    assert "mirnvdec: chroma of 4:4:4: expected 4:2:0" in ran.error


def test_what_no_surface_comes_of_is_told(nvcodec: SimulatedNvdec, gpu: SimulatedGpu) -> None:
    assert decoder.offer() == ""
    code = gpu.memory.cudaError_t.cudaErrorIllegalAddress
    gpu.memory.refuse["cudaStreamSynchronize"] = code
    head = f"filesrc location={CLIP} ! h264parse ! mirnvdec"
    ran = Line(f"{head} ! mirsurface name=surface stays=true ! fakesink name=end")
    assert "mirnvdec: CUDA was asked to finish the work queued" in ran.error


def test_the_module_says_in_a_line_why_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "PyNvVideoCodec", None)
    with pytest.raises(NvdecError, match=r"it is not installed: pip install \"mirante\[nvdec\]\""):
        nvdec.api()
