"""Every model of the zoo in float16 and int8, built for a GPU that is not here: the table's rows.

The graph of each engine is judged on real images before TensorRT-RTX builds it. Without ``--full``
it is one model that is ours in int8, and one of another make in float16.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from engines.builder.build import Request, build
from engines.builder.builders import BuildError
from engines.manifest import zoo_names
from engines.runtimes.tensorrt.plan import read_plan
from tests.support import support_table as support
from tests.support.built_engines import (
    OWN,
    PUBLIC,
    ask,
    faces,
    roads,
    save_pictures,
    store,
    streets,
)
from tests.support.shared_clips import CLIPS

pytestmark = pytest.mark.slow

__all__ = ["store"]

pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")

SHOWN = {"street": streets, "road": roads, "face": faces}
CLIP = {
    "yolox-nano": "highway.mp4",
    "yolox-street": "highway.mp4",
    "deimv2-femto": "highway.mp4",
    "yunet": "carphone.mp4",
    "twinlitenet": "lanes.mp4",
    "omz-road": "lanes.mp4",
    "unet-face": "carphone.mp4",
    "mediapipe-selfie": "carphone.mp4",
}
SLOW = (
    "twinlitenet",
    "omz-road",
    "deimv2-femto",
    "lwnet",
)  # for a test to find out about batches too
USUAL = {("face", "int8"), ("yunet", "fp16")}
TFLITE = {"unet-face-int8": "U-Net", "ssd-mobilenet": "SSD-MobileNet"}


def asked(name: str, precision: str, folder: Path) -> Request:
    if name in OWN:
        shown = [*SHOWN[name]()[:4], *faces()[:2]]
        path = save_pictures(folder / f"{name}.npz", shown)
    elif name == "lwnet":
        data = pytest.importorskip("skimage.data", reason="scikit-image has the retina")
        path = save_pictures(folder / "retina.npz", [data.retina()])
    else:
        path = str(CLIPS / CLIP[name])
        if not Path(path).is_file():
            pytest.skip(f"no clip {CLIP[name]} in {CLIPS}")
    keys: dict[str, Any] = {"frames": path, "calibrate": None if precision == "fp16" else path}
    slow = name in SLOW
    keys |= {"parity_frames": 2 if slow else 4, "calibration_frames": 2 if slow else 4}
    keys |= {"batch": 1} if slow else {}
    return ask(name, "tensorrt-rtx", precision=precision, target="sm89", **keys)


def some(names: Iterable[str]) -> list[Any]:
    """Each in both precisions; all but the usual ones are marked."""
    return [
        pytest.param(*each, marks=[] if each in USUAL else pytest.mark.full)
        for each in product(names, ("fp16", "int8"))
    ]


def tell(name: str, precision: str, folder: Path) -> None:
    engine = build(asked(name, precision, folder))
    assert read_plan(engine.file).architectures == ("sm89",)
    assert engine.about["input"]["layout"] == "nhwc"
    framework = "PyTorch" if name in OWN or name == "lwnet" else "ONNX"
    architecture = (OWN | PUBLIC)[name]
    support.record(architecture, framework, "tensorrt-rtx", precision)


@pytest.mark.parametrize(
    ("name", "precision"),
    [*some(OWN), *(pytest.param(name, "fp8", marks=pytest.mark.full) for name in OWN)],
)
def test_own_models(store: Path, name: str, precision: str) -> None:
    tell(name, precision, store)


@pytest.mark.models
@pytest.mark.parametrize(("name", "precision"), some(PUBLIC))
def test_public_models(
    weights: Path, store: Path, name: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIRANTE_HOME", str(store))
    tell(name, precision, store)


@pytest.mark.models
@pytest.mark.parametrize("name", TFLITE)
def test_tf_lite_files_are_refused(weights: Path, name: str) -> None:
    with pytest.raises(BuildError, match="engines are made of ONNX files"):
        build(ask(name, "tensorrt-rtx", target="sm89"))
    support.record(
        TFLITE[name], "TF Lite", "tensorrt-rtx", "int8", "engines are made of ONNX files"
    )


def test_every_model_of_the_zoo_has_a_row() -> None:
    synthetic = {name for name in zoo_names() if name.startswith("test-")}  # without weights
    assert set(zoo_names()) - synthetic == {*OWN, *PUBLIC, *TFLITE}
