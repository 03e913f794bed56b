from __future__ import annotations

import numpy as np

from mirante.mask import Mask
from pipeline.cli.pictures import colour_picture, plain_picture, shrink


def mask_of(*planes: list[str]) -> Mask:
    bits = np.array([[[c == "#" for c in row] for row in plane] for plane in planes])
    height, width = bits.shape[1:]
    labels = tuple(f"p{i}" for i in range(len(planes)))
    return Mask.from_planes(labels, bits, (0.0, 0.0, float(width), float(height)))


def test_half_blocks() -> None:
    planes = mask_of(["#.#.", "##..", "....", "...#"]).planes
    assert plain_picture(planes[0]) == ["█▄▀ ", "   ▄"]


def test_a_thin_line_survives_shrinking() -> None:
    planes = np.zeros((1, 360, 640), np.bool_)
    planes[0, :, 321] = True
    small = shrink(Mask.from_planes(("lane",), planes, (0, 0, 1280, 720)), 64)
    assert small.shape == (1, 36, 64)
    assert small[0].sum(axis=1).tolist() == [1] * 36
    assert small[0, :, 32].all()


def test_a_small_mask_is_enlarged_in_the_shape_of_its_region() -> None:
    mask = mask_of(["#.", ".#"])
    assert plain_picture(shrink(mask, 4)[0]) == ["██  ", "  ██"]


def test_colours_of_planes_that_overlap() -> None:
    planes = mask_of(["##.", "##."], [".#.", "..#"]).planes
    assert colour_picture(planes) == ["[green]█[/][red on green]▀[/][red]▄[/]"]
