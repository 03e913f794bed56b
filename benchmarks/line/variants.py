"""The variants that ``mirante bench line`` measures, each run in a process of its own.

python -m benchmarks.line.variants line '{"clip": "…", "model": "yolox-nano", "cameras": 4, …}'
prints one line of JSON: frames, wall_s, cpu_s and rss_mib.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.line.job import Job, Measured
from benchmarks.line.peers import placed
from engines.made import network_of
from engines.manifest import find
from engines.runtimes import open_session

if TYPE_CHECKING:
    from benchmarks.line.loops import Loop

TENSORS = 32  # preprocessed frames that the bare engine calls go round


def line(job: Job) -> Callable[[], int]:
    """The line: cameras, stages, outbox, Redis; every frame of the clip."""
    from benchmarks.line.cameras import prepare_clip_line

    return prepare_clip_line(job)


def live(job: Job) -> Callable[[], int]:
    """The line on live cameras for some seconds."""
    from benchmarks.line.cameras import prepare_live_line

    return prepare_live_line(job)


def decode(job: Job) -> Callable[[], int]:
    """The floor's first half: decode, and scale to the size that the model takes."""
    from pipeline.gst.floor import prepare_decoding

    left, _, right, _ = placed(job).content
    decoding = prepare_decoding(Path(job.clip), job.cameras, right - left)

    def run() -> int:
        decoding()
        return job.cameras * job.frames

    return run


def received(job: Job) -> Callable[[], int]:
    """Bare decoding of live cameras for some seconds."""
    from pipeline.gst.floor import receiving

    around = receiving(job.urls)
    decoded = around.__enter__()

    def run() -> int:
        before = decoded()
        time.sleep(job.seconds)
        frames = decoded() - before
        around.__exit__(None, None, None)
        return frames

    return run


def engine(job: Job) -> Callable[[], int]:
    """The floor's second half: as many bare session calls on preprocessed frames of the clip."""
    import cv2

    from engines.preprocess import Preprocessor

    manifest, path = network_of(find(job.model))
    session = open_session("onnxruntime", path, job.threads_each)
    spec = manifest.input
    tensors: list[NDArray[Any]] = []
    capture = cv2.VideoCapture(job.clip)
    while len(tensors) < TENSORS and (got := capture.read())[0]:
        rgb = np.asarray(cv2.cvtColor(got[1], cv2.COLOR_BGR2RGB), np.uint8)
        tensor, _ = Preprocessor(spec, session.inputs[spec.name].dtype).frame(rgb)
        tensors.append(tensor.copy())
    if len(session.inputs) != 1:
        raise ValueError(f"model: {job.model} has more inputs than its image; expected one")

    def calls() -> None:
        for index in range(job.frames):
            session.run({spec.name: tensors[index % len(tensors)]})

    def run() -> int:
        threads = [threading.Thread(target=calls) for _ in range(job.cameras)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return job.cameras * job.frames

    return run


def cv2_loop(job: Job) -> Callable[[], int]:
    """The loop with OpenCV's reader."""
    return loop_of("cv2_loop", job).prepare()


def pyav_loop(job: Job) -> Callable[[], int]:
    """The loop with PyAV's decoder; its package is where ``benchmarks.line.pyav`` puts it."""
    return loop_of("pyav_loop", job).prepare()


def openvino_queue(job: Job) -> Callable[[], int]:
    """OpenVINO's asynchronous queue, fed by PyAV where it is there, else by OpenCV."""
    from benchmarks.line.openvino_queue import OpenvinoQueue

    reader = "pyav_loop" if find_spec("av") else "cv2_loop"
    return OpenvinoQueue(loop_of(reader, job)).run


def loop_of(variant: str, job: Job) -> Loop:
    """Return a loop over the clip, on the line's own network."""
    from benchmarks.line.loops import READERS, Loop

    network = network_of(find(job.model))[1]
    sources = (job.clip,) * job.cameras
    shared = job.redis, job.threads_each, job.frames
    return Loop(READERS[variant], sources, network, placed(job), *shared)


VARIANTS = {
    run.__name__: run
    for run in (line, live, decode, received, engine, cv2_loop, pyav_loop, openvino_queue)
}


def main() -> None:
    """Runs one variant and prints what it took."""
    variant, job = VARIANTS[sys.argv[1]], Job.read(sys.argv[2])
    run = variant(job)  # loads models and libraries, which is not what is measured
    started_s, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    frames = run()
    wall_s, after = time.perf_counter() - started_s, resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    measured = Measured(frames, wall_s, cpu_s, after.ru_maxrss / 1024)
    sys.stdout.write(json.dumps(asdict(measured)) + "\n")


if __name__ == "__main__":
    main()
