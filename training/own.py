"""Networks of this project as PyTorch modules again, from their exported files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engines.convert import ConvertError, library

_BACKBONE = 32  # channels of the backbone's first layer at width 1


def is_own(path: Path) -> bool:
    """Return whether an ONNX file holds one of our networks, by the names of its weights."""
    library("torch", "train")
    from training.recipes.export import stored_weights

    names = stored_weights(path)
    return "backbone.features.0.0.weight" in names and (
        "logits.weight" in names or "heads.0.scores.weight" in names
    )


def rebuild(path: Path) -> Any:
    """The module of an exported file, its weights loaded: (1, 3, h, w) in, as the file's output.

    Returns:
        The module; None where the file is not one of this project's networks.

    Raises:
        ConvertError: the file is one of them, and damaged.
    """
    library("torch", "train")
    from training.nets.unet import UNet
    from training.nets.yolo import Columns, Yolo
    from training.recipes.export import stored_weights

    if not is_own(path):
        return None
    weights = stored_weights(path)
    width = weights["backbone.features.0.0.weight"].shape[0] / _BACKBONE
    network: Any
    if "logits.weight" in weights:
        ups = _count(weights, r"up\.(\d+)\.")
        widths = tuple(int(weights[f"up.{i}.narrow.0.weight"].shape[0]) for i in range(ups))
        depth = _count(weights, r"up\.0\.convolve\.(\d+)\.")
        planes = int(weights["logits.weight"].shape[0])
        network = UNet(planes, widths, depth, width)
    else:
        classes, neck = (int(n) for n in weights["heads.0.scores.weight"].shape[:2])
        network = Yolo(classes, width, neck, _count(weights, r"heads\.0\.box\.(\d+)\."))
    try:
        missing = network.load_state_dict(weights, strict=False).missing_keys
        if missing := [key for key in missing if not key.endswith("num_batches_tracked")]:
            raise RuntimeError(f"it has no {', '.join(missing)}")
    except RuntimeError as error:
        raise ConvertError(f"{path}: not one of this project's networks: {error}") from error
    return (network if "logits.weight" in weights else Columns(network)).eval()


def _count(weights: Mapping[str, Any], pattern: str) -> int:
    return 1 + max(int(m[1]) for name in weights if (m := re.match(pattern, name)))
