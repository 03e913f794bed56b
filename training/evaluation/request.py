"""The request for a measurement, as ``mirante eval`` fills it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from typer import Argument, Option

from engines.commands import Text, Texts, names_in, size_reader


def match_in(texts: list[str]) -> dict[str, str]:
    """Return labels of the model to names in the truth, from MODEL_LABEL=TRUTH_LABEL."""
    return _pairs("match", texts)


def shares_in(texts: list[str]) -> dict[str, float]:
    """Return shares by plane, from PLANE=SHARE."""
    return {name: _share(name, value) for name, value in _pairs("least-share", texts).items()}


def _pairs(option: str, texts: list[str]) -> dict[str, str]:
    pairs = dict(text.partition("=")[::2] for text in texts)
    for name, value in pairs.items():
        if not name or not value:
            raise ValueError(f"--{option}: expected NAME=VALUE, got {name}={value}")
    return pairs


def _share(label: str, text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"--least-share: expected 0 to 1, got {label}={text}")
    return share


@dataclass(frozen=True, slots=True)
class Choice:
    """The choice of images.

    Attributes:
        data: a clip, a folder, or a pattern such as ``street/*.jpg``.
        part: FROM:TO of a clip as shares; of a collection its sub-folder.
        every: one of so many frames or images.
        held_out: only what training never sees, by ``BoxPicture.is_held_out``.
        sets: of a collection, those to take; none for all but those of unclear licence.
    """

    data: Annotated[
        str, Option(help="Clip, folder of images (labelled, or with --truth), or pattern.")
    ]
    part: Annotated[
        str | None, Option(help="Of a clip: FROM:TO in 0..1; of a collection: its folder.")
    ] = None
    every: Annotated[int, Option(help="Use every Nth frame or image.", min=1)] = 1
    held_out: Annotated[
        bool, Option("--held-out", help="Only images that training never sees.")
    ] = False
    sets: Annotated[
        tuple[str, ...], Option(help="Only these sets of a collection: a,b."), Text(names_in)
    ] = ()

    def __str__(self) -> str:
        """In words, for a report."""
        words = [self.data]
        words += [f"part {self.part}"] if self.part else []
        words += [f"sets {', '.join(self.sets)}"] if self.sets else []
        words += ["held out"] if self.held_out else []
        words += [f"one of {self.every}"] if self.every > 1 else []
        return ", ".join(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One measurement.

    Attributes:
        model: a zoo model, or the path of a manifest.
        choice: on which images.
        truth: a model whose answers are the truth; None for the images' labels.
        truth_threshold: least score of its answers; None for its manifest's.
        threshold: least score of the model's; None for its manifest's.
        empty: the images show none of the classes, so that all that is found is false.
        classes: labels of the model; none for all.
        match: labels of the model to other names in the truth.
        least_side_px: boxes whose shorter side is below this do not count.
        frame: a detector sees images fitted into frames of this width and height; None for images
            as they are.
        least_share: only images of which these planes of the truth cover at least this share.
        tolerance_px: how far outlines and lines may be off.
        detector: segmenters run on the crops of its boxes.
        on: class of these boxes; need not be said of a detector with one class.
        threads: inside one inference.
    """

    model: Annotated[str, Argument(help="Zoo name, or path of a manifest.")]
    choice: Choice
    truth: Annotated[
        str | None, Option(help="A model whose answers are the truth, instead of labels.")
    ] = None
    truth_threshold: Annotated[
        float | None, Option(help="Minimum score of the truth model.", min=0, max=1)
    ] = None
    threshold: Annotated[
        float | None,
        Option(help="Minimum score for precision, recall, masks [the manifest's].", min=0, max=1),
    ] = None
    empty: Annotated[
        bool, Option("--empty", help="The images show none of the classes: all found is false.")
    ] = False
    classes: Annotated[
        tuple[str, ...], Option(help="Only these of the model: a,b."), Text(names_in)
    ] = ()
    match: Annotated[
        Mapping[str, str],
        Option(help="MODEL_LABEL=TRUTH_LABEL, for other names; may be repeated."),
        Texts(match_in),
    ] = field(default_factory=dict)
    least_side_px: Annotated[
        float,
        Option("--least-side", help="Boxes with a shorter side do not count, in pixels.", min=0),
    ] = 0.0
    frame: Annotated[
        tuple[int, int] | None,
        Option(metavar="WxH", help="Detectors see images fitted into a frame of this size."),
        Text(size_reader("frame", "640x352")),
    ] = None
    least_share: Annotated[
        Mapping[str, float],
        Option(help="PLANE=SHARE: only images of which the truth covers at least this share."),
        Texts(shares_in),
    ] = field(default_factory=dict)
    tolerance_px: Annotated[
        float,
        Option("--tolerance", help="How far outlines and lines may be off, in pixels.", min=0),
    ] = 2.0
    detector: Annotated[
        str | None,
        Option("--on-detector", help="Run on crops of this detector's boxes, the truth too."),
    ] = None
    on: Annotated[
        str | None, Option(help="Class of those boxes; optional where there is only one.")
    ] = None
    threads: Annotated[int, Option(help="Inside one inference.", min=1)] = 2
