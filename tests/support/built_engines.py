"""Requests, stores and images of the tests of engines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.builder.build import Request
from engines.builder.frames import shipped_pictures
from pipeline.cameras.synthetic import picture

Rgb = NDArray[np.uint8]

OWN = {"street": "YOLO (ours)", "road": "U-Net (ours)", "face": "U-Net (ours)"}
PUBLIC = {
    "yolox-nano": "YOLOX",
    "yolox-street": "YOLOX",
    "deimv2-femto": "DEIMv2",
    "yunet": "YuNet",
    "twinlitenet": "TwinLiteNet",
    "omz-road": "road-segmentation-adas",
    "unet-face": "U-Net",
    "mediapipe-selfie": "MediaPipe selfie",
    "lwnet": "W-Net (lwnet)",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A store for the engines of all tests of a module."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIRANTE_HOME", str(folder))
        yield folder


def save_pictures(path: Path, pictures: Sequence[Rgb]) -> str:
    """Writes an ``.npz`` of them."""
    named: dict[str, Any] = {f"picture{index}": rgb for index, rgb in enumerate(pictures)}
    np.savez(path, **named)
    return str(path)


def streets() -> list[Rgb]:
    """The shipped photographs that show cars."""
    return shipped_pictures()[:4]


def roads() -> list[Rgb]:
    return shipped_pictures()[4:8]


def faces() -> list[Rgb]:
    return shipped_pictures()[8:]


def synthetic() -> list[Rgb]:
    """What the camera test:// shows."""
    return [picture(n, 640, 360) for n in (0, 7)]


def ask(model: str, runtime: str = "onnxruntime", **keys: Any) -> Request:
    """A request that compares on few images."""
    return Request(model=model, runtime=runtime, **{"parity_frames": 4, **keys})
