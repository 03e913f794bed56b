"""Keras, TensorFlow and TF Lite in: a small network and a published U-Net in each format."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engines
from engines.builder.frames import shipped_pictures
from engines.convert import ConvertError
from engines.convert.asked import Asked
from engines.convert.from_tensorflow import load_keras, tensorflow
from engines.convert.importing import Imported, import_model
from engines.convert.phones import export_model
from engines.store.models import default_mirror
from tests.support import support_table as support
from tests.support.built_engines import save_pictures
from tests.support.conversions import axes, imported, photographs, worst

# Looked for, not imported: TensorFlow takes seconds, in each process that lists the tests.
_MISSING = [name for name in ("tensorflow", "tf2onnx") if find_spec(name) is None]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(_MISSING), reason=f"not installed: {', '.join(_MISSING)}"),
]


SIDE = 64  # of the images of the small network


def small(path: Path) -> None:
    """Write a network of two convolutions: a plane of logits, above 0 where an image is bright."""
    tensorflow()
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = layers.Input((SIDE, SIDE, 3), name="image_input")
    coarse = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(image)
    both = layers.Concatenate()([image, layers.UpSampling2D()(coarse)])
    last = layers.Conv2D(1, 1)
    model = keras.Model(image, last(both))
    weights = np.array([3, 3, 3, 0.5, 0.5, 0.5, 0.5], np.float32)
    last.set_weights([weights.reshape(1, 1, 7, 1), np.array([-4], np.float32)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, of Keras
        model.save(path)


def published(path: Path) -> None:
    """Copy a U-Net that finds faces."""
    mirror = default_mirror()
    source = None if mirror is None else mirror / "unet_face_segmentation.keras"
    if source is None or not source.is_file():
        pytest.skip("no public weights: set MIRANTE_MODEL_MIRROR to a folder that holds them")
    shutil.copy(source, path)


NETWORKS = {"small": small, "unet": published}


def rewritten(keras: Path, made: Path) -> None:
    """Write the network of a .keras file as another format, if it is not there yet."""
    if made.exists():
        return
    tf = tensorflow()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorflow.python.framework import convert_to_constants

        model = load_keras(keras)
        if made.suffix == ".h5":
            model.save(made)
        elif made.suffix == ".pb":
            spec = tf.TensorSpec(model.inputs[0].shape, name="image_input")
            function = tf.function(model).get_concrete_function(spec)
            frozen = convert_to_constants.convert_variables_to_constants_v2(function)
            made.write_bytes(frozen.graph.as_graph_def().SerializeToString())
        else:
            model.export(made, verbose=False)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the path of a network in one of its formats, each written once."""
    folder = tmp_path_factory.mktemp("formats")

    def of(name: str) -> Path:
        network = name.replace("_", ".").partition(".")[0]
        keras = folder / f"{network}.keras"
        if not keras.exists():
            NETWORKS[network](keras)
        rewritten(keras, folder / name)
        return folder / name

    return of


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> str:
    return photographs(tmp_path_factory.mktemp("shown"))


@pytest.fixture(scope="module")
def of_format(
    source: Callable[[str], Path], shown: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Imported]:
    """Return what came of a network in one of its formats, each imported once."""

    @cache
    def of(name: str) -> Imported:
        out = tmp_path_factory.mktemp("imported") / "out"
        return imported(source(name), out, labels=("face",), frames=shown)

    return of


@pytest.mark.parametrize(
    ("name", "framework", "output"),
    [
        ("small.keras", "Keras", "output_0"),
        ("small.h5", "Keras", "output_0"),
        ("small_saved", "TensorFlow", "output_0"),
        ("small.pb", "TensorFlow", "Identity"),
        pytest.param("unet.keras", "Keras", "output_0", marks=pytest.mark.full),
        pytest.param("unet.h5", "Keras", "output_0", marks=pytest.mark.full),
        pytest.param("unet_saved", "TensorFlow", "output_0", marks=pytest.mark.full),
        pytest.param("unet.pb", "TensorFlow", "Identity", marks=pytest.mark.full),
    ],
)
def test_one_network_in_four_formats(
    of_format: Callable[[str], Imported], name: str, framework: str, output: str
) -> None:
    made = of_format(name)
    assert made.about["source"]["framework"] == framework
    assert worst(made) < 1e-5
    assert made.about["task"]["figures"]["iou of face"] > 0.999
    manifest = engines.manifest.read(made.manifest)
    assert (manifest.input.name, manifest.input.layout) == ("image_input", "nhwc")
    assert (manifest.decoder, manifest.options["logits"]) == ("sigmoid", True)
    side = 256 if name.startswith("unet") else SIDE
    assert axes(made, "image_input") == ["batch", side, side, 3]
    assert axes(made, output)[1:] == [side, side, 1]
    if name.startswith("unet"):
        support.record("U-Net", framework, "onnxruntime", "fp32")


