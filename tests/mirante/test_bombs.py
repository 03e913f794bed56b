"""Small messages that would take much memory, or nest without end, are refused or cost little."""

from __future__ import annotations

import base64
import json
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest

from dashboard.api.result_stream import with_planes
from dashboard.live.bundle import make_bundle
from mirante.nesting import LEVELS, check_nesting
from mirante.wire import WireError, decode, rle

MIB = 1 << 20
SIDE = 16_384
HEAD = {
    "version": "1.2",
    "camera": "gate",
    "seq": 0,
    "epoch": 0,
    "ts": 1.0,
    "ts_source": "arrival",
    "size": [640, 360],
}
COUNTS = {"decoded": 1, "published": 1, "dropped": {}, "failed": 0}
BOX = {"label": "a", "class_id": 0, "score": 1, "bbox": [0, 0, 1, 1]}
DEEP = "[" * 100_000 + "]" * 100_000


def part(number: int, encoding: str, size: int = SIDE, field: str = "") -> dict[str, Any]:
    return {
        "field": field or f"m{number}",
        "labels": ["x"],
        "size": [size, size],
        "bbox": [0, 0, 1, 1],
        "encoding": encoding,
        "model": "m",
    }


def masks(parts: list[dict[str, Any]], **fields: bytes) -> dict[str, bytes]:
    return {"json": json.dumps({**HEAD, "masks": parts}).encode(), **fields}


def found(objects: list[dict[str, Any]], **more: Any) -> bytes:
    said = {**HEAD, "objects": objects, "timings": {}, "counts": COUNTS, **more}
    return json.dumps(said).encode()


def peak_mib(run: Any, *arguments: Any) -> float:
    tracemalloc.start()
    try:
        run(*arguments)
        return tracemalloc.get_traced_memory()[1] / MIB
    finally:
        tracemalloc.stop()


POLYGON = json.dumps([[[0, 0, SIDE - 1, SIDE - 1]]]).encode()
RUNS = rle.pack(np.array([5, SIDE * SIDE - 5], np.int64))
RLE = json.dumps([{"size": [SIDE, SIDE], "counts": RUNS}]).encode()


@pytest.mark.parametrize(("encoding", "data"), [("polygon", POLYGON), ("rle", RLE)])
def test_a_mask_is_never_unpacked_to_be_read(encoding: str, data: bytes) -> None:
    """32 MiB are its packed plane: unpacked it has 256."""
    assert len(data) < 100
    message = masks([part(0, encoding)], m0=data)
    assert peak_mib(decode, None, message) < 160


EDGES = json.dumps([[[0, 0, 0, 4095] * 600]]).encode()  # 12 bytes for 4096 pixels
SPARSE = [{**BOX, "keypoints": [[0, 0, 0]] * 2000}, *[BOX] * 2000]  # room for 4 million points
VECTORS = [{"field": "e0", "model": f"m{i}", "size": 60_000, "objects": [0]} for i in range(1000)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((None, masks([part(i, "polygon") for i in range(3)])), "3 masks with planes of 96 MiB"),
        ((None, masks([part(0, "bits", 8)] * 2, m0=b"")), "a field of its own for each mask"),
        ((None, masks([part(0, "polygon", 4096)], m0=EDGES)), "outlines of 4914000 pixels"),
        ((found(SPARSE),), "2001 with room for 2000 key points each"),
        ((found([BOX], embeddings=VECTORS), None, {"e0": bytes(120_000)}), "its own for each"),
        ((found([], size=[65_535, 65_535]),), "size: expected up to 268435456 pixels"),
        ((f'{{"objects": {DEEP}}}'.encode(),), "not a message"),
        ((f'{{"unknown": {DEEP}}}'.encode(),), "recursion"),
        ((None, masks([part(0, "polygon", 8)], m0=DEEP.encode())), "polygon: Expected `int`"),
        ((None, masks([part(0, "rle", 8)], m0=f'[{{"x": {DEEP}}}]'.encode())), "rle: .*recursion"),
    ],
)
def test_a_message_that_would_take_too_much_is_refused_in_words(
    arguments: tuple[Any, ...], words: str
) -> None:
    def refused() -> None:
        with pytest.raises(WireError, match=words):
            decode(*arguments)

    assert peak_mib(refused) < 24


def test_what_the_dashboard_makes_of_masks_is_bounded_too() -> None:
    big = zlib.compress(bytes(MIB))
    for fields in (
        masks([part(0, "bits", 8)] * 1000, m0=big),
        masks([part(i, "bits") for i in range(3)], m0=big),
    ):
        named = {name.encode(): value for name, value in fields.items()}
        with pytest.raises(WireError):
            with_planes(named)
        with pytest.raises(WireError):
            make_bundle("gate", b"", b"{}", named)
    named = {name.encode(): data for name, data in masks([part(0, "bits", 8)], m0=b"12").items()}
    assert with_planes(named)["masks"][0]["data"] == base64.b64encode(b"12").decode()


def test_nesting_is_counted_and_never_walked_by_calls() -> None:
    value: Any = {"a": [1, "inside"]}
    for _ in range(LEVELS - 2):
        value = [value, 2]
    check_nesting(value)
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ValueError, match="32 levels deep"):
        check_nesting([1, {"b": value}])
