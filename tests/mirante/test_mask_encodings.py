"""Masks to bytes and back, by each encoding; hostile bytes cost an error and no memory."""

import json
import os
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mirante import Mask
from mirante.wire import WireError, rle
from mirante.wire.masks import ENCODINGS, decode_mask, encode_mask
from mirante.wire.messages import MaskEncoding, MaskPart
from tests.support import SHARED
from tests.support.images import decode_image
from tests.support.wire_frames import lane_planes

LOSSLESS = ["bits", "rle", "png"]
SIZES = [(1, 1), (1, 8), (8, 1), (2, 7), (3, 9), (5, 16), (17, 31), (36, 65)]
MODELS = Path(os.environ.get("MIRANTE_MODEL_MIRROR", SHARED / "models"))


def patterns(height: int, width: int) -> list[NDArray[np.bool_]]:
    """Planes that are empty, full, one pixel, stripes, noise; two at a time."""
    rng = np.random.default_rng(height * 1000 + width)
    pixel = np.zeros((height, width), bool)
    pixel[-1, -1] = True
    stripes = np.indices((height, width)).sum(0) % 2 == 0
    empty, full = np.zeros_like(pixel), np.ones_like(pixel)
    noise = rng.random((height, width)) < 0.5
    sparse = rng.random((height, width)) < 0.02
    return [np.stack(p) for p in ((empty, full), (pixel, stripes), (noise, sparse), (full, ~pixel))]


def there_and_back(
    planes: NDArray[np.bool_], encoding: MaskEncoding
) -> tuple[Mask, MaskPart, bytes]:
    height, width = planes.shape[1:]
    labels = tuple(f"p{i}" for i in range(len(planes)))
    mask = Mask.from_planes(labels, planes, (0, 0, width, height))
    part, data = encode_mask(mask, 0, encoding)
    return decode_mask(part, data), part, data


@pytest.mark.parametrize("encoding", LOSSLESS)
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_lossless(encoding: MaskEncoding, height: int, width: int) -> None:
    for planes in patterns(height, width):
        back, _, _ = there_and_back(planes, encoding)
        np.testing.assert_array_equal(back.planes, planes)


@pytest.mark.parametrize("encoding", LOSSLESS)
def test_planes_of_many_shapes_survive(encoding: MaskEncoding) -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        count, height, width = rng.integers(1, 5), *rng.integers(1, 70, 2)
        planes = rng.random((count, height, width)) < rng.random()
        back, _, _ = there_and_back(planes, encoding)
        np.testing.assert_array_equal(back.planes, planes)


def test_polygons_keep_shapes_and_lose_only_their_border() -> None:
    planes = np.zeros((3, 60, 81), bool)
    planes[0, 10:50, 20:61] = True
    planes[0, 20:40, 30:51] = False  # a hole
    planes[1] = cv2.circle(np.zeros((60, 81), np.uint8), (40, 30), 25, 1, -1)
    back, part, data = there_and_back(planes, "polygon")
    assert part.encoding == "polygon"
    assert not back.planes[2].any()
    for plane, got in zip(planes[:2].astype(np.uint8), back.planes, strict=False):
        border = cv2.morphologyEx(plane, cv2.MORPH_GRADIENT, np.ones((5, 5)))
        assert not ((got != plane) & (border == 0)).any()
        assert (got != plane).mean() < 0.02
    assert all(len(outline) % 2 == 0 for plane in json.loads(data) for outline in plane)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_polygons_of_hard_planes_stay_inside_them(height: int, width: int) -> None:
    for planes in patterns(height, width):
        back, _, _ = there_and_back(planes, "polygon")
        near = [cv2.dilate(p.astype(np.uint8), np.ones((5, 5))).astype(bool) for p in planes]
        assert not (back.planes & ~np.stack(near)).any()


# What pycocotools 2.0.11 makes of these: mask.encode(np.asfortranarray(plane)).
COCO = [
    (np.zeros((3, 4), bool), "<"),
    (np.ones((3, 4), bool), "0<"),
    (np.eye(5, 6, dtype=bool), "01500000000"),
    (np.pad(np.ones((200, 3), bool), ((0, 300), (100, 70))), r"`j`1X6\9000hUR1"),
    (np.indices((12, 9)).sum(0) % 7 < 3, "0340NO21ON1240LNO21ON120M030M030NO21O"),
]


@pytest.mark.parametrize(("plane", "text"), COCO)
def test_rle_is_that_of_coco(plane: NDArray[np.bool_], text: str) -> None:
    _, _, data = there_and_back(plane[None], "rle")
    assert json.loads(data) == [{"size": list(plane.shape), "counts": text}]


def test_rle_counts_of_every_length_survive() -> None:
    runs = np.array([0, 1, 15, 16, 31, 32, 511, 512, 2**20, 3, 2**27, 1], np.int64)
    np.testing.assert_array_equal(rle.unpack(rle.pack(runs)), runs)


