"""A second of video through a hardware decoder and one in software: are the frames the same?"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gi
import numpy as np
from numpy.typing import NDArray

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst

from pipeline.gst.decoders import CODECS, software_decoder
from plugins.colour.layout import Layout
from plugins.device.decoder import NAME as NVDEC
from plugins.device.gpu import gpu, why_not
from plugins.device.sharing import SharingError, share
from plugins.device.surfaces import SURFACES, colours_of, surface_of
from plugins.elements import factory

LIMIT_S = 3.0  # of a trial, opening the device included
MEAN_DIFFERENCE, MAX_DIFFERENCE = 0.5, 4  # of 255; H.264 and H.265 decode to the bit, JPEG nearly
_FILES = Path(__file__).parent / "proofs"
# What is decoded for each, and the parser that finds its frames.
_SAMPLES = {
    "video/x-h264": ("one_second.h264", "h264parse"),
    "video/x-h265": ("one_second.h265", "h265parse"),
    "image/jpeg": ("one_second.mjpeg", "jpegparse"),
}
_LINE = "filesrc location={file} ! {parser} ! {decoder} ! {behind} ! " + (
    "appsink name=out sync=false max-buffers=2 enable-last-sample=false"
)
_HOST = "videoconvert ! video/x-raw,format=I420"
_GPU = f'mirsurface stays=true ! capsfilter caps="{SURFACES.to_string()}"'
_log = logging.getLogger(__name__)

Frames = list[tuple[int, NDArray[np.uint8]]]  # PTS, where there is one, and the samples
Read = Callable[[Any], NDArray[np.uint8]]  # of a sample of the sink


@dataclass(frozen=True, slots=True)
class Proof:
    """How a decoder did.

    Attributes:
        good: its frames are those of the decoder in software.
        words: what was found.
    """

    good: bool
    words: str

    def __str__(self) -> str:
        return self.words if self.good else f"not used, as {self.words}"


_proofs: dict[tuple[str, str, bool], Future[Proof]] = {}
_lock = threading.Lock()


def prove(decoder: str, media: str, on_gpu: bool = False) -> Proof:
    """Return whether a decoder can be relied on; tried once a process, within ``LIMIT_S``.

    Args:
        decoder: name of the element.
        media: what it is to decode, such as "video/x-h264".
        on_gpu: its frames are to stay in the GPU's memory, and are converted there.
    """
    key = decoder, media, on_gpu
    with _lock:
        proof = _proofs.get(key)
        is_first = proof is None
        if proof is None:
            proof = _proofs[key] = Future()
    if is_first:
        result = _try_on_gpu(decoder, media) if on_gpu else _try(decoder, media)
        level = logging.INFO if result.good else logging.WARNING
        _log.log(level, "decoder %s: %s", decoder, result)
        with _lock:
            if not proof.done():
                proof.set_result(result)
    return proof.result()


def distrust(decoder: str, media: str, words: str) -> None:
    """Note that a decoder failed on a camera's stream, so that it is not chosen again."""
    proof: Future[Proof] = Future()
    proof.set_result(Proof(False, words))
    with _lock:
        for on_gpu in (False, True):
            _proofs[decoder, media, on_gpu] = proof
    _log.warning("decoder %s: %s", decoder, proof.result())


def _try(decoder: str, media: str) -> Proof:
    said = _compared(decoder, media, _HOST, _planes)
    return _proof(said, "gives the same {frames} frames of {codec} as {software}", media)


def _try_on_gpu(decoder: str, media: str) -> Proof:
    if words := why_not():  # kernels are compiled before the time counts
        return Proof(False, f"frames cannot stay on the GPU: {words}")
    Gst.Element.register(None, *factory("mirsurface"))
    said = _compared(decoder, media, _GPU, _converted_there)
    return _proof(said, "keeps the same {frames} frames of {codec} on the GPU as {software}", media)


def _proof(said: str | int, words: str, media: str) -> Proof:
    codec, software = CODECS.get(media, media), software_decoder(media)
    if isinstance(said, str):
        return Proof(False, said)
    return Proof(True, words.format(frames=said, codec=codec, software=software))


def _compared(decoder: str, media: str, behind: str, read: Read) -> str | int:
    """Return how many frames were equal, or what was wrong."""
    codec, software = CODECS.get(media, media), software_decoder(media)
    if media not in _SAMPLES or software is None:
        return f"there is nothing to compare its frames of {codec} with"
    expected = _decoded(software, media, _HOST, _planes if behind == _HOST else _converted_here)
    if isinstance(expected, str):
        return f"there is nothing to compare with: {software} {expected}"
    found = _decoded(decoder, media, behind, read)
    said = found if isinstance(found, str) else _difference(expected, found)
    return f"for {codec} it {said}" if said else len(expected)


