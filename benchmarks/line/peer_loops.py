"""Measure other projects' pipelines on one clip, end to end, each in an environment of its own.

It runs there, and so imports nothing of this project but ``loops.py``, by its path.
``python peer_loops.py modelpipe '{"clip": "…", …}'`` prints what ``variants`` prints.
"""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

Job = SimpleNamespace
_SHARED = Path(__file__).with_name("loops.py")


def modelpipe(job: Job) -> Callable[[], int]:
    """Collabora's ModelPipe: its detector behind GStreamer's decoder, its session with one thread.

    It reads no output of YOLOX, so boxes are neither decoded nor sent.
    """
    gi = import_module("gi")
    gi.require_version("Gst", "1.0")
    gst: Any = import_module("gi.repository.Gst")
    gst.init(None)
    ort: Any = import_module("onnxruntime")
    session_of = ort.InferenceSession

    def session(network: str, **options: Any) -> Any:
        return session_of(network, _session_options(ort, job.threads), **options)

    ort.InferenceSession = session
    package = import_module("modelpipe").__path__[0]
    sys.path.insert(0, f"{package}/plugins/python")
    name, rank, element = import_module("objectdetector").__gstelementfactory__
    gst.Element.register(None, name, rank, element)
    (width, height), (left, top, right, bottom) = job.size, job.content
    text = (
        f'filesrc location="{job.clip}" ! qtdemux ! h264parse ! avdec_h264 max-threads=1 '
        f"! videoscale ! video/x-raw,width={right - left},height={bottom - top} "
        f"! videobox left={-left} top={-top} right={right - width} bottom={bottom - height} "
        f"! videoconvert ! video/x-raw,format=RGB ! {name} engine-name=onnx device=cpu "
        f'model-name="{job.network}" ! fakesink name=end sync=false'
    )
    pipelines = [gst.parse_launch(text) for _ in range(job.cameras)]
    for pipeline in pipelines:
        pipeline.set_state(gst.State.PAUSED)
        pipeline.get_state(gst.CLOCK_TIME_NONE)

    def run() -> int:
        wanted, frames = gst.MessageType.EOS | gst.MessageType.ERROR, 0
        try:
            for pipeline in pipelines:
                pipeline.set_state(gst.State.PLAYING)
            for pipeline in pipelines:
                message = pipeline.get_bus().timed_pop_filtered(gst.CLOCK_TIME_NONE, wanted)
                if message.type == gst.MessageType.ERROR:
                    raise RuntimeError(message.parse_error()[0].message)
                stats = pipeline.get_by_name("end").get_property("stats")
                frames += stats.get_uint64("rendered")[1]
        finally:
            for pipeline in pipelines:
                pipeline.set_state(gst.State.NULL)
        return frames

    return run


def roboflow(job: Job) -> Callable[[], int]:
    """Roboflow's InferencePipeline with custom logic: the loops' own model, boxes and messages."""
    loops = _loops()
    cv2, ort = import_module("cv2"), import_module("onnxruntime")
    stream = import_module("streamvision.stream.pipeline")
    cv2.setNumThreads(1)
    options = _session_options(ort, job.threads)
    session = ort.InferenceSession(job.network, options, providers=["CPUExecutionProvider"])
    said = {key: tuple(getattr(job, key)) for key in ("size", "content", "scale", "offset")}
    at = SimpleNamespace(**said)
    left, top, right, bottom = job.content
    model_input = loops.Input(at)
    outboxes = [
        loops.Batches(job.redis, loops.stream_of(index), loops.BATCH_S)
        for index in range(job.cameras)
    ]
    published = 0

    def look(frames: list[Any]) -> list[Any]:
        found = []
        for frame in frames:
            model_input.fill(cv2.resize(frame.image, (right - left, bottom - top)))
            began_s = time.perf_counter()
            (raw,) = session.run(None, {"images": model_input.tensor})
            infer_ms = (time.perf_counter() - began_s) * 1e3
            found.append({"infer": infer_ms, "objects": loops.objects(raw[0], at)})
        return found

    def send(found: Any, frame: Any) -> None:
        nonlocal published
        outboxes[frame.source_id or 0].put({"number": None, **found})
        published += 1

    pipeline = stream.InferencePipeline.init_with_custom_logic(
        video_reference=[job.clip] * job.cameras,
        on_video_frame=look,
        on_prediction=send,
        sink_mode=stream.SinkMode.SEQUENTIAL,
    )

    def run() -> int:
        pipeline.start(use_main_thread=False)
        pipeline.join()
        for outbox in outboxes:
            outbox.send()
        return published

    return run


PEERS = {run.__name__: run for run in (modelpipe, roboflow)}


def _session_options(ort: Any, threads: int) -> Any:
    """Return the options that the line's sessions have."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _loops() -> Any:
    """Return the module with what the loops are made of."""
    spec = importlib.util.spec_from_file_location("loops", _SHARED)
    assert spec is not None and spec.loader is not None
    module = sys.modules["loops"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Run one peer and print its cost."""
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the packages print is no answer
    job = Job(**json.loads(sys.argv[2]))
    run = PEERS[sys.argv[1]](job)
    started_s, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    frames = run()
    wall_s, after = time.perf_counter() - started_s, resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if frames != (wanted := job.cameras * job.frames):
        raise RuntimeError(f"expected {wanted} frames, got {frames}")
    cost = {"frames": frames, "wall_s": wall_s, "cpu_s": cpu_s, "rss_mib": after.ru_maxrss / 1024}
    with answer:
        answer.write(json.dumps(cost) + "\n")


if __name__ == "__main__":
    main()
