"""Masks entries and bundles of the live hub, made and read by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from mirante import FrameResult, Mask
from mirante.wire import encode


def band(width: int = 150, height: int = 90) -> Mask:
    """Two planes whose edges are straight, so that polygons keep them."""
    planes = np.zeros((2, height, width), bool)
    planes[0, 20:60, 30:120] = True
    planes[1, 70:80, 5:145] = True
    return Mask.from_planes(("lane", "road"), planes, (0, 0, 640, 360), "two")


def masks_entry(encoding: Any, *masks: Mask) -> dict[bytes, bytes]:
    """Fields of a ``masks`` entry."""
    result = FrameResult("gate", 2, 1, 0, "arrival", 640, 360, masks=masks)
    coded = encode(result, encoding).masks
    assert coded
    return {field.encode(): data for field, data in coded.items()}


def unpacked(message: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """As ``frame.js`` reads it."""
    at = 4 + int.from_bytes(message[:4], "big")
    header = json.loads(message[4:at])
    parts = []
    for size in header.get("parts", []):
        parts.append(message[at : at + size])
        at += size
    assert at == len(message)
    return header, parts