@pytest.mark.models
@pytest.mark.full
def test_the_import_finds_what_the_zoos_model_finds(
    of_format: Callable[[str], Imported], weights: Path
) -> None:
    made = of_format("unet.keras")
    rgb = shipped_pictures()[-1]  # a face
    (ours,) = engines.load(str(made.manifest))(rgb).masks
    (theirs,) = engines.load("unet-face")(rgb).masks
    a, b = ours.plane("face"), theirs.plane("face")
    assert a.sum() > 1000
    assert (a & b).sum() / (a | b).sum() > 0.999


@pytest.mark.models
@pytest.mark.parametrize(
    ("precision", "least"),
    [pytest.param("fp32", 0.999, marks=pytest.mark.full), ("int8", 0.9)],
)
def test_tf_lite_files(weights: Path, tmp_path: Path, precision: str, least: float) -> None:
    face = save_pictures(tmp_path / "face.npz", shipped_pictures()[-1:])
    path = weights / f"unet_face_{precision}.tflite"
    made = imported(path, tmp_path / "out", labels=("face",), frames=face)
    assert made.about["source"]["framework"] == "TF Lite"
    assert made.about["task"]["figures"]["iou of face"] > least
    manifest = engines.manifest.read(made.manifest)
    assert manifest.input.scale == (1 if precision == "int8" else pytest.approx(1 / 255))
    # Whole levels differ by rounding; the file's numbers reach the decoder as logits all the same.
    assert worst(made) < (0.05 if precision == "int8" else 1e-5)
    assert made.onnx.stat().st_size < (5e5 if precision == "int8" else 1.5e6)  # int8 stays int8
    support.record("U-Net", "TF Lite", "onnxruntime", precision)


@pytest.mark.models
def test_a_quantised_detector_with_nms_inside(weights: Path, tmp_path: Path) -> None:
    made = imported(
        weights / "ssd_mobilenet_v1_coco_quant.tflite",
        tmp_path / "out",
        labels=engines.manifest.find("ssd-mobilenet").labels,
        frames=save_pictures(tmp_path / "shown.npz", shipped_pictures()[:9:3]),
    )
    manifest = engines.manifest.read(made.manifest)
    assert (manifest.decoder, manifest.options["format"]) == ("end_to_end", "yxyx")
    assert made.about["task"]["figures"]["boxes"] > 5
    assert made.about["onnx"]["batch"].startswith("one image per call; it fails with two")
    support.record("SSD-MobileNet", "TF Lite", "onnxruntime", "int8")


@pytest.mark.parametrize(
    ("name", "framework"),
    [
        ("small.keras", "Keras"),
        ("small_saved", "TensorFlow"),
        ("small.pb", "TensorFlow"),
        pytest.param("unet.keras", "Keras", marks=pytest.mark.full),
        pytest.param("unet_saved", "TensorFlow", marks=pytest.mark.full),
        pytest.param("unet.pb", "TensorFlow", marks=pytest.mark.full),
    ],
)
def test_out_to_phones(
    of_format: Callable[[str], Imported], shown: str, tmp_path: Path, name: str, framework: str
) -> None:
    made = of_format(name)
    out = tmp_path / "out"
    exported = export_model(str(made.manifest), "litert", out, frames=shown)
    assert exported.manifest is not None
    assert sorted(path.name for path in out.iterdir()) == [
        *("made-litert.parity.json", "made-litert.yaml", "made.tflite")
    ]
    assert exported.about["passed"]
    assert max(gap["relative"] for gap in exported.about["outputs"].values()) < 1e-5
    assert exported.about["task"]["figures"]["iou of face"] > 0.999
    manifest = engines.manifest.read(exported.manifest)
    assert (manifest.runtime, manifest.file) == ("litert", "made.tflite")
    rgb = shipped_pictures()[-1]
    (ours,) = engines.load(str(exported.manifest))(rgb).masks
    (theirs,) = engines.load(str(made.manifest))(rgb).masks
    a, b = ours.plane("face"), theirs.plane("face")
    assert (a & b).sum() / (a | b).sum() > 0.999
    if name.startswith("unet"):
        support.record("U-Net", framework, "litert", "fp32")