def test_png_is_a_picture_for_anyone() -> None:
    planes = lane_planes()
    _, _, data = there_and_back(planes, "png")
    picture = decode_image(data, cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(picture > 0, np.concatenate(list(planes)))


@pytest.mark.parametrize("encoding", ["bits", "png"])
def test_a_lane_mask_is_under_a_hundredth_of_its_pixels(encoding: MaskEncoding) -> None:
    planes = lane_planes()[:1]
    _, _, data = there_and_back(planes, encoding)
    assert len(data) <= planes.size * 0.01


@pytest.mark.models
@pytest.mark.slow
@pytest.mark.skipif(
    not (MODELS / "twinlitenet_bdd100k_360x640.onnx").exists()
    or not (MODELS.parent / "clips/lanes.mp4").exists(),
    reason="needs twinlitenet and lanes.mp4 beside the repository",
)
def test_a_real_lane_mask_is_under_a_hundredth_of_its_pixels() -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(MODELS / "twinlitenet_bdd100k_360x640.onnx"))
    _, picture = cv2.VideoCapture(str(MODELS.parent / "clips/lanes.mp4")).read()
    tensor = cv2.resize(picture, (640, 360))[:, :, ::-1].transpose(2, 0, 1) / np.float32(255)
    [lane] = session.run(["lane_line"], {"images": np.ascontiguousarray(tensor[None])})
    plane = lane.argmax(1).astype(bool)
    assert 0.005 < plane.mean() < 0.2
    back, _, data = there_and_back(plane, "bits")
    np.testing.assert_array_equal(back.planes, plane)
    assert len(data) <= plane.size * 0.01


@pytest.mark.parametrize("encoding", list(ENCODINGS))
def test_bytes_cut_short_are_refused(encoding: MaskEncoding) -> None:
    _, part, data = there_and_back(lane_planes(36, 64), encoding)
    for keep in (0, 1, len(data) // 2, len(data) - 1):
        with pytest.raises(WireError):
            decode_mask(part, data[:keep])


@pytest.mark.parametrize("encoding", list(ENCODINGS))
def test_damaged_bytes_never_do_worse_than_an_error(encoding: MaskEncoding) -> None:
    _, part, data = there_and_back(lane_planes(36, 64), encoding)
    rng = np.random.default_rng(3)
    for _ in range(300):
        damaged = bytearray(data)
        for at in rng.integers(0, len(data), rng.integers(1, 4)):
            damaged[at] = rng.integers(0, 256)
        try:
            assert decode_mask(part, bytes(damaged)).planes.shape == (2, 36, 64)
        except WireError:
            continue


@pytest.mark.parametrize("encoding", ["bits", "png"])
def test_a_zlib_bomb_takes_no_more_memory_than_the_mask_it_says_to_be(
    encoding: MaskEncoding,
) -> None:
    _, part, data = there_and_back(np.zeros((1, 8, 8), bool), encoding)
    bomb = zlib.compress(bytes(16 << 20), 1)
    if encoding == "png":
        size = len(bomb).to_bytes(4, "big")
        crc = zlib.crc32(b"IDAT" + bomb).to_bytes(4, "big")
        bomb = data[:33] + size + b"IDAT" + bomb + crc + data[-12:]
    tracemalloc.start()
    try:
        with pytest.raises(WireError, match="got more"):
            decode_mask(part, bomb)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("labels", "size", "words"),
    [
        ([], (8, 8), "1 to 256 planes, got 0"),
        (["a"] * 300, (8, 8), "got 300"),
        (["a"], (20_000, 8), "sides up to 16384"),
        (["a"] * 9, (16_384, 16_384), "over 64 MiB"),
    ],
)
def test_a_mask_that_says_too_much_is_refused_before_it_is_read(
    labels: list[str], size: tuple[int, int], words: str
) -> None:
    _, part, data = there_and_back(np.zeros((1, 8, 8), bool), "bits")
    said = {name: getattr(part, name) for name in part.__struct_fields__}
    with pytest.raises(WireError, match=words):
        decode_mask(type(part)(**(said | {"labels": labels, "size": size})), data)


@pytest.mark.parametrize(
    ("encoding", "data", "words"),
    [
        ("bits", zlib.compress(bytes(7)), "expected 8 bytes"),
        ("bits", b"no zlib", "damaged zlib"),
        ("rle", b'[{"size":[8,8],"counts":"P"}]', "cut short"),
        ("rle", b'[{"size":[8,8],"counts":"1"}]', "sum to 64, got 1"),
        ("rle", b'[{"size":[8,9],"counts":"1"}]', "size"),
        ("rle", b'[{"size":[8,8],"counts":"\xc3\xa9"}]', "characters"),
        ("rle", b'[{"size":[8,8],"counts":"PPPPPPPPP1"}]', "more than 7"),
        ("rle", b'[{"size":[8,8],"counts":"O"}]', "runs of 0 or more"),
        ("rle", b"[]", "expected 1 planes"),
        ("png", b"GIF89a", "PNG signature"),
        ("polygon", b"[]", "expected 1 planes, got 0"),
        ("polygon", b"[[[1,2,3]]]", "3 numbers"),
        ("polygon", b"[[[1,2,8,3]]]", "outside of 8x8"),
        ("polygon", b"[[[-1,2,3,3]]]", "outside of 8x8"),
        ("polygon", json.dumps([[[0, 0, 7, 7] * 500]]).encode(), "outlines of"),
    ],
)
def test_what_is_wrong_is_said(encoding: MaskEncoding, data: bytes, words: str) -> None:
    _, part, _ = there_and_back(np.zeros((1, 8, 8), bool), encoding)
    with pytest.raises(WireError, match=words):
        decode_mask(part, data)


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(WireError, match=r"expected one of bits, rle, png, polygon, got 'gif'"):
        encoding: Any = "gif"
        there_and_back(np.zeros((1, 8, 8), bool), encoding)
