"""Families of networks that are known by their outputs: how those who train them feed them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Triple = tuple[float, float, float]

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
_BGR_MEAN: Triple = (103.53, 116.28, 123.675)  # of 0..255
_BGR_STD: Triple = (57.375, 57.12, 58.395)
_TO_ONE = 1 / 255


@dataclass(frozen=True)
class Family:
    """The way in which authors feed networks of one layout.

    Attributes:
        says: its name.
        colour, scale, mean, std, resize, pad: as in a manifest's ``input``.
        labels: of networks that are published with these alone, by how many there are.
        keypoints: the table of their key points; empty where they have none.
    """

    says: str
    colour: str = "rgb"
    scale: float = _TO_ONE
    mean: Triple = (0, 0, 0)
    std: Triple = (1, 1, 1)
    resize: str = "stretch"
    pad: int | None = None
    labels: tuple[str, ...] = field(default=())
    keypoints: str = ""

    def keys(self) -> dict[str, Any]:
        """Return what it says of a manifest's ``input``."""
        found: dict[str, Any] = {
            "colour": self.colour,
            "scale": self.scale,
            "mean": self.mean,
            "std": self.std,
            "resize": self.resize,
        }
        return found if self.pad is None else found | {"pad": self.pad}


FAMILIES: Mapping[str, Family] = {
    "yolo": Family("YOLOv5, v8 and their heirs", resize="letterbox-centre", pad=114),
    "yolop": Family(
        "YOLOP", mean=IMAGENET_MEAN, std=IMAGENET_STD, resize="letterbox-centre", pad=114
    ),
    "yolox": Family("YOLOX", "bgr", 1.0, resize="letterbox-top-left", pad=114),
    "yunet": Family(
        "YuNet", "bgr", 1.0, resize="letterbox-top-left", pad=0, labels=("face",), keypoints="face5"
    ),
    "movenet": Family(
        "MoveNet",
        scale=1.0,
        resize="letterbox-centre",
        pad=0,
        labels=("person",),
        keypoints="coco17",
    ),
    "simcc": Family("SimCC and RTMPose", mean=IMAGENET_MEAN, std=IMAGENET_STD),
    "yolact": Family("YOLACT", scale=1.0, mean=(123.68, 116.78, 103.94), std=(58.4, 57.12, 57.38)),
    "nanodet": Family("NanoDet", "bgr", 1.0, _BGR_MEAN, _BGR_STD, "letterbox-centre", 0),
    "nanodet-plus": Family("NanoDet-Plus", "bgr", 1.0, _BGR_MEAN, _BGR_STD),
    "picodet": Family("PicoDet", mean=IMAGENET_MEAN, std=IMAGENET_STD),
    "tensorflow": Family("SSD of TensorFlow", scale=1 / 127.5, mean=(1, 1, 1)),
    "ultraface": Family(
        "Ultra-Light-Fast faces", scale=1 / 128, mean=(127 / 128,) * 3, labels=("face",)
    ),
    "facemask": Family("AIZOO face masks", labels=("mask", "no mask")),
    "retinaface": Family("RetinaFace", "bgr", 1.0, (104, 117, 123), labels=("face",)),
    "detr": Family("DETR", mean=IMAGENET_MEAN, std=IMAGENET_STD),
    "rf-detr": Family("RF-DETR", mean=IMAGENET_MEAN, std=IMAGENET_STD),
}
