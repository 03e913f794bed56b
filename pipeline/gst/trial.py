"""The process that tries a camera, started by ``pipeline.worker.trials``; reads what from stdin."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from typing import Any

import cv2
import gi
import msgspec
import numpy as np
import psutil
from numpy.typing import NDArray

gi.require_version("Gst", "1.0")
gi.require_version("GstBase", "1.0")
from gi.repository import Gst, GstBase

from engines.store.models import use_default_mirror
from mirante.faults import FaultCode
from mirante.frame import FrameResult
from mirante.wire.codec import encode
from mirante.wire.messages import DetectionsMessage
from pipeline.cameras.graph import stage_texts
from pipeline.cameras.state import WAITING, Fault, State, Transition
from pipeline.cameras.targets import fault_of_target, forbid, is_local, words_of
from pipeline.config.camera import Camera
from pipeline.config.camera_url import CameraUrl
from pipeline.control.trials import Request, Trial, failed, pack
from pipeline.gst.camera import CameraRunner
from pipeline.gst.decoders import CODECS
from plugins.bindings import structure_of
from plugins.element import FrameHandler, elements_of, max_failures, sink_template
from plugins.frame import Frame
from plugins.ledger import Ledger
from plugins.line import Line
from plugins.preview.blur import Blur

_read_request = msgspec.json.Decoder(Request)
_read_message = msgspec.json.Decoder(DetectionsMessage)
WIDEST_PX = 1280
QUALITY = 80
BLUR_FRAMES = 5  # seen before one is shown: a detector misses a face now and then
RATE_S = 2.0  # for which frames are counted, and what they cost
STOP_S = 2.0


class TrialSink(FrameHandler, GstBase.BaseSink):  # type: ignore[misc]
    """Keeps the newest frame that passed the stages, until it has seen enough of them."""

    __gstmetadata__ = ("Mirante trial", "Sink/Video", "Keeps one frame", "Mirante")
    __gsttemplates__ = sink_template()

    max_failures = max_failures()
    blur: Blur | None = None  # set for the one camera of this process
    enough: threading.Event
    kept: tuple[FrameResult, bytes] | None = None
    fps: float | None = None
    codec: str | None = None
    frames = 0

    def __init__(self) -> None:
        super().__init__()
        self.set_sync(False)
        self.set_async_enabled(False)
        self.set_last_sample_enabled(False)

    def prepare(self) -> None:
        """Nothing is needed."""

    def do_start(self) -> bool:
        """Called on the way from READY to PAUSED."""
        return self.start()

    def do_set_caps(self, caps: Gst.Caps) -> bool:
        """Called when the size changes."""
        known, frames, seconds = structure_of(caps).get_fraction("framerate")
        type(self).fps = frames / seconds if known and frames and seconds else None
        return self.read_caps(caps)

    def do_render(self, buffer: Gst.Buffer) -> Gst.FlowReturn:
        """Called for each frame."""
        flow = self.process(buffer)
        return flow if flow == Gst.FlowReturn.ERROR else Gst.FlowReturn.OK

    def handle(self, buffer: Gst.Buffer, key: int, result: FrameResult) -> bool:
        """Takes an image of the frame."""
        kind = type(self)
        if not kind.enough.is_set():
            with buffer.map(Gst.MapFlags.READ) as mapped:
                rgb = Frame.of_rows(mapped.data, self.size, self.stride).pixels
                bgr = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), np.uint8)
            if kind.blur is not None:
                kind.blur.observe(result, *self.size)
                kind.blur.apply(bgr)
            kind.kept = (result, _jpeg(bgr))
            kind.codec = kind.codec or _codec(self.pipeline())
            kind.frames += not result.damaged  # a whole image may come yet
            if kind.frames >= (BLUR_FRAMES if kind.blur is not None else 1):
                kind.enough.set()
        self.ledger.publish(key)
        return True


class Warnings(logging.Handler):
    """Remembers the last warning that the camera's supervisor logged, in which no secret is."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Called for each."""
        self.last = record.getMessage()


def try_camera(request: Request) -> Trial:
    """Runs the camera until an image has come, it failed, or it is time to give up."""
    began_s = time.monotonic()
    camera = Camera.model_validate(request.spec)
    if not request.local:
        forbid()
        if here := fault_of_target(camera.url):
            return failed(here.code, here.reason, time.monotonic() - began_s)
    TrialSink.blur = Blur(camera.preview.blur) if camera.preview.blur else None
    TrialSink.enough = ended = threading.Event()
    faults: list[Transition] = []

    def on_change(change: Transition) -> None:
        if change.state not in {State.CONNECTING, State.RUNNING}:
            faults.append(change)
            ended.set()

    warnings = Warnings(logging.WARNING)
    logging.getLogger("pipeline.gst.camera").addHandler(warnings)
    ledger = Ledger(request.name)
    stages = " ! ".join([*stage_texts(camera, 1), "mirtrial"])
    try:
        runner = CameraRunner(request.name, camera, stages, Line(ledger), on_change)
    except ValueError as error:
        return failed(FaultCode.INVALID, str(error), 0.0)
    runner.start()
    ended.wait(request.until_s - time.monotonic())
    seconds = time.monotonic() - began_s
    if not request.local and (words := _local_peer(camera.url)):
        trial = failed(FaultCode.LOCAL_TARGET, words, seconds)
    elif TrialSink.kept is None:
        fault = faults[0] if faults else _impatient(ledger, warnings.last, seconds, runner.reason)
        trial = failed(fault.code, fault.reason, seconds)
    else:
        cost, rate = _measured(ledger, request.until_s)
        trial = _shown(*TrialSink.kept, seconds, TrialSink.fps or rate)
        trial = msgspec.structs.replace(trial, cpu_percent=cost)
    runner.stop(STOP_S)  # cameras have few sessions: this one is closed, not left behind
    return trial


