"""Try the plausible ways of feeding a network on real images: does another find clearly more?

The measure is what is found in an image and in its mirror image alike (``Found.certainty``). It
needs no labels, and a network that is fed wrongly finds little, or what is not there again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.builder.frames import Rgb
from engines.convert.families import FAMILIES, IMAGENET_MEAN, IMAGENET_STD
from engines.convert.origins import as_option
from engines.fit import thresholds
from engines.found.base import Mirrored
from engines.manifest import Input, Manifest
from engines.model import Model
from engines.runtimes import Session

MOST_S = 40.0  # of all ways together
FEWEST = 4  # images, below which chance decides
_KEYS = ("colour", "scale", "mean", "std", "resize")
_CLEARLY, _AS_MUCH = 1.25, 0.995  # times as much
_SURELY = 2.0  # standard errors of the mean gain
_ASPECT = 1.1  # images of nearly the tensor's proportions are stretched little
_NUMBERS: tuple[dict[str, Any], ...] = (
    {"scale": 1 / 255, "mean": (0, 0, 0), "std": (1, 1, 1)},
    {"scale": 1.0, "mean": (0, 0, 0), "std": (1, 1, 1)},
    {"scale": 1 / 127.5, "mean": (1, 1, 1), "std": (1, 1, 1)},
    {"scale": 1 / 255, "mean": IMAGENET_MEAN, "std": IMAGENET_STD},
)


@dataclass(frozen=True)
class Trial:
    """The ways that were tried.

    Attributes:
        pictures: how many images; 0 where there are too few, or the network is too slow to tell.
        ways: what each differs by from the way that was imported, which is the first.
        found: what each finds, as the mean of ``Found.certainty``.
        better: the way that finds clearly more, or None.
    """

    pictures: int
    ways: tuple[Mapping[str, Any], ...]
    found: tuple[float, ...]
    better: int | None

    @property
    def advice(self) -> str:
        """The better way, as options, with what both find; empty where there is none."""
        if self.better is None:
            return ""
        way = dict(self.ways[self.better])
        options = " ".join(f"--{key} {as_option(value)}" for key, value in way.items())
        now, then = self.found[0], self.found[self.better]
        return f"with {options} it finds {then:.2f} an image where it finds {now:.2f} now"

    def to_dict(self) -> dict[str, Any]:
        """For the report."""
        ways = [
            {key: list(value) if isinstance(value, tuple) else value for key, value in way.items()}
            | {"found": found}
            for way, found in zip(self.ways, self.found, strict=True)
        ]
        return {"pictures": self.pictures, "ways": ways, "better": self.better}


def tried(
    manifest: Manifest,
    session: Session,
    pictures: Sequence[Rgb],
    family: str = "",
    most_s: float = MOST_S,
) -> Trial | None:
    """Feed images in each plausible way; None without images.

    Args:
        manifest: of the import.
        session: its network.
        pictures: real images.
        family: of the network, by its key in ``FAMILIES`` where that is known there.
        most_s: seconds that all of it may take; as many images are shown as that allows.
    """
    if not pictures:
        return None
    if len(pictures) < FEWEST:
        return Trial(0, (), (), None)
    spec = manifest.input
    is_pixels = session.inputs[spec.name].dtype.kind in "iu"
    ways = [spec, *_authors(spec, is_pixels, family), *_values(spec, is_pixels)]
    shown = _as_many(manifest, session, pictures, most_s / (len(ways) + 2))
    if len(shown) < FEWEST:
        return Trial(0, (), (), None)
    found = [_certainty(manifest, way, session, shown) for way in ways]
    others = _sizes(ways[_best(found)], shown)
    ways += others
    found += [_certainty(manifest, way, session, shown) for way in others]
    gain = manifest.kind.clear_gain if not manifest.heads else 1.0
    return Trial(
        len(shown),
        tuple(_unlike(way, spec) for way in ways),
        tuple(float(each.mean()) for each in found),
        _clearly_more(found, gain),
    )


def _authors(spec: Input, is_pixels: bool, family: str) -> list[Input]:
    """As the authors of its family feed it, where that is another way."""
    author = FAMILIES.get(family)
    if author is None or is_pixels or spec.colour not in ("rgb", "bgr"):
        return []
    keys = {key: value for key, value in author.keys().items() if key in _KEYS}
    if spec.multiple:
        del keys["resize"]
    other = spec.model_copy(update=keys)
    return [other] if _unlike(other, spec) else []


def _values(spec: Input, is_pixels: bool) -> list[Input]:
    """Other orders of colours and ranges of values; of whole numbers the orders alone."""
    found = []
    orders = ("rgb", "bgr") if spec.colour in ("rgb", "bgr") else (spec.colour,)
    for numbers, colour in product([{}] if is_pixels else _NUMBERS, orders):
        turned = {
            key: value[::-1] if colour == "bgr" and isinstance(value, tuple) else value
            for key, value in numbers.items()
        }
        other = spec.model_copy(update={"colour": colour, **turned})
        if _unlike(other, spec):
            found.append(other)
    return found


def _sizes(spec: Input, pictures: Sequence[Rgb]) -> list[Input]:
    """With another resize, where the images have other proportions than the tensor."""
    width, height = spec.size
    aspects = [rgb.shape[1] / rgb.shape[0] * height / width for rgb in pictures]
    if all(1 / _ASPECT < aspect < _ASPECT for aspect in aspects):
        return []
    if spec.resize == "stretch":
        return [spec.model_copy(update={"resize": "letterbox-centre"})]
    return [] if spec.multiple else [spec.model_copy(update={"resize": "stretch"})]


def _as_many(
    manifest: Manifest, session: Session, pictures: Sequence[Rgb], most_s: float
) -> Sequence[Rgb]:
    """As many images as there is time for in one way, spread over all."""
    _certainty(manifest, manifest.input, session, pictures[:1])  # the first call is slow
    began = time.perf_counter()
    _certainty(manifest, manifest.input, session, pictures[:1])
    once_s = time.perf_counter() - began
    count = min(len(pictures), int(most_s / max(once_s, 1e-9)))
    places = np.linspace(0, len(pictures) - 1, count).round().astype(int)
    return [pictures[place] for place in places]


def _certainty(
    manifest: Manifest, way: Input, session: Session, pictures: Sequence[Rgb]
) -> NDArray[np.float64]:
    """(n,) of each image; zeros where the network overflows.

    Of several heads the sum, each in units of what is clearly more of its kind.
    """
    model = Model(manifest.model_copy(update={"input": way}), session, thresholds(manifest, None))
    try:
        seen = [
            [
                Mirrored(found, mirrored, rgb.shape[1])
                for found, mirrored in zip(
                    model.of_heads(rgb),
                    model.of_heads(np.ascontiguousarray(rgb[:, ::-1])),
                    strict=True,
                )
            ]
            for rgb in pictures
        ]
    except RuntimeError:  # values that are not finite
        return np.zeros(len(pictures))
    kinds = [part.kind for part in manifest.parts]
    found = [kind.certainty(of) for kind, of in zip(kinds, zip(*seen, strict=True), strict=True)]
    if not manifest.heads:
        return found[0]
    units = [values / kind.clear_gain for kind, values in zip(kinds, found, strict=True)]
    return np.asarray(np.sum(units, axis=0), np.float64)


def _best(found: Sequence[NDArray[np.float64]]) -> int:
    """The way that finds most; of those that find as much, the first."""
    sums = np.array([each.sum() for each in found])
    return int(np.flatnonzero(sums >= _AS_MUCH * sums.max())[0])


def _clearly_more(found: Sequence[NDArray[np.float64]], gain: float) -> int | None:
    """The way that finds most, if that is clearly more than the first."""
    best = _best(found)
    more = found[best] - found[0]
    error = more.std(ddof=1) / np.sqrt(len(more))
    is_clear = found[best].sum() >= _CLEARLY * found[0].sum() and more.mean() >= gain
    return best if is_clear and more.mean() >= _SURELY * error else None


def _unlike(way: Input, spec: Input) -> dict[str, Any]:
    """The keys that differ, numbers by more than rounding."""
    pairs = {key: (getattr(way, key), getattr(spec, key)) for key in _KEYS}
    differ = {key for key, (one, other) in pairs.items() if not _same(one, other)}
    if differ & {"scale", "mean", "std"}:
        differ |= {"scale", "mean", "std"}  # belong together
    return {key: pairs[key][0] for key in _KEYS if key in differ}


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, str):
        return bool(one == other)
    return bool(np.allclose(one, other, rtol=1e-3, atol=1e-6))
