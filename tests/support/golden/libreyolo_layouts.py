"""Writes libreyolo.npz: outputs of libreyolo's exports, and what its own decoders make of them.

    PYTHONPATH=tests/engines python tests/support/golden/libreyolo_layouts.py

needs libreyolo 1.6 (MIT, https://github.com/LibreYOLO/libreyolo), torch and torchvision, which the
tests do not. The weights are random, so that all scores would be alike: names, shapes and boxes are
the export's, its scores are exchanged for noise before libreyolo decodes them. Three classes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import libreyolo
import numpy as np
import torch
from libreyolo.postprocess import darknet_yolo, picodet, ssd

from tests.support import raw_heads

CLASSES = raw_heads.CLASSES
CONFIDENCE = {"SSD raw": 0.94, "YOLOv1 grid": 0.7}  # where it is not 0.3
# libreyolo cuts boxes at the image's edges before it suppresses, and those of random weights
# reach far over them: where they do, nothing is suppressed.
IOU = {"YOLOX": 0.5}
# Class of libreyolo, variant, side of the input, classes, kind of its outputs.
EXPORTS = {
    "YOLOX": ("LibreYOLOX", "n", 96, CLASSES, "objectness"),
    "YOLO9": ("LibreYOLO9", "t", 96, CLASSES, "first"),
    "PicoDet": ("LibrePICODET", "s", 96, CLASSES, "last"),
    "YOLO-NAS": ("LibreYOLONAS", "s", 96, CLASSES, "pair"),
    "RT-DETRv2": ("LibreRTDETRv2", "r18", 640, CLASSES, "queries"),
    "D-FINE": ("LibreDFINE", "n", 640, CLASSES, "queries"),
    "DETR": ("LibreDETR", "r50", 96, CLASSES, "queries"),
}


def noisy(outputs: list[Any], kind: str, seed: int) -> list[Any]:
    """The outputs with noise for scores, and for the boxes of queries."""
    random = np.random.default_rng(seed)
    found = [np.array(output, np.float32) for output in outputs]

    def chances(shape: tuple[int, ...]) -> Any:
        return (random.random(shape) ** 3).astype(np.float32)

    if kind == "objectness":
        found[0][..., 4:] = chances(found[0][..., 4:].shape) ** 0.5
    elif kind == "first":
        found[0][:, 4:] = chances(found[0][:, 4:].shape)
    elif kind == "last":
        found[0][..., 4:] = chances(found[0][..., 4:].shape)
    elif kind == "pair":
        found[1] = chances(found[1].shape)
    else:
        found[0] = random.normal(-2, 2, found[0].shape).astype(np.float32)
        centre, size = random.random((2, 1, found[1].shape[1], 2))
        found[1] = np.concatenate([centre, 0.05 + size * 0.3], axis=2).astype(np.float32)
    return found


def of_export(name: str, folder: Path) -> dict[str, Any]:
    """Arrays of one family by the keys of the file."""
    family, variant, side, classes, kind = EXPORTS[name]
    torch.manual_seed(0)
    net = getattr(libreyolo, family)(None, size=variant, nb_classes=classes, device="cpu")
    path = net.export("onnx", output_path=str(folder / f"{name}.onnx"), imgsz=side)
    backend = libreyolo.OnnxBackend(str(path), nb_classes=classes, device="cpu")
    given: list[Any] = []
    run = backend._run_inference

    def watched(blob: Any) -> list[Any]:
        given[:] = noisy(run(blob), kind, len(name))
        return [array.copy() for array in given]

    backend._run_inference = watched
    picture = np.random.default_rng(1).integers(0, 255, (side, side, 3), np.uint8)
    boxes = backend(
        picture, conf=CONFIDENCE.get(name, 0.3), iou=IOU.get(name, 1.0), max_det=1000
    ).boxes
    arrays = {f"{name}/out/{n}": a for n, a in zip(backend.output_names, given, strict=True)}
    return arrays | told(name, side, classes, boxes.xyxy, boxes.conf, boxes.cls)


def told(name: str, side: int, classes: int, xyxy: Any, score: Any, class_id: Any) -> Any:
    """What there is besides the outputs."""
    return {
        f"{name}/xyxy": np.asarray(xyxy, np.float32).reshape(-1, 4),
        f"{name}/score": np.asarray(score, np.float32),
        f"{name}/class": np.asarray(class_id, np.int32),
        f"{name}/size": np.array([side, side, classes], np.int32),
        f"{name}/confidence": np.float32(CONFIDENCE.get(name, 0.3)),
        f"{name}/iou": np.float32(IOU.get(name, 1.0)),
    }


def of_raw_heads() -> dict[str, Any]:
    """What libreyolo makes of heads of noise."""
    tensors = {name: torch.from_numpy(array) for name, array in raw_heads.ssd().items()}
    heads = {"bbox_regression": tensors["boxes"], "cls_logits": tensors["scores"]}
    limits = {"conf_thres": CONFIDENCE["SSD raw"], "iou_thres": 1.0, "max_det": 1000}
    found = {"SSD raw": (ssd.postprocess(heads, **limits, topk_candidates=10_000), CLASSES)}
    limits["conf_thres"] = 0.3
    levels = [torch.from_numpy(array) for array in raw_heads.picodet().values()]
    found["PicoDet raw"] = (
        picodet.postprocess((levels[::2], levels[1::2]), input_size=96, **limits),
        CLASSES,
    )
    limits["conf_thres"] = CONFIDENCE["YOLOv1 grid"]
    flat = torch.from_numpy(raw_heads.yolov1()["output"])
    spec = SimpleNamespace(
        kind="detection", side=7, boxes_per_cell=2, num_classes=20, coords=4, softmax=False,
        sqrt=True,
    )  # fmt: skip
    found["YOLOv1 grid"] = (darknet_yolo.postprocess([flat], [spec], input_size=448, **limits), 20)
    arrays: dict[str, Any] = {}
    for name, (boxes, classes) in found.items():
        side = raw_heads.SIZES[name]
        arrays |= told(name, side, classes, boxes["boxes"], boxes["scores"], boxes["classes"])
        print(name, len(boxes["scores"]), "boxes")
    return arrays


def main() -> None:
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in EXPORTS:
            found |= of_export(name, Path(folder))
            print(name, len(found[f"{name}/score"]), "boxes")
    found |= of_raw_heads()
    np.savez_compressed(Path(__file__).with_name("libreyolo.npz"), **found)


if __name__ == "__main__":
    main()