def test_what_was_made_for_phones_is_imported(
    of_format: Callable[[str], Imported], shown: str, tmp_path: Path
) -> None:
    exported = export_model(str(of_format("small.keras").manifest), "litert", tmp_path / "phone")
    made = imported(exported.file, tmp_path / "out", labels=("face",), frames=shown)
    assert made.about["source"]["framework"] == "TF Lite"
    assert worst(made) < 1e-5
    assert made.about["task"]["figures"]["iou of face"] > 0.999
    manifest = engines.manifest.read(made.manifest)
    assert (manifest.runs_on, manifest.decoder) == ("onnxruntime", "sigmoid")


@pytest.mark.models
def test_what_is_not_made_for_phones(
    of_format: Callable[[str], Imported], weights: Path, tmp_path: Path
) -> None:
    made = of_format("small.keras")
    with pytest.raises(ConvertError, match="executorch takes PyTorch alone, and made is of Keras"):
        export_model(str(made.manifest), "executorch", tmp_path / "out")
    source = str(weights / "unet_face_fp32.tflite")
    with pytest.raises(ConvertError, match="TF Lite is not converted for phones"):
        export_model("unet-face", "litert", tmp_path / "out", source=source)
    with pytest.raises(ValueError, match=r"expected an ONNX file, got unet_face_int8\.tflite"):
        export_model("unet-face-int8", "litert", tmp_path / "out")
    # Another network than the one that the manifest is of.
    other = tiny(tmp_path / "tiny.keras", (32, 48))
    with pytest.raises(ConvertError, match="the inputs of its file are picture, those of"):
        export_model("unet-face", "litert", tmp_path / "out", source=str(other))
    assert list((tmp_path / "out").iterdir()) == []
    support.record("U-Net", "Keras", "executorch", "fp32", "ExecuTorch takes PyTorch alone")


def tiny(path: Path, sides: tuple[int | None, int | None]) -> Path:
    """Write a network of one convolution."""
    tensorflow()
    import keras

    layers = keras.layers
    model = keras.Sequential([layers.Input((*sides, 3), name="picture"), layers.Conv2D(2, 3)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, of Keras
        model.save(path)
    return path


def test_a_network_of_open_size(tmp_path: Path) -> None:
    source = tiny(tmp_path / "open.keras", (None, None))
    asked: dict[str, Any] = {"labels": ("a", "b"), "decoder": "sigmoid"}
    with pytest.raises(ValueError, match=r"size: missing, and required as \S+ \(None, None, None"):
        import_model(Asked(source=str(source), name="made", out=tmp_path / "none", **asked))
    made = imported(source, tmp_path / "out", size=(48, 32), dynamic="size", **asked)
    manifest = engines.manifest.read(made.manifest)
    assert manifest.input.size == (48, 32)
    kinds = [type(axis) for axis in axes(made, manifest.input.name)]
    assert kinds == [str, str, str, int]


@pytest.mark.parametrize(
    ("name", "asked", "said"),
    [
        ("small.pb", {"outputs": ("logits",)}, "its ends are image_input:0 and Identity:0"),
        ("small.keras", {"size": (32, 32)}, "size: the network has 64x64 in image_input"),
        ("small.keras", {"dynamic": "size"}, "dynamic: size, but the network has 64x64 fixed"),
        ("small.keras", {"network": "a:b"}, "network: expected with weights of PyTorch"),
        ("broken/saved_model.pb", {}, "name its folder"),
        ("broken.keras", {}, "keras refuses it"),
        ("broken.pb", {}, "expected a frozen graph"),
        ("broken.tflite", {}, "litert refuses"),
    ],
)
def test_refusals(
    source: Callable[[str], Path], tmp_path: Path, name: str, asked: dict[str, Any], said: str
) -> None:
    if name.startswith("broken"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"\x00\xffno network at all")
    path = tmp_path / name if name.startswith("broken") else source(name)
    ask = Asked(source=str(path), name="made", out=tmp_path / "out", labels=("face",), **asked)
    with pytest.raises((ValueError, RuntimeError), match="(?s)" + said):
        import_model(ask)
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


def test_another_backend_of_keras_is_named(
    source: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = source("small.keras")
    import keras

    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    ask = Asked(source=str(path), name="made", out=tmp_path / "out")
    with pytest.raises(ConvertError, match="KERAS_BACKEND: expected tensorflow, got jax"):
        import_model(ask)
