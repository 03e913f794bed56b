"""Views of images with masks, and masks by teachers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install torch")

import engines
from engines.files import read_rgb
from tests.support.images import read_image
from training.datasets import DatasetError, MaskPicture
from training.recipes.mask_teachers import combined, planes_by_teacher
from training.recipes.mask_views import Camera, MaskViews, collate_masks

SIZE = (96, 64)
STILL = Camera(scale=(1, 1), aspect=0, shift=0, turn_deg=0, light=0)


def drawn(folder: Path, count: int = 3) -> list[MaskPicture]:
    """White shapes on black, and beside each a mask of it."""
    random = np.random.default_rng(1)
    pictures = []
    for number in range(count):
        shape = np.zeros((100, 140), np.uint8)
        corners = random.integers((20, 15), (120, 85), (5, 2)).astype(np.int32)
        cv2.fillPoly(shape, [cv2.convexHull(corners)], 255)
        picture, mask = folder / f"{number}.png", folder / f"{number}_shape.png"
        cv2.imwrite(str(picture), cv2.merge([shape] * 3))
        cv2.imwrite(str(mask), shape)
        pictures.append(MaskPicture(picture, f"{number}", {"shape": mask}))
    return pictures


def views(folder: Path, camera: Camera, labels: Sequence[str] = ("shape",)) -> MaskViews:
    return MaskViews(drawn(folder), labels, SIZE, 3, camera)


def test_the_number_and_the_seed_say_all(tmp_path: Path) -> None:
    pictures = drawn(tmp_path)
    one, two = (MaskViews(pictures, ("shape",), SIZE, 3) for _ in range(2))
    for number in (0, 7, 40):
        for a, b in zip(one[number], two[number], strict=True):
            assert torch.equal(a, b)
    assert not torch.equal(one[0][0], MaskViews(pictures, ("shape",), SIZE, 4)[0][0])


def test_a_mask_stays_on_what_it_is_of(tmp_path: Path) -> None:
    """However it is turned, stretched, mirrored and cut, a white pixel is the shape's."""
    many = views(tmp_path, Camera(scale=(0.8, 2), turn_deg=25, shift=0.2, light=0))
    compared = 0
    for number in range(60):
        picture, wanted, known = (part.numpy() for part in many[number])
        white, shape, inside = picture[1] > 127, wanted[0] > 127, known[0] == 255
        # The colour changes blur one in ten views, so that an edge may move by a pixel.
        edge = cv2.morphologyEx(wanted[0], cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)) > 0
        sure = inside & ~edge
        assert (white == shape)[sure].mean() > 0.99
        compared += int(shape[sure].sum())
    assert compared > 10_000


def test_outside_of_the_picture_nothing_is_known(tmp_path: Path) -> None:
    half = Camera(scale=(0.5, 0.5), aspect=0, shift=0, turn_deg=0, light=0)
    _, _, known = views(tmp_path, half)[0]
    assert known[0, 32, 48] == 255
    assert known[0, 0].max() == 0
    assert (known == 255).float().mean() == pytest.approx(0.25, abs=0.03)
    assert views(tmp_path, STILL)[0][2].min() == 255


def test_a_plane_that_a_picture_lacks_is_unknown(tmp_path: Path) -> None:
    _, wanted, known = views(tmp_path, STILL, ("other", "shape"))[0]
    assert known[0].max() == 0
    assert known[1].min() == 255
    assert wanted[1].max() == 255


def test_little_detail_moves_nothing(tmp_path: Path) -> None:
    sharp = views(tmp_path, STILL)
    soft = views(tmp_path, Camera(scale=(1, 1), aspect=0, shift=0, turn_deg=0, light=0, shrunk=6))
    gaps = [(sharp[n][0].float() - soft[n][0].float()).abs().mean().item() for n in range(20)]
    assert max(gaps) > 3
    assert max(gaps) < 25
    assert all(torch.equal(sharp[n][1], soft[n][1]) for n in range(20))


def test_large_pictures_are_kept_as_small_as_views_show_them(tmp_path: Path) -> None:
    (picture,) = drawn(tmp_path, 1)
    rgb, mask = read_image(picture.path), read_image(picture.planes["shape"], 0)
    views = [MaskViews([picture], ("shape",), SIZE, 3, STILL)]
    for path, pixels in ((picture.path, rgb), (picture.planes["shape"], mask)):
        cv2.imwrite(
            str(path), cv2.resize(pixels, None, fx=8, fy=8, interpolation=cv2.INTER_NEAREST)
        )
    views.append(MaskViews([picture], ("shape",), SIZE, 3, STILL))
    assert views[1]._pictures[0][0].shape == (69, 96, 3)
    (small, plane, _), (large, same, _) = (each[0] for each in views)
    assert (small.float() - large.float()).abs().mean() < 6
    assert ((plane > 127) == (same > 127)).float().mean() > 0.98


