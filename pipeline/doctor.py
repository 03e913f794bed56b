"""The requirements of a machine: what each is for, and the command that installs it."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.cameras.sources import kind_of, source_kinds
from pipeline.cameras.sources.base import Part
from pipeline.config.engine import AUTO
from pipeline.config.settings import Settings
from pipeline.config.standard import SHIPPED, WANTED

Kind = Literal["element", "typelib", "library", "program", "driver", "model"]
Missing = Callable[[Iterable[str]], set[str]]


@dataclass(frozen=True, slots=True)
class Need:
    """Something that a machine has or has not.

    Attributes:
        kind: what it is.
        name: what GStreamer, Python or the shell calls it.
        purpose: what it is for.
        command: gets it on Debian and Ubuntu.
        required: nothing runs without it.
    """

    kind: Kind
    name: str
    purpose: str
    command: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """A need, and whether it is met."""

    need: Need
    is_missing: bool


_APT = "apt-get install "
_BASE, _GOOD = _APT + "gstreamer1.0-plugins-base", _APT + "gstreamer1.0-plugins-good"
_BAD, _LIBAV = _APT + "gstreamer1.0-plugins-bad", _APT + "gstreamer1.0-libav"
_PIP = "pip install 'mirante[pipeline]'"
_OTLP = "opentelemetry.exporter.otlp.proto.http"
_GI = _APT + "python3-gst-1.0, in a venv made with: /usr/bin/python3 -m venv --system-site-packages"


def _parts() -> Iterable[Part]:
    """The elements that sources need; of one that several need the first says what for."""
    parts: dict[str, Part] = {}
    for kind in source_kinds():
        for part in kind.parts:
            parts.setdefault(part.element, part)
    return parts.values()


RTSP_SERVER = Need(
    "typelib",
    "GstRtspServer-1.0",
    "the RTSP server of mirante demo and bench",
    _APT + "gir1.2-gst-rtsp-server-1.0",
    required=False,
)
NEEDS = (
    Need("library", "gi", "GStreamer from Python", _GI),
    Need("typelib", "Gst-1.0", "GStreamer from Python", _APT + "python3-gst-1.0"),
    Need("typelib", "GstBase-1.0", "our own elements", _APT + "gir1.2-gstreamer-1.0"),
    Need("typelib", "GstApp-1.0", "the synthetic camera", _APT + "gir1.2-gst-plugins-base-1.0"),
    Need(
        "typelib",
        "GstRtsp-1.0",
        "sessions with RTSP cameras",
        _APT + "gir1.2-gst-plugins-base-1.0",
    ),
    Need("typelib", "GstVideo-1.0", "our own elements", _APT + "gir1.2-gst-plugins-base-1.0"),
    Need("element", "queue", "the queue of one frame", _APT + "libgstreamer1.0-0"),
    Need("element", "decodebin", "finding a stream's decoder", _BASE),
    Need("element", "videoscale", "scaling to the analysis size", _BASE),
    Need("element", "videoconvert", "conversion to RGB", _BASE),
    Need("element", "capssetter", "keeping the colour space while scaling", _GOOD),
    Need("element", "videoflip", "rotated video", _GOOD),
    Need("element", "videocrop", "cameras with a crop", _GOOD),
    Need("element", "deinterlace", "interlaced video", _GOOD),
    *(Need("element", part.element, part.purpose, _APT + part.package) for part in _parts()),
    Need("element", "rtph264depay", "H.264 over RTP", _GOOD),
    Need("element", "rtph265depay", "H.265 over RTP", _GOOD),
    Need("element", "rtpjpegdepay", "MJPEG over RTP", _GOOD),
    Need("element", "qtdemux", ".mp4 and .mov files", _GOOD),
    Need("element", "matroskademux", ".mkv and .webm files", _GOOD),
    Need("element", "avidemux", ".avi files", _GOOD),
    Need("element", "h264parse", "H.264", _BAD),
    Need("element", "h265parse", "H.265", _BAD),
    Need("element", "avdec_h264", "decoding H.264", _LIBAV),
    Need("element", "avdec_h265", "decoding H.265", _LIBAV),
    Need("library", "numpy", "arrays", _PIP),
    Need("library", "msgspec", "the wire format", _PIP),
    Need("library", "redis", "Redis", _PIP),
    Need("library", "cv2", "scaling and JPEG", _PIP),
    Need("library", "onnxruntime", "running models", _PIP),
    Need("library", "prometheus_client", "/metrics", _PIP),
    *(
        Need("library", library, purpose, f"pip install 'mirante[{extra}]'", required=False)
        for library, purpose, extra in (
            ("uvicorn", "the dashboard", "dashboard"),
            ("openvino", "models by OpenVINO", "openvino"),
            ("ai_edge_litert", "TF Lite files", "litert"),
            ("tritonclient", "models on servers over gRPC", "remote"),
            ("httpcore", "models on servers over HTTP", "remote"),
            ("onnxslim", "building engines", "build"),
            ("tensorrt", "engines on NVIDIA GPUs", "tensorrt"),
            ("tensorrt_lean", "engines built for TensorRT's lean runtime", "tensorrt-lean"),
            ("tensorrt_rtx", "engines on NVIDIA RTX GPUs", "tensorrt-rtx"),
            (_OTLP, "traces and metrics by OpenTelemetry", "telemetry"),
        )
    ),
    Need("program", "setpriv", "ending the private Redis with the worker", _APT + "util-linux"),
    Need(
        "program",
        "redis-server",
        "the private Redis, where redis.url names none; 6.2 or later",
        _APT + "redis-server",
    ),
    RTSP_SERVER,
    Need("element", "openh264enc", "preparing clips for mirante demo", _BAD, required=False),
    Need("element", "multifilesrc", "the RTSP server of mirante demo", _GOOD, required=False),
    Need("element", "rtph264pay", "the RTSP server of mirante demo", _GOOD, required=False),
    Need(
        "program",
        "gst-inspect-1.0",
        "trying elements by hand",
        _APT + "gstreamer1.0-tools",
        required=False,
    ),
    *(
        Need(
            "model",
            model,
            f"finding {finds} where a camera names no model; {SHIPPED} runs without it and finds "
            "fewer",
            f"mirante models pull {model}",
            required=False,
        )
        for finds, model in WANTED.items()
    ),
    Need(
        "driver",
        "/dev/video0",
        "a camera at this machine (/dev/videoN)",
        "plug one in; apt-get install v4l-utils; v4l2-ctl --list-devices",
        required=False,
    ),
    Need(
        "driver",
        "/dev/nvidia0",
        "an NVIDIA GPU; everything runs on the CPU without one",
        _APT + "nvidia-driver",
        required=False,
    ),
)
_ALWAYS = ("gi", "Gst-1.0", "queue", "decodebin", "videoscale", "videoconvert", "capssetter")


def examine(
    needs: Iterable[Need] = NEEDS, probes: Mapping[Kind, Missing] | None = None
) -> list[Finding]:
    """Check which of ``needs`` this machine meets.

    Args:
        needs: what to look for.
        probes: per kind a function from names to those that are missing; this machine's own by
            default.
    """
    needs, probes = list(needs), probes or _probes()
    missing = {
        kind: probe(need.name for need in needs if need.kind == kind)
        for kind, probe in probes.items()
    }
    return [Finding(need, need.name in missing[need.kind]) for need in needs]


def needs_of(settings: Settings) -> list[Need]:
    """Return what the cameras and engines of one configuration need."""
    names = set(_ALWAYS)
    if settings.redis.url is None:
        names |= {"redis-server", "setpriv"}
    for camera in settings.cameras.values():
        names.update(part.element for part in kind_of(camera.url).parts)
    if settings.engine.runtime not in (None, AUTO):  # auto chooses from what is there
        names |= {"onnxslim", settings.engine.runtime.replace("-", "_")}
    if settings.telemetry.is_on:
        names.add(_OTLP)
    return [need for need in NEEDS if need.name in names]


def _probes() -> dict[Kind, Missing]:
    from pipeline.gst.probe_elements import missing_elements, missing_typelibs

    return {
        "element": missing_elements,
        "typelib": missing_typelibs,
        "library": lambda names: {n for n in names if not _is_installed(n)},
        "program": lambda names: {n for n in names if shutil.which(n) is None or _is_old(n)},
        "driver": lambda names: {n for n in names if not Path(n).exists()},
        "model": _missing_models,
    }


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of a package that it is in
        return False


def _missing_models(names: Iterable[str]) -> set[str]:
    from engines.manifest import find
    from engines.store.models import is_here

    return {name for name in names if not is_here(find(name))}


def _is_old(program: str) -> bool:
    """True for a redis-server that is older than Mirante works with."""
    if program != "redis-server":
        return False
    from mirante.redis_greeting import is_old

    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"\bv=([\d.]+)", said.stdout)
    return version is not None and is_old(version[1])
