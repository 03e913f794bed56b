from __future__ import annotations

from itertools import product
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engines.manifest import Input
from engines.placement import Placement, around, place, place_region
from engines.preprocess import Preprocessor

RESIZES = ("stretch", "letterbox-top-left", "letterbox-centre")
SCALINGS: tuple[dict[str, Any], ...] = (
    {},
    {"scale": 1 / 255},
    {"scale": 1 / 255, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
)
FLOAT = np.dtype(np.float32)


def picture(width: int, height: int) -> NDArray[np.uint8]:
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)


def naive(rgb: NDArray[np.uint8], spec: Input, at: Placement) -> NDArray[np.float64]:
    """The same tensor by whole-array float64 arithmetic."""
    left, top, right, bottom = at.content
    canvas = np.full((at.size[1], at.size[0], 3), spec.pad, np.uint8)
    canvas[top:bottom, left:right] = cv2.resize(rgb, (right - left, bottom - top))
    if spec.colour == "bgr":
        canvas = canvas[..., ::-1]
    tensor = (canvas.astype(np.float64) * spec.scale - spec.mean) / spec.std
    return (tensor.transpose(2, 0, 1) if spec.layout == "nchw" else tensor)[None]


@pytest.mark.parametrize(
    ("layout", "colour", "resize", "scaling"),
    list(product(("nchw", "nhwc"), ("rgb", "bgr"), RESIZES, SCALINGS)),
)
def test_every_input_equals_the_naive_one(
    layout: str, colour: str, resize: str, scaling: dict[str, Any]
) -> None:
    spec = Input.model_validate(
        {"name": "x", "size": (48, 40), "layout": layout, "colour": colour, "resize": resize}
        | scaling
    )
    preprocess = Preprocessor(spec, FLOAT)
    for size in ((100, 50), (48, 40), (30, 90)):
        tensor, at = preprocess.frame(picture(*size))
        expected = naive(picture(*size), spec, at)
        assert tensor.dtype == FLOAT
        assert tensor.flags.c_contiguous
        np.testing.assert_allclose(tensor, expected, atol=1e-5 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("size", [(48, 40), (96, 80)])
def test_rows_of_a_buffer_may_be_padded(layout: str, size: tuple[int, int]) -> None:
    spec = Input.model_validate({"name": "x", "size": (48, 40), "layout": layout})
    rgb = picture(*size)
    buffer = np.zeros((size[1], size[0] * 3 + 5), np.uint8)
    buffer[:, : size[0] * 3] = rgb.reshape(size[1], -1)
    view = np.lib.stride_tricks.as_strided(buffer, rgb.shape, (buffer.strides[0], 3, 1))
    view.flags.writeable = False
    padded, _ = Preprocessor(spec, FLOAT).frame(view)
    plain, _ = Preprocessor(spec, FLOAT).frame(rgb)
    np.testing.assert_array_equal(padded, plain)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("scaling", [{}, {"scale": 1 / 255, "mean": 0.5, "std": [0.25]}])
def test_grey_is_the_luma_of_rec_601(layout: str, resize: str, scaling: dict[str, Any]) -> None:
    spec = Input.model_validate(
        {"name": "x", "size": (48, 40), "layout": layout, "colour": "grey", "resize": resize}
        | scaling
    )
    preprocess = Preprocessor(spec, FLOAT)
    for size in ((100, 50), (48, 40), (30, 90)):
        rgb = picture(*size)
        tensor, at = preprocess.frame(rgb)
        left, top, right, bottom = at.content
        canvas = np.full((40, 48, 3), spec.pad, np.float64)
        canvas[top:bottom, left:right] = cv2.resize(rgb, (right - left, bottom - top))
        luma = canvas @ [0.299, 0.587, 0.114]
        expected = (luma * spec.scale - spec.mean[0]) / spec.std[0]
        assert tensor.shape == ((1, 1, 40, 48) if layout == "nchw" else (1, 40, 48, 1))
        level = spec.scale / spec.std[0]
        np.testing.assert_allclose(tensor.reshape(40, 48), expected, atol=0.51 * level)


def test_grey_of_a_region_and_of_pixels() -> None:
    spec = Input.model_validate({"name": "x", "size": (16, 16), "colour": "grey"})
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[..., 1] = 200
    tensor, _ = Preprocessor(spec, np.dtype(np.uint8)).region(rgb, (8.0, 8.0, 40.0, 40.0))
    assert tensor.shape == (1, 1, 16, 16)
    assert np.unique(tensor).tolist() == [117]  # 0.587 * 200


def test_one_value_stands_for_all_channels() -> None:
    one, three = (
        Input.model_validate({"name": "x", "size": (48, 40), "mean": mean, "std": 2})
        for mean in (5, [5, 5, 5])
    )
    tensors = [Preprocessor(spec, FLOAT).frame(picture(48, 40))[0] for spec in (one, three)]
    np.testing.assert_array_equal(tensors[0], tensors[1])


def test_the_tensor_is_allocated_once_and_its_padding_stays() -> None:
    spec = Input(name="x", size=(32, 32), resize="letterbox-centre", scale=1 / 255)
    preprocess = Preprocessor(spec, FLOAT)
    first, at = preprocess.frame(picture(64, 32))
    second, _ = preprocess.frame(255 - picture(64, 32))
    assert first is second
    assert at.content == (0, 8, 32, 24)
    np.testing.assert_allclose(second[0, :, :8], 114 / 255, rtol=1e-6)
    np.testing.assert_allclose(second[0, :, 24:], 114 / 255, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.uint8])
