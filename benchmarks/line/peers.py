"""Run other projects on the same clip and network: ``mirante bench line --peers``."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import cv2

from benchmarks.environments import python_with
from benchmarks.line.job import Job
from engines.made import network_of
from engines.manifest import find
from engines.placement import Placement, place

_LOOP = Path(__file__).with_name("peer_loops.py")
_MODELPIPE, _STREAMVISION = "2.0.0", "0.1.3"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Peer:
    """Something to measure beside the line.

    Attributes:
        words: its row's first cell.
        program: returns the command that runs it, less its name and its job; raises OSError where
            it cannot be had.
    """

    words: str
    program: Callable[[], list[str]]


def programs_of_peers() -> dict[str, list[str]]:
    """Return the command of each peer that can be had; why others are left out is a warning."""
    programs = {}
    for name, peer in PEERS.items():
        try:
            programs[name] = peer.program()
        except (OSError, subprocess.SubprocessError) as error:
            log.warning("%s is left out: %s", peer.words, error)
    return programs


def peer_text(job: Job) -> str:
    """Return a job for the command line of a peer: with its network, and a frame's place there."""
    place_of_frame = asdict(placed(job))
    network = str(network_of(find(job.model))[1])
    return json.dumps(
        {**asdict(job), "threads": job.threads_each, "network": network} | place_of_frame
    )


def placed(job: Job) -> Placement:
    """Return the place of the clip's frames in the model's input."""
    spec = network_of(find(job.model))[0].input
    clip = cv2.VideoCapture(job.clip)
    size = int(clip.get(cv2.CAP_PROP_FRAME_WIDTH)), int(clip.get(cv2.CAP_PROP_FRAME_HEIGHT))
    return place(size, spec.size, spec.resize, spec.multiple)


def _openvino() -> list[str]:
    if find_spec("openvino") is None:
        raise OSError('openvino is missing; pip install "mirante[openvino]"')
    return [sys.executable, "-m", "benchmarks.line.variants"]


def _modelpipe() -> list[str]:
    """Its own dependencies are PyTorch and Transformers, which its detector does not load."""
    packages = (f"--no-deps modelpipe=={_MODELPIPE}", f"numpy opencv-python-headless {_runtime()}")
    options = ["--system-site-packages"]  # has GStreamer's Python
    return [python_with(f"modelpipe-{_MODELPIPE}", packages, options), str(_LOOP)]


def _roboflow() -> list[str]:
    """Roboflow's ``inference`` takes its InferencePipeline from this package."""
    packages = (f"streamvision=={_STREAMVISION} msgspec redis hiredis {_runtime()}",)
    return [python_with(f"streamvision-{_STREAMVISION}", packages), str(_LOOP)]


def _runtime() -> str:
    """Return ONNX Runtime as it is here: another one is faster or slower by itself."""
    return f"onnxruntime=={version('onnxruntime')}"


PEERS = {
    "openvino_queue": Peer("peer: OpenVINO's queue, its own precision", _openvino),
    "modelpipe": Peer(
        f"peer: ModelPipe {_MODELPIPE}, one thread; boxes neither decoded nor sent", _modelpipe
    ),
    "roboflow": Peer(f"peer: Roboflow streamvision {_STREAMVISION} + ONNX Runtime", _roboflow),
}