def _local_peer(url: CameraUrl) -> str:
    """Return why a library's own connection is none that may be made; empty where it is.

    A name may stand for another address than when it was checked.
    """
    made = psutil.Process().net_connections("inet") if url.is_network else []
    peers = [each.raddr.ip for each in made if each.raddr and each.raddr.port == url.port]
    return next((words_of(peer) for peer in peers if is_local(peer)), "")


def _shown(result: FrameResult, jpeg: bytes, seconds: float, fps: float | None) -> Trial:
    message = _read_message.decode(encode(result).detections["json"])
    return Trial(
        connected=True,
        words=f"connected: the first image came after {seconds:.1f} s"
        + ("; it is damaged: no key frame has come yet" if result.damaged else ""),
        seconds=round(seconds, 3),
        size=(result.width, result.height),
        fps=None if fps is None else round(fps, 2),
        codec=TrialSink.codec,
        objects=message.objects,
        jpeg=jpeg,
    )


def _measured(ledger: Ledger, until_s: float) -> tuple[float | None, float | None]:
    """Return the percent of a core that this process takes, and the frames a second that it
    decodes; None where there is no time left, or no frame came meanwhile.
    """
    before, began_s, used_s = _decoded(ledger), time.monotonic(), time.process_time()
    time.sleep(max(0.0, min(RATE_S, until_s - began_s)))
    came, elapsed_s = _decoded(ledger) - before, time.monotonic() - began_s
    if elapsed_s < RATE_S / 2 or not came:
        return None, None
    return round(100 * (time.process_time() - used_s) / elapsed_s, 1), came / elapsed_s


def _decoded(ledger: Ledger) -> int:
    counts, in_flight = ledger.counts()
    return counts.decoded + in_flight


def _impatient(ledger: Ledger, warning: str, seconds: float, reason: str) -> Fault:
    """Why no image came before it was time to give up."""
    counts, _ = ledger.counts()
    if counts.failed:
        words = f"images arrive, but a stage failed on each of {counts.failed}: {warning}"
        return Fault(FaultCode.STAGE_FAILED, words)
    if dropped := counts.dropped.get("stage", 0):
        words = f"images arrive, but the camera's own stages dropped each of {dropped}"
        return Fault(FaultCode.STAGES_DROP, words)
    if _decoded(ledger):
        words = f"images arrive, but none had passed the stages after {seconds:.0f} s"
        return Fault(FaultCode.STAGES_SLOW, words)
    if reason == WAITING:
        words = f"images arrive, but no key frame came for {seconds:.0f} s"
        return Fault(FaultCode.NO_KEY_FRAME, words)
    return Fault(FaultCode.NO_VIDEO, f"no image came within {seconds:.0f} s")


def _jpeg(bgr: NDArray[np.uint8]) -> bytes:
    height, width = bgr.shape[:2]
    if width > WIDEST_PX:
        size = (WIDEST_PX, max(1, round(height * WIDEST_PX / width)))
        bgr = np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), np.uint8)
    made, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not made:
        raise ValueError(f"no JPEG could be made of a {bgr.shape} picture")
    return jpeg.tobytes()


def _codec(pipeline: Any) -> str | None:
    """Return the codec that a graph decodes; None without a video decoder."""
    for element in elements_of(pipeline):
        kind = element.get_metadata("klass")
        caps = None
        if "Decoder" in kind and ("Video" in kind or "Image" in kind):
            caps = element.get_static_pad("sink").get_current_caps()
        if caps is not None:
            name = str(structure_of(caps).get_name())
            return CODECS.get(name, name.removeprefix("video/x-"))
    return None


def main() -> None:
    """Reads a request from standard input and writes the packed trial to standard output."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what stages and libraries print does not belong into the answer
    request = _read_request.decode(sys.stdin.buffer.read())
    sys.path += [folder for folder in request.path if folder not in sys.path]
    use_default_mirror()
    cv2.setNumThreads(1)
    Gst.Element.register(None, "mirtrial", int(Gst.Rank.NONE), TrialSink)
    with answer:
        answer.write(pack(try_camera(request)))
    os._exit(0)  # a graph that hangs must not keep the answer waiting


if __name__ == "__main__":
    main()
