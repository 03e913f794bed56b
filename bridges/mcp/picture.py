"""Draw what was found on an image, and hand both over as the protocol has it."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mcp_types import CallToolResult, ImageContent, TextContent

from bridges.mcp.facts import Facts
from mirante.detections import UNTRACKED, Detections
from mirante.frame import FrameResult
from pipeline.cli.drawn_result import draw_result

QUALITY = 85  # of a JPEG that was drawn on


def answer(facts: Facts, jpeg: bytes | None = None) -> CallToolResult:
    """Return facts as text and as structured content, and an image beside them."""
    text = TextContent(type="text", text=json.dumps(facts, ensure_ascii=False, indent=2))
    content: list[Any] = [text]
    if jpeg is not None:
        data = base64.b64encode(jpeg).decode()
        content.append(ImageContent(type="image", data=data, mime_type="image/jpeg"))
    return CallToolResult(content=content, structured_content=facts)


def with_boxes(jpeg: bytes, objects: Sequence[Facts], size: Sequence[int]) -> bytes:
    """Return an image with a box, class, track and score of each object.

    Args:
        jpeg: the image, of any size.
        objects: as in a detections message.
        size: width and height of the frame that their boxes are of, in pixels.

    Raises:
        ValueError: the image cannot be read.
    """
    bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ValueError(f"not a JPEG: {len(jpeg)} bytes")
    height, width = bgr.shape[:2]
    found = _detections(objects, (width / size[0], height / size[1]))
    result = FrameResult("", 0, 0, 0, "arrival", width, height, detections=found)
    drawn = draw_result(np.ascontiguousarray(bgr[:, :, ::-1], np.uint8), result)
    _, data = cv2.imencode(".jpg", drawn[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return data.tobytes()


def _detections(objects: Sequence[Facts], scale: tuple[float, float]) -> Detections:
    labels = tuple(sorted({each["label"] for each in objects}))
    corner = np.array([each["bbox"] for each in objects], np.float32).reshape(-1, 4)
    corner[:, 2:] += corner[:, :2]  # left, top, width, height
    return Detections(
        corner * np.array([*scale, *scale], np.float32),
        np.array([each["score"] for each in objects], np.float32),
        np.array([labels.index(each["label"]) for each in objects], np.int32),
        labels,
        np.array([each.get("track_id", UNTRACKED) for each in objects], np.int64),
    )