def test_other_types_of_tensor(dtype: type[np.generic]) -> None:
    spec = Input(name="x", size=(48, 40))
    tensor, _ = Preprocessor(spec, np.dtype(dtype)).frame(picture(48, 40))
    assert tensor.dtype == dtype
    np.testing.assert_array_equal(tensor[0].transpose(1, 2, 0), picture(48, 40))


def test_what_no_tensor_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="expected float32, float16, uint8 or int32, got int64"):
        Preprocessor(Input(name="x", size=(48, 40)), np.dtype(np.int64))
    with pytest.raises(ValueError, match="expected scale, mean, std 1, 0, 1 for uint8"):
        Preprocessor(Input(name="x", size=(48, 40), scale=1 / 255), np.dtype(np.uint8))
    with pytest.raises(ValueError, match="expected scale, mean, std 1, 0, 1 for int32"):
        Preprocessor(Input(name="x", size=(48, 40), scale=1 / 255), np.dtype(np.int32))


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_whole_pixels_are_fed_as_they_are(dtype: type) -> None:
    rgb = picture(48, 40)
    spec = Input(name="x", size=(48, 40), layout="nhwc")
    tensor, _ = Preprocessor(spec, np.dtype(dtype)).frame(rgb)
    assert tensor.dtype == dtype
    np.testing.assert_array_equal(tensor[0], rgb)


def test_a_region_is_what_a_resized_slice_is() -> None:
    spec = Input(name="x", size=(40, 40), layout="nhwc")
    rgb = np.asarray(cv2.GaussianBlur(picture(160, 120), (0, 0), 3), np.uint8)
    tensor, at = Preprocessor(spec, FLOAT).region(rgb, (20.0, 10.0, 100.0, 90.0))
    expected = cv2.resize(rgb[10:90, 20:100], (40, 40), interpolation=cv2.INTER_LINEAR)
    assert np.abs(tensor[0] - expected).max() <= 1
    assert at.content == (0, 0, 40, 40)


def test_beyond_the_edge_a_region_repeats_it() -> None:
    spec = Input(name="x", size=(40, 40), layout="nhwc")
    rgb = picture(160, 120)
    tensor, at = Preprocessor(spec, FLOAT).region(rgb, (-20.0, -10.0, 20.0, 30.0))
    assert at.content == (20, 10, 40, 40)
    np.testing.assert_array_equal(tensor[0, 10:, 20:], rgb[:30, :20])
    np.testing.assert_array_equal(tensor[0, 10:, :20], np.repeat(rgb[:30, :1], 20, axis=1))
    np.testing.assert_array_equal(tensor[0, :10, 20:], np.repeat(rgb[:1, :20], 10, axis=0))


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("size", [(640, 352), (176, 144), (97, 311)])
def test_a_box_goes_into_the_tensor_and_back(resize: str, size: tuple[int, int]) -> None:
    at = place(size, (416, 320), resize)  # type: ignore[arg-type]
    corners = np.array([[0, 0, *size]], np.float32)
    inside = np.array([at.content], np.float32)
    np.testing.assert_allclose(at.to_picture(inside), corners, atol=1e-3)


@pytest.mark.parametrize(
    ("size", "tensor", "content"),
    [((640, 360), (320, 192), (320, 180)), ((360, 640), (192, 320), (180, 320))],
)
def test_a_dynamic_tensor_is_no_larger_than_the_picture_needs(
    size: tuple[int, int], tensor: tuple[int, int], content: tuple[int, int]
) -> None:
    at = place(size, (320, 320), "letterbox-top-left", 32)
    assert at.size == tensor
    assert at.content == (0, 0, *content)


def test_planes_lose_their_padding_and_cover_the_picture() -> None:
    at = place((640, 320), (64, 64), "letterbox-centre")
    planes = np.zeros((1, 64, 64), np.bool_)
    planes[0, 16:48] = True
    shown, region = at.without_padding(planes)
    assert shown.shape == (1, 32, 64)
    assert shown.all()
    assert region == (0, 0, 640, 320)


def test_a_coarse_cell_that_shows_some_of_the_picture_stays_whole() -> None:
    at = place((100, 60), (64, 64), "letterbox-top-left")
    assert at.content == (0, 0, 64, 38)
    shown, region = at.without_padding(np.ones((1, 8, 8), np.bool_))
    assert shown.shape == (1, 5, 8)
    np.testing.assert_allclose(region, (0, 0, 100, 40 / 38 * 60))


def test_a_region_over_the_edge_loses_what_is_outside() -> None:
    at = place_region((100, 100), (-50.0, 0.0, 50.0, 100.0), (20, 20))
    shown, region = at.without_padding(np.ones((1, 20, 20), np.bool_))
    assert shown.shape == (1, 20, 10)
    np.testing.assert_allclose(region, (0, 0, 50, 100))


def test_the_region_about_a_box_has_the_tensors_aspect() -> None:
    box = np.array([10, 20, 30, 60], np.float32)
    assert around(box, 1.5, (256, 256)) == (-10, 10, 50, 70)
    left, top, right, bottom = around(box, 1.0, (512, 256))
    assert (right - left, bottom - top) == (80, 40)
