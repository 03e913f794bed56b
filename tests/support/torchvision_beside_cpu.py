"""torchvision beside a PyTorch that it was not built for: its operators, in Python.

The wheel's compiled operators are for one build of PyTorch, and without them it cannot even be
imported. Networks of convolutions need none of them; the two that a two-stage detector needs are
written here, for batches of test size.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

_IGNORED = (
    "_roi_align_backward",
    "ps_roi_align",
    "_ps_roi_align_backward",
    "roi_pool",
    "_roi_pool_backward",
    "ps_roi_pool",
    "_ps_roi_pool_backward",
    "deform_conv2d",
    "_deform_conv2d_backward",
)
_NMS = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_ALIGN = (
    "(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, "
    "int sampling_ratio, bool aligned) -> Tensor"
)


def nms(dets: Any, scores: Any, iou_threshold: float) -> Any:
    """Indices of the boxes that no better one overlaps by more: greedy, best first."""
    order = scores.argsort(descending=True)
    low, high = dets[order, :2], dets[order, 2:]
    area = (high - low).clamp(min=0).prod(1)
    shared = torch.minimum(high[:, None], high) - torch.maximum(low[:, None], low)
    both = shared.clamp(min=0).prod(2)
    overlap = both / (area[:, None] + area - both)
    kept = torch.ones(len(order), dtype=torch.bool)
    for i in range(len(order)):
        if kept[i]:
            kept[i + 1 :] &= ~(overlap[i, i + 1 :] > iou_threshold)
    return order[kept]


def roi_align(
    input: Any,
    rois: Any,
    spatial_scale: float,
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
    aligned: bool,
) -> Any:
    """(n, channels, pooled_height, pooled_width): means of bilinear samples (Mask R-CNN, 2017)."""
    assert sampling_ratio > 0
    shift = 0.5 if aligned else 0.0
    found = []
    for roi in rois:
        left, top, right, bottom = (roi[1:] * spatial_scale - shift).tolist()
        width, height = right - left, bottom - top
        if not aligned:
            width, height = max(width, 1.0), max(height, 1.0)
        x = _samples(left, width, pooled_width, sampling_ratio)
        y = _samples(top, height, pooled_height, sampling_ratio)
        sampled = _bilinear(input[int(roi[0])], y, x)
        shape = (-1, pooled_height, sampling_ratio, pooled_width, sampling_ratio)
        found.append(sampled.reshape(shape).mean((2, 4)))
    return torch.stack(found) if found else input.new_zeros(0, input.shape[1], 1, 1)


def _samples(start: float, length: float, bins: int, ratio: int) -> Any:
    return start + (torch.arange(bins * ratio) + 0.5) * (length / (bins * ratio))


def _bilinear(picture: Any, y: Any, x: Any) -> Any:
    height, width = picture.shape[1:]
    inside = ((y >= -1) & (y <= height))[:, None] & ((x >= -1) & (x <= width))
    y, x = y.clamp(0, height - 1), x.clamp(0, width - 1)
    top, left = y.floor().long(), x.floor().long()
    bottom, right = (top + 1).clamp(max=height - 1), (left + 1).clamp(max=width - 1)
    down, across = (y - top)[:, None], x - left
    upper = picture[:, top][..., left] * (1 - across) + picture[:, top][..., right] * across
    lower = picture[:, bottom][..., left] * (1 - across) + picture[:, bottom][..., right] * across
    return (upper * (1 - down) + lower * down) * inside


def _define() -> Any:
    library = torch.library.Library("torchvision", "DEF")
    library.define(f"nms{_NMS}")
    library.define(f"qnms{_NMS}")
    library.define(f"roi_align{_ALIGN}")
    for name in _IGNORED:
        library.define(f"{name}(Tensor x) -> Tensor")
    library.impl("nms", nms, "CPU")
    library.impl("roi_align", roi_align, "CPU")
    return library


def _has_ops() -> bool:
    return True


if importlib.util.find_spec("torchvision") is None:
    pytest.skip("torchvision is not installed", allow_module_level=True)
try:
    import torchvision
except RuntimeError:  # its own operators did not load
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    LIBRARY = _define()
    import torchvision

    for name in [name for name in sys.modules if name.startswith("torchvision.")]:
        if hasattr(sys.modules[name], "_has_ops"):
            vars(sys.modules[name])["_has_ops"] = _has_ops

from torch import nn

__all__ = ["torchvision"]


class RCNN(nn.Module):
    """torchvision's two-stage detector for one image (1, 3, h, w), as Mirante feeds it."""

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, pictures: Any) -> Any:
        return self.detector([pictures[0]])[0]


