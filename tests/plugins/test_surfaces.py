"""Decoded frames in a GPU's memory: where they stay, where they are brought, and given back."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from gi.repository import Gst
from numpy.typing import NDArray

from engines.cuda.view import Viewer
from engines.runtimes.tensorrt.held import held
from mirante.frame import FrameResult
from plugins.colour.layout import Layout
from plugins.device import sharing
from plugins.device.surface import Held, Surface
from plugins.device.surfaces import NUMBER_BYTES, colours_of, put, surface_of
from plugins.elements import register
from plugins.frame import Converted, DeviceFrame, Frame, PlanarFrame
from plugins.gate.motion import looked_at, thumb_of
from plugins.outbox.outbox import Outbox
from plugins.preview.stage import PreviewStage
from tests.support import recorded_stages
from tests.support.made_decoders import MadeCuda
from tests.support.simulated_gpu import SimulatedGpu, simulated_gpu
from tests.support.simulated_nvjpeg import SimulatedNvjpeg

pytestmark = pytest.mark.slow

register()
SIZE, SMALL = (128, 96), (64, 48)
ANALYSIS = (
    'capsfilter caps="video/x-raw(mirante:Surface),width=[1,64],height=[1,64],'
    "pixel-aspect-ratio=1/1;video/x-raw(mirante:Planes),format=I420,width=[1,64],height=[1,64],"
    'pixel-aspect-ratio=1/1;video/x-raw,format=RGB,width=[1,64],height=[1,64],pixel-aspect-ratio=1/1"'
)
RECORD = "mirstage python=tests.support.recorded_stages:Record"
_FLAGS = Gst.BufferCopyFlags
_SHALLOW = _FLAGS.FLAGS | _FLAGS.TIMESTAMPS | _FLAGS.META | _FLAGS.MEMORY


@pytest.fixture
def gpu(kernel_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedGpu]:
    with simulated_gpu(kernel_home) as made:
        monkeypatch.setattr(MadeCuda, "seen", staticmethod(made.memory.adopt))
        yield made


def test_a_surface_is_given_back_with_the_last_buffer_that_shares_it() -> None:
    given: list[int] = []
    account = Held()
    buffer = Gst.Buffer.new_allocate(None, NUMBER_BYTES, None)
    surface = Surface((8, 6), 0x1000, 0x1030, 8, 8, lambda: given.append(1))
    put(buffer, surface, account)
    assert (len(account.surfaces), account.bytes, account.most) == (1, 8 * 9, 1)
    shared = buffer.copy_region(_SHALLOW, 0, NUMBER_BYTES)
    del buffer
    with shared.map(Gst.MapFlags.READ) as mapped:
        assert surface_of(mapped.data) is surface
        copied = bytes(mapped.data)
    assert given == []
    del shared
    assert given == [1]
    assert (account.surfaces, account.bytes, account.most) == ({}, 0, 1)
    with pytest.raises(ValueError, match="a buffer of no surface"):
        surface_of(memoryview(copied))


def test_what_a_decoder_refuses_to_take_back_is_said_and_no_longer_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse() -> None:
        raise RuntimeError("gone")

    account = Held()
    buffer = Gst.Buffer.new_allocate(None, NUMBER_BYTES, None)
    put(buffer, Surface((8, 6), 0, 48, 8, 8, refuse), account)
    del buffer
    assert account.surfaces == {}
    assert "could not be given back" in caplog.text


class Ran:
    """What a stage saw of a few frames of noise that a decoder left in CUDA memory.

    Args:
        behind: of the decoder, up to the stage.
        form: of the frames.
        caps: more of what the decoder says of them.
        tag: of the image's orientation; none is sent if empty.
        made: the decoder.
        passed: called as each frame has left ``mirsurface``.
    """

    def __init__(
        self,
        behind: str,
        form: str = "NV12",
        caps: str = "",
        tag: str = "",
        made: str = "madecuda",
        passed: Callable[[], None] = lambda: None,
    ) -> None:
        recorded_stages.seen.clear()
        shape = f"width={SIZE[0]},height={SIZE[1]},framerate=10/1,pixel-aspect-ratio=1/1"
        taken = Gst.Caps.from_string(f"video/x-raw,format={form},{shape},colorimetry=2:3:0:0{caps}")
        line = f"appsrc name=in format=time ! {made} ! {behind} ! {RECORD} ! fakesink name=end"
        pipeline = Gst.parse_launch(line)
        source, self.frames = pipeline.get_by_name("in"), _noise(form)
        source.set_property("caps", taken)
        buffers: list[Gst.Buffer] = []  # a decoder's memory stays where it is
        surface = pipeline.get_by_name("surface")

        def on_buffer(_pad: Any, _info: Any) -> Any:
            passed()
            return Gst.PadProbeReturn.OK

        surface.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, on_buffer)
        pipeline.set_state(Gst.State.PLAYING)
        try:
            for number, samples in enumerate(self.frames):
                if tag and number == 1:
                    tags = Gst.TagList.new_empty()
                    tags.add_value(Gst.TagMergeMode.REPLACE, Gst.TAG_IMAGE_ORIENTATION, tag)
                    source.send_event(Gst.Event.new_tag(tags))
                buffers.append(Gst.Buffer.new_wrapped(samples))
                buffers[-1].pts = number * Gst.SECOND
                source.emit("push-buffer", buffers[-1])
            source.emit("end-of-stream")
            wanted = Gst.MessageType.EOS | Gst.MessageType.ERROR
            ended = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, wanted)
            assert ended is not None
            self.error = "" if ended.type == Gst.MessageType.EOS else ended.parse_error()[0].message
            last = pipeline.get_by_name("end").get_static_pad("sink").get_current_caps()
            self.came = "" if last is None else last.to_string()
            self.held = surface.line.held
        finally:
            pipeline.set_state(Gst.State.NULL)
        self.seen = [pixels for _, pixels, *_ in recorded_stages.seen]


def _noise(form: str) -> list[bytes]:
    """Three frames of every level, in patches that scaling keeps."""
    rng = np.random.default_rng(4)
    kind, up = (np.uint8, 0) if form == "NV12" else (np.uint16, 6)
    patches = rng.integers(16, 236, (3, SIZE[1] * 3 // 2 // 16, SIZE[0] // 16), np.uint8).astype(
        kind
    )
    rows = np.repeat(np.repeat(patches, 16, 1), 16, 2) << (up + (2 if up else 0))
    return [each.tobytes() for each in rows]


HOST = f"mirsurface name=surface ! mirrgb planes=true ! {ANALYSIS}"
THERE = f"mirsurface name=surface stays=true ! mirrgb planes=true ! {ANALYSIS}"


@pytest.mark.parametrize("form", ["NV12", "P010_10LE", "P016_LE"])
def test_frames_stay_until_a_stage_asks_for_pixels(gpu: SimulatedGpu, form: str) -> None:
    plain = Ran(HOST, form)
    assert plain.error == ""
    assert gpu.ran == []
    staying = Ran(THERE, form)
    assert staying.error == ""
    assert staying.came.startswith("video/x-raw(mirante:Surface)")
    assert "width=(int)64, height=(int)48" in staying.came
    assert gpu.ran == ["fill_slot"] * 3
    assert len(staying.seen) == len(plain.seen) == 3
    for here, there in zip(plain.seen, staying.seen, strict=True):
        assert there.shape == (48, 64, 3)
        apart = np.abs(here[4::8, 4::8].astype(int) - there[4::8, 4::8])  # inside of patches
        assert apart.max() <= 2
    assert staying.held.surfaces == {}
    assert 1 <= staying.held.most <= 3


@pytest.mark.parametrize("between", ["identity", "videoflip method=clockwise"])
def test_a_decoder_is_waited_for_and_has_its_only_surface_back_at_once(
    gpu: SimulatedGpu, monkeypatch: pytest.MonkeyPatch, between: str
) -> None:
    way = f"{THERE} ! {between}"
    expected = Ran(way)
    due: list[tuple[int, bytes]] = []

    def decode(block: NDArray[np.uint8]) -> None:
        gpu.memory.adopt(block)
        due.append((block.ctypes.data, block.tobytes()))
        ctypes.memset(block.ctypes.data, 0, len(block))

    def write(memory: int) -> None:
        assert memory
        ctypes.memmove(*due[-1], len(due[-1][1]))

    def decode_the_next() -> None:
        ctypes.memset(due[-1][0], 0, len(due[-1][1]))

    library = SimpleNamespace(gst_is_cuda_memory=lambda memory: 1, gst_cuda_memory_sync=write)
    monkeypatch.setattr(sharing, "_library", lambda: library)
    monkeypatch.setattr(MadeCuda, "seen", staticmethod(decode))
    sharing._waiting.cache_clear()
    ran = Ran(way, passed=decode_the_next)
    sharing._waiting.cache_clear()
    assert ran.error == ""
    assert len(ran.seen) == 3
    assert all(np.array_equal(a, b) for a, b in zip(ran.seen, expected.seen, strict=True))


def test_frames_are_within_what_a_worker_may_hold_of_a_gpu(gpu: SimulatedGpu) -> None:
    held.allow(1 << 10)
    try:
        ran = Ran(THERE)
    finally:
        held.allow(None)
    assert "go beyond engine.gpu_memory_mib: 0" in ran.error
    assert ran.held.surfaces == {}


@pytest.mark.parametrize(
    ("between", "keys"),
    [
        ("videoflip method=clockwise", {}),
        ("mirblackout zones=[[[0,0],[0.1,0],[0,0.1]]]", {}),
        ("identity", {"caps": ",interlace-mode=mixed"}),
    ],
)
def test_frames_come_to_the_host_for_what_needs_them_there(
    gpu: SimulatedGpu, between: str, keys: dict[str, Any]
) -> None:
    plain, staying = (Ran(f"{way} ! {between}", **keys) for way in (HOST, THERE))
    assert staying.error == ""
    assert gpu.ran == []
    assert "Surface" not in staying.came
    assert len(staying.seen) == 3
    for here, there in zip(plain.seen, staying.seen, strict=True):
        assert np.array_equal(here, there)
    assert staying.held.surfaces == {}


def test_an_image_that_is_to_be_turned_comes_to_the_host_from_the_tag_on(gpu: SimulatedGpu) -> None:
    ran = Ran(THERE, tag="rotate-90")
    assert ran.error == ""
    assert gpu.ran == ["fill_slot"]
    assert "Surface" not in ran.came
    assert len(ran.seen) == 3


def test_what_did_not_come_from_a_gpu_passes(gpu: SimulatedGpu) -> None:
    ran = Ran(THERE, made="identity")
    assert ran.error == ""
    assert gpu.ran == []
    assert len(ran.seen) == 3


def on_gpu_and_host(gpu: SimulatedGpu, viewer: Viewer) -> tuple[DeviceFrame, PlanarFrame]:
    """A frame of noise in patches on the GPU, and the same as the host has it, both 64x48."""
    samples = np.frombuffer(_noise("NV12")[0], np.uint8).copy()
    gpu.memory.adopt(samples)
    shape = f"video/x-raw,format=NV12,width={SIZE[0]},height={SIZE[1]},colorimetry=2:3:0:0"
    start = samples.ctypes.data
    chroma = start + SIZE[0] * SIZE[1]
    colours = colours_of(Gst.Caps.from_string(shape))
    planes = Surface(SIZE, start, chroma, SIZE[0], 8, lambda: None).planes(colours)
    luma, both = np.split(samples.reshape(-1, SIZE[0]), [SIZE[1]])
    u, v = np.ascontiguousarray(both[:, ::2]), np.ascontiguousarray(both[:, 1::2])
    layout = Layout(Gst.Caps.from_string(shape.replace("NV12", "I420")))
    there = DeviceFrame(planes, viewer, 7, Converted(), size=SMALL)
    return there, PlanarFrame(layout, lambda: [luma, u, v], 7, Converted())


def test_a_part_is_taken_at_full_resolution(gpu: SimulatedGpu) -> None:
    viewer = gpu.viewer()
    there, here = on_gpu_and_host(gpu, viewer)
    for area in ((0, 0, 128, 96), (31, 17, 90, 60), (127, 95, 128, 96)):
        part = there.crop(area, SIZE)
        left, top, right, bottom = area
        assert part.shape == (bottom - top, right - left, 3)
        assert np.abs(part.astype(int) - here.pixels[top:bottom, left:right]).max() <= 1
    with pytest.raises(ValueError, match=r"source: expected \(128, 96\) as decoded"):
        there.crop((0, 0, 8, 8), SMALL)
    viewer.close()


def test_the_gate_sees_what_it_sees_on_the_host(gpu: SimulatedGpu) -> None:
    viewer = gpu.viewer()
    there, here = on_gpu_and_host(gpu, viewer)
    luma = viewer.luma(there.planes, looked_at(SIZE))
    found, expected = thumb_of(luma), thumb_of(np.asarray(here._planes()[0], np.uint8))
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= 1
    viewer.close()


class Watched(Outbox):
    """Somebody watches."""

    def __init__(self) -> None:
        self.files: list[bytes] = []

    def watched(self, camera: str) -> bool:
        return True

    def preview(self, camera: str, jpeg: bytes, header: dict[str, Any]) -> None:
        self.files.append(jpeg)


def shown(frame: Frame, blur: list[str]) -> NDArray[np.uint8]:
    outbox = Watched()
    stage = PreviewStage(outbox, 8.0, 90, blur)
    stage(frame, FrameResult("gate", 1, 1, 1, "arrival", *SIZE))
    (file,) = outbox.files
    return np.asarray(cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR_RGB), np.uint8)


def test_the_preview_is_scaled_and_encoded_on_the_gpu(
    gpu: SimulatedGpu, caplog: pytest.LogCaptureFixture
) -> None:
    nvjpeg = SimulatedNvjpeg(gpu.memory)
    viewer = Viewer(gpu.cuda, gpu.kernels, nvjpeg)
    there, _ = on_gpu_and_host(gpu, viewer)
    made = shown(there, [])
    assert made.shape == (48, 64, 3)
    assert nvjpeg.qualities == [90]
    assert np.array_equal(shown(there, ["face"]), made), "blurred on the host: the same pixels"
    assert nvjpeg.qualities == [90]
    nvjpeg.refuse["nvjpegEncodeImage"] = 6
    for _ in range(2):
        assert np.array_equal(shown(there, []), made)
    assert caplog.text.count("JPEG files are made on the host: nvJPEG was asked for a JPEG: ") == 1
    assert "NVJPEG_STATUS_EXECUTION_FAILED" in caplog.text
    viewer.close()
    assert nvjpeg.open == 0


def test_an_encoder_that_does_not_start_is_given_back(gpu: SimulatedGpu) -> None:
    nvjpeg = SimulatedNvjpeg(gpu.memory)
    nvjpeg.refuse["nvjpegEncoderParamsCreate"] = 5
    viewer = Viewer(gpu.cuda, gpu.kernels, nvjpeg)
    there, _ = on_gpu_and_host(gpu, viewer)
    assert there.jpeg(80) is None
    assert nvjpeg.open == 0
    viewer.close()