def _planes(sample: Any) -> NDArray[np.uint8]:
    with sample.get_buffer().map(Gst.MapFlags.READ) as mapped:
        return np.frombuffer(mapped.data, np.uint8).copy()


def _converted_here(sample: Any) -> NDArray[np.uint8]:
    """Return RGB as the host makes it."""
    buffer, caps = sample.get_buffer(), sample.get_caps().copy()
    caps.set_value("colorimetry", "2:4:0:0")  # the same for all, whatever decoders say
    layout = Layout(caps)
    rgb = np.empty((layout.size[1], layout.size[0], 3), np.uint8)
    with buffer.map(Gst.MapFlags.READ) as mapped:
        layout.convert(layout.planes(buffer, mapped.data), rgb)
    return rgb


def _converted_there(sample: Any) -> NDArray[np.uint8]:
    """Return RGB as our kernel makes it of a surface."""
    caps = sample.get_caps().copy()
    caps.set_value("colorimetry", "2:4:0:0")
    with closing(gpu().viewer()) as viewer, sample.get_buffer().map(Gst.MapFlags.READ) as mapped:
        planes = surface_of(mapped.data).planes(colours_of(caps))
        return viewer.rgb(planes, planes.size).copy()


def _decoded(decoder: str, media: str, behind: str = _HOST, read: Read = _planes) -> Frames | str:
    """Return the sample's frames, or why there are none. A decoder that hangs is left behind."""
    result: Future[Frames | str] = Future()
    threading.Thread(
        target=lambda: result.set_result(_run(decoder, media, behind, read)),
        name="try-decoder",
        daemon=True,
    ).start()
    try:
        return result.result(LIMIT_S + 0.5)
    except TimeoutError:
        return f"hangs: no answer within {LIMIT_S:g} s"


def _run(decoder: str, media: str, behind: str = _HOST, read: Read = _planes) -> Frames | str:
    until_s = time.monotonic() + LIMIT_S
    file, parser = _SAMPLES[media]
    try:
        line = _LINE.format(file=_FILES / file, parser=parser, decoder=decoder, behind=behind)
        pipeline = Gst.parse_launch(line)
        if behind == _GPU and decoder != NVDEC:
            share(pipeline, gpu().context)
    except (GLib.Error, SharingError) as error:
        return f"cannot be tried: {getattr(error, 'message', error)}"
    pipeline.set_state(Gst.State.PLAYING)
    frames = _pull(pipeline.get_by_name("out"), until_s, read)
    wanted = Gst.MessageType.ERROR | Gst.MessageType.EOS
    left_ns = max(0, int((until_s - time.monotonic()) * Gst.SECOND))
    message = pipeline.get_bus().timed_pop_filtered(left_ns, wanted)
    threading.Thread(  # an element that hangs must not keep the answer
        target=pipeline.set_state, args=(Gst.State.NULL,), name="stop-decoder", daemon=True
    ).start()
    if message is None:
        return f"gave {len(frames)} frames in {LIMIT_S:g} s"
    if message.type == Gst.MessageType.ERROR:
        return f"failed: {message.parse_error()[0].message}"
    return frames


def _pull(sink: Any, until_s: float, read: Read) -> Frames:
    """Return the frames until the end, an error, or the time."""
    frames: Frames = []
    while (left_s := until_s - time.monotonic()) > 0:
        sample = sink.emit("try-pull-sample", int(min(left_s, 0.1) * Gst.SECOND))
        if sample is not None:
            frames.append((sample.get_buffer().pts, read(sample)))
        elif sink.get_property("eos") or _has_failed(sink):
            break
    return frames


def _has_failed(sink: Any) -> bool:
    """Return whether an error waits on the bus."""
    bus = sink.get_parent().get_bus()
    message = bus.pop_filtered(Gst.MessageType.ERROR)
    if message is not None:
        bus.post(message)
    return message is not None


def _difference(expected: Frames, found: Frames) -> str:
    """Return in what frames differ; an empty text where they do not."""
    if len(found) != len(expected):
        return f"gave {len(found)} frames of {len(expected)}"
    for number, ((due, right), (pts, frame)) in enumerate(zip(expected, found, strict=True)):
        if frame.shape != right.shape:
            return f"gave frames of another size (frame {number})"
        if pts != due and Gst.CLOCK_TIME_NONE not in (pts, due):
            return f"gave frames in another order (frame {number})"
        apart = np.abs(frame.astype(np.int16) - right)
        if apart.mean() > MEAN_DIFFERENCE or apart.max() > MAX_DIFFERENCE:
            most, mean = int(apart.max()), float(apart.mean())
            return (
                f"gave other pixels (frame {number}: by up to {most} of 255, {mean:.1f} on average)"
            )
    return ""