class Levels(nn.Module):
    """A backbone of two feature maps: as few layers as a pyramid can have."""

    out_channels = 16

    def __init__(self) -> None:
        super().__init__()
        self.fine = self._halved(3, 4)
        self.coarse = self._halved(self.out_channels, 1)

    def _halved(self, channels: int, times: int) -> Any:
        layers: list[Any] = []
        for _ in range(times):
            layers += [
                nn.Conv2d(channels, self.out_channels, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(self.out_channels),
                nn.ReLU(),
            ]
            channels = self.out_channels
        return nn.Sequential(*layers)

    def forward(self, pictures: Any) -> Any:
        fine = self.fine(pictures)
        return {"fine": fine, "coarse": self.coarse(fine)}


def faster_rcnn() -> Any:
    """Random weights: what is proved is the way into ONNX, not what it finds."""
    from torchvision.models.detection import FasterRCNN
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
    from torchvision.ops import MultiScaleRoIAlign

    torch.manual_seed(1)
    backbone = Levels()
    detector = FasterRCNN(
        backbone,
        min_size=192,
        max_size=256,
        rpn_anchor_generator=AnchorGenerator(((32,), (64,)), ((0.5, 1.0, 2.0),) * 2),
        rpn_pre_nms_top_n_test=60,
        rpn_post_nms_top_n_test=20,
        box_roi_pool=MultiScaleRoIAlign(["fine", "coarse"], 7, 2),
        box_head=TwoMLPHead(backbone.out_channels * 7 * 7, 64),
        box_predictor=FastRCNNPredictor(64, 4),
        box_score_thresh=0.0,
        box_detections_per_img=10,
    )
    _set_norms(backbone, 192)
    with torch.no_grad():  # boxes near their anchors, scores apart from each other
        detector.rpn.head.cls_logits.weight *= 0.01
        detector.rpn.head.bbox_pred.weight *= 0.001
        detector.roi_heads.box_predictor.bbox_pred.weight *= 0.001
        detector.roi_heads.box_predictor.cls_score.weight *= 0.02
    return RCNN(detector)


def _set_norms(network: Any, size: int) -> None:
    """By what it sees: with all weights random, all outputs would be the same, or next to none."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    network.train()(torch.rand(8, 3, size, size))
    network.eval()


def mobilenet() -> Any:
    """MobileNetV3."""
    torch.manual_seed(0)
    network = torchvision.models.mobilenet_v3_small(num_classes=5)
    _set_norms(network, 64)
    return network


def vit() -> Any:
    """A vision transformer of two layers."""
    import timm

    torch.manual_seed(0)
    return timm.create_model(
        "vit_tiny_patch16_224", num_classes=5, img_size=64, depth=2, pretrained=False
    )


def smp_unet() -> Any:
    """U-Net of segmentation-models-pytorch, an encoder of its own."""
    import segmentation_models_pytorch as smp

    torch.manual_seed(0)
    return smp.Unet(
        "resnet18",
        encoder_depth=3,
        encoder_weights=None,
        decoder_channels=(16, 8, 8),
        classes=3,
    )


def segformer() -> Any:
    """SegFormer: a transformer that sees the image at four strides, and a head of MLPs."""
    import segmentation_models_pytorch as smp

    torch.manual_seed(0)
    return smp.Segformer(
        "mit_b0", encoder_weights=None, classes=3, decoder_segmentation_channels=32
    )