def test_a_batch_is_of_one_shape(tmp_path: Path) -> None:
    many = views(tmp_path, Camera())
    picture, wanted, known = collate_masks([many[0], many[1]])
    assert picture.shape == (2, 3, 64, 96)
    assert wanted.shape == known.shape == (2, 1, 64, 96)


def test_a_mask_of_another_size_is_named(tmp_path: Path) -> None:
    pictures = drawn(tmp_path, 1)
    cv2.imwrite(str(tmp_path / "0_shape.png"), np.zeros((10, 10), np.uint8))
    with pytest.raises(DatasetError, match=r"0_shape\.png: expected 140x100"):
        MaskViews(pictures, ("shape",), SIZE, 0)


class TestTeachers:
    @pytest.fixture
    def pictures(self, tmp_path: Path) -> list[Path]:
        """Dark, with a magenta stripe, which is a lane to ``test-lane``."""
        random = np.random.default_rng(0)
        paths = []
        for number in range(2):
            rgb = random.integers(0, 60, (72, 128, 3)).astype(np.uint8)
            rgb[:, 30 + number * 20 : 40 + number * 20] = (255, 0, 255)
            paths.append(tmp_path / f"{number}.png")
            cv2.imwrite(str(paths[-1]), rgb)
        return paths

    def test_a_mask_of_the_pictures_size_for_every_label(
        self, pictures: list[Path], tmp_path: Path
    ) -> None:
        seen = planes_by_teacher("test-lane", pictures, tmp_path / "cache")
        labels = set(engines.manifest.find("test-lane").labels)
        for path in pictures:
            assert set(seen[path]) == labels
            expected = engines.load("test-lane")(read_rgb(path)).masks[0]
            for label, file in seen[path].items():
                mask = read_image(file, cv2.IMREAD_GRAYSCALE)
                assert mask.shape == (72, 128)
                assert 0.05 < (mask > 127).mean() < 0.12
                assert ((mask > 127) == expected.on_frame(label, 128, 72)).mean() > 0.97

    def test_a_picture_is_looked_at_once(
        self, pictures: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = planes_by_teacher("test-lane", pictures, tmp_path / "cache")
        monkeypatch.setattr(engines, "load", None)
        assert planes_by_teacher("test-lane", pictures, tmp_path / "cache") == first

    def test_pictures_of_one_name_have_masks_of_their_own(
        self, pictures: list[Path], tmp_path: Path
    ) -> None:
        same = [tmp_path / folder / "img" / "0.png" for folder in ("one", "two")]
        for path, target in zip(pictures, same, strict=True):
            target.parent.mkdir(parents=True)
            target.write_bytes(path.read_bytes())
        seen = planes_by_teacher("test-lane", same, tmp_path / "cache")
        one, two = (seen[path]["lane"].read_bytes() for path in same)
        assert one != two
        assert (
            planes_by_teacher("test-lane", pictures, tmp_path / "cache")[pictures[0]]
            == (seen[same[0]])
        )

    def test_several_looks_are_averaged(self, pictures: list[Path], tmp_path: Path) -> None:
        (files,) = planes_by_teacher("test-lane", pictures[:1], tmp_path, (1.0, 1.5)).values()
        mask = read_image(files["lane"], cv2.IMREAD_GRAYSCALE)
        assert set(np.unique(mask[:, :20])) <= {0, 128, 255}, "two looks at the border"

    def test_combined_is_written_once(self, tmp_path: Path) -> None:
        a, b = tmp_path / "a.png", tmp_path / "b.png"
        cv2.imwrite(str(a), np.array([[0, 100, 255]], np.uint8))
        cv2.imwrite(str(b), np.array([[255, 255, 255]], np.uint8))
        both = combined(cv2.min, (a, b), tmp_path / "both.png")
        assert read_image(both, cv2.IMREAD_GRAYSCALE).tolist() == [[0, 100, 255]]
        written = both.stat().st_mtime_ns
        assert combined(cv2.min, (a, b), tmp_path / "both.png") == both
        assert both.stat().st_mtime_ns == written
        cv2.imwrite(str(a), np.array([[9, 9, 9]], np.uint8))
        other = combined(cv2.min, (a, b), tmp_path / "both.png")
        assert read_image(other, cv2.IMREAD_GRAYSCALE).tolist() == [[9, 9, 9]]
