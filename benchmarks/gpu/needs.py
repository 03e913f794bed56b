"""What the parts of ``mirante bench gpu`` need of a machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping

from benchmarks.gpu.here import Here
from benchmarks.gpu.job import Job


def lacks(need: str, job: Job, here: Here) -> str:
    """Return in words what is missing; empty where nothing is."""
    try:
        CHECKS[need](job, here)
    except (ImportError, ValueError, RuntimeError, OSError) as error:
        return words_of(error)
    return ""


def runtime_of(job: Job) -> str:
    """Return the runtime of the engines: the one asked for, else the first of TensorRT's here.

    Raises:
        ImportError: neither is here; says why of both.
    """
    from engines.runtimes.tensorrt.library import library

    if job.runtime:
        return job.runtime
    missing = []
    for runtime in ("tensorrt", "tensorrt-rtx"):  # the lean one builds nothing
        try:
            library(runtime)
        except ImportError as error:
            missing.append(str(error))
        else:
            return runtime
    raise ImportError("; ".join(missing))


def words_of(error: Exception) -> str:
    """Return an error in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _gpu(_job: Job, here: Here) -> None:
    here.cuda().gpu()


def _nvrtc(_job: Job, _here: Here) -> None:
    from engines.cuda.compiling import Compiler

    Compiler()


def _driver(_job: Job, here: Here) -> None:
    with here.nvml():
        pass


def _runtime(job: Job, here: Here) -> None:
    from engines.builder.builders import builder_of

    builder = builder_of(runtime_of(job))
    builder.library()
    if not lacks("gpu", job, here):  # else that is the reason, and said by its own check
        builder.device(None)  # TensorRT for RTX builds not for every GPU


def _gstreamer(job: Job, _here: Here) -> None:
    try:
        from pipeline.gst.decoders import refusal
    except (ImportError, ValueError) as error:  # ValueError: GStreamer's description is missing
        raise ImportError(f"GStreamer is missing ({error}); mirante doctor says how") from error
    if (why := refusal(job.decode)) is not None:
        raise RuntimeError(why)


def _sender(job: Job, here: Here) -> None:
    from pipeline.doctor import RTSP_SERVER
    from pipeline.gst.probe_elements import missing_typelibs

    if not lacks("gstreamer", job, here) and missing_typelibs([RTSP_SERVER.name]):
        what = f"{RTSP_SERVER.purpose} is missing ({RTSP_SERVER.name})"
        raise RuntimeError(f"{what}: {RTSP_SERVER.command}")


def _redis(_job: Job, _here: Here) -> None:
    if shutil.which("redis-server", path=os.environ.get("PATH")) is None:
        raise RuntimeError("redis-server is not installed: apt-get install redis-server")


CHECKS: Mapping[str, Callable[[Job, Here], None]] = {
    "driver": _driver,
    "gpu": _gpu,
    "nvrtc": _nvrtc,
    "runtime": _runtime,
    "gstreamer": _gstreamer,
    "sender": _sender,
    "redis": _redis,
}
