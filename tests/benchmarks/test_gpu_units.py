"""Decoders of access units as ``mirante bench gpu`` counts them, and the clips that ship."""

from __future__ import annotations

import gc
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.gpu import decoding, nvdec_rate
from benchmarks.gpu.here import Here
from benchmarks.gpu.job import Job
from benchmarks.gpu.nvdec_rate import decode_units
from engines.runtimes.tensorrt.cuda import Cuda
from pipeline.gst import decoders
from plugins.device import gpu as device
from plugins.device import nvdec
from tests.support.simulated_cuda import SimulatedCuda
from tests.support.simulated_driver import CONTEXT
from tests.support.simulated_nvdec import SimulatedNvdec


class Surface:
    def __init__(self, counts: dict[str, int]) -> None:
        self._counts = counts

    def give_back(self) -> None:
        self._counts["held"] -= 1


class Decoder:
    """Gives the frame before, as decoders do."""

    def __init__(self, counts: dict[str, int], fails: bool) -> None:
        self._counts, self._fails, self._seen = counts, fails, 0
        counts["open"] += 1

    def decode(self, address: int, size: int, pts: int) -> list[tuple[Surface, int]]:
        if self._fails:
            raise RuntimeError("no session is left")
        self._seen += 1
        if self._seen == 1:
            return []
        self._counts["held"] += 1
        return [(Surface(self._counts), pts - 1)]

    def close(self) -> None:
        self._counts["open"] -= 1


@pytest.mark.parametrize("fails", [False, True])
def test_decoders_of_access_units_are_counted_and_closed(fails: bool) -> None:
    counts, looked = {"open": 0, "held": 0}, []
    lock = threading.Lock()

    def open_decoder() -> Decoder:
        with lock:
            return Decoder(counts, fails)

    if fails:
        with pytest.raises(RuntimeError, match="no session is left"):
            decode_units(open_decoder, [b"a", b"b"], 1, 0.0)
    else:
        rate = decode_units(
            open_decoder, [b"a", b"b"], 1, 0.01, lambda: looked.append(counts["open"])
        )
        assert rate > 0
        assert looked == [1]
    assert counts == {"open": 0, "held": 0}


def test_pynvvideocodec_decodes_what_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, looked = SimulatedCuda(), list[int]()
    library = SimulatedNvdec(memory)
    here = SimpleNamespace(cuda=Cuda(memory), context=CONTEXT)
    monkeypatch.setattr(nvdec, "api", lambda: library)
    monkeypatch.setattr(device, "gpu", lambda: here)
    monkeypatch.setattr(nvdec_rate, "_FIRST_FRAME_S", 100.0)  # on a busy machine
    clip = decoding.SHIPPED / decoding.CLIPS["H.265"]

    def decode_more() -> None:
        looked.append(library.alive)
        seen, until_s = library.units, time.monotonic() + 60
        while library.units < seen + 2 and time.monotonic() < until_s:
            time.sleep(0.01)

    assert decoding.WAYS["PyNvVideoCodec"](clip, "H.265", 1, 0.0, decode_more) > 0
    assert looked == [1]
    gc.collect()
    assert library.alive == 0
    assert memory.open() == {}


def test_without_pynvvideocodec_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Any:
        raise nvdec.NvdecError('it is not installed: pip install "mirante[nvdec]"')

    monkeypatch.setattr(nvdec, "api", missing)
    ways = {"PyNvVideoCodec": decoding.by_pynvvideocodec}
    found = list(decoding.measure(Job(seconds=0.0, models=(), precisions=()), Here(), ways))
    assert [each.what for each in found] == [
        "H.264 1080p30, PyNvVideoCodec",
        "H.265 1080p30, PyNvVideoCodec",
    ]
    assert {each.note for each in found} == {'it is not installed: pip install "mirante[nvdec]"'}
    assert {each.value for each in found} == {None}


def test_pynvvideocodec_is_not_taken_for_gstreamers(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = decoders.HardwareDecoder("mirnvdec", "nvidia", 0, ("video/x-h264",))
    monkeypatch.setattr(decoders, "hardware_decoders", lambda _device: [ours])
    with pytest.raises(RuntimeError, match=r"no decoder of H\.264 of NVIDIA's here"):
        decoding.by_gstreamer(Path("none"), "H.264", 1, 0.0, lambda: None)


@pytest.mark.parametrize("codec", decoding.CLIPS)
def test_the_clips_that_ship_are_seconds_of_1080p30(codec: str) -> None:
    clip = decoding.SHIPPED / decoding.CLIPS[codec]
    units = decoding.access_units(clip, codec)
    assert len(units) % decoding.FPS == 0
    assert sum(map(len, units)) == clip.stat().st_size


def test_a_clip_without_delimiters_is_refused(tmp_path: Path) -> None:
    clip = tmp_path / "1080p30.h264"
    clip.write_bytes(b"\0\0\0\1\x67")
    with pytest.raises(ValueError, match=r"h264: expected H\.264 with a delimiter before each"):
        decoding.access_units(clip, "H.264")
