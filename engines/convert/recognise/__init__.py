"""``--decoder auto``: which decoder reads a network, and why, from the outputs of one run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.convert.recognise.classes import classifier
from engines.convert.recognise.classes_first import classes_first
from engines.convert.recognise.evidence import Fit, Misfit, Seen, Tensor, last_ops
from engines.convert.recognise.grids import dense
from engines.convert.recognise.heads import gfl, yolov1, yunet
from engines.convert.recognise.instances import instances
from engines.convert.recognise.oriented import rows_obb, yolov8_obb
from engines.convert.recognise.planes import segmenter
from engines.convert.recognise.poses import faces, landmarks, poses
from engines.convert.recognise.queries import end_to_end, pairs, rows
from engines.convert.recognise.selected import selected
from engines.convert.recognise.shifts import ssd
from engines.convert.recognise.vectors import embedding
from engines.decoders import DECODERS, OptionError, Spec, bind
from engines.found import (
    Attributes,
    Boxes,
    Embedding,
    Found,
    Instances,
    OrientedBoxes,
    Planes,
    Points,
    Poses,
)
from engines.names import resolve
from engines.refusal import RefusalError
from engines.runtimes import Session

__all__ = ["RecogniseError", "Recognised", "last_ops", "recognise"]

Readings = Mapping[str, tuple[type[Found], Callable[[Seen], list[Fit]]]]

# What is considered, by the decoders' names, and what they give. These account for every output and
# column: where one fits, what explains a part of them is not considered.
WHOLE: Readings = {
    "yolov8_seg, yolov5_seg, rows_seg, yolact, mask_rcnn": (Instances, instances),
    "yolov8_pose, rows_pose": (Poses, poses),
    "yunet": (Poses, faces),
    "movenet, simcc": (Points, landmarks),
}
READINGS: Readings = {
    "yolov5, yolov8, yolox": (Boxes, dense),
    "yunet": (Boxes, yunet),
    "end_to_end": (Boxes, end_to_end),
    "rows": (Boxes, rows),
    "selected": (Boxes, selected),
    "detr, boxes_scores": (Boxes, pairs),
    "boxes_scores, classes first": (Boxes, classes_first),
    "ssd": (Boxes, ssd),
    "gfl": (Boxes, gfl),
    "yolov1": (Boxes, yolov1),
    "yolov8_obb": (OrientedBoxes, yolov8_obb),
    "rows_obb": (OrientedBoxes, rows_obb),
    "argmax, sigmoid, class_ids": (Planes, segmenter),
    "softmax": (Attributes, classifier),
    "embedding": (Embedding, embedding),
}
_WHERE_ASKED = (Embedding,)  # kinds of which the numbers tell nothing


_MOST = 4  # outputs, reasons or decoders that a message names


class RecogniseError(RefusalError):
    """No decoder fits, or several do; the message says what comes nearest and what helps."""


@dataclass(frozen=True)
class Recognised:
    """The one decoder that fits.

    Attributes:
        decoder: its name in ``engines.decoders.DECODERS``.
        options: those that differ from its defaults, as in a manifest.
        task: as in a manifest.
        labels: how many there are; None where the outputs do not tell.
        reasons: why, a sentence each.
        family: of networks that alone have this layout, a key of ``engines.convert.families``.
        points: how many key points each object has.
    """

    decoder: str
    options: dict[str, Any]
    task: str
    labels: int | None
    reasons: tuple[str, ...]
    family: str = ""
    points: int = 0


def recognise(
    session: Session,
    size: tuple[int, int],
    labels: tuple[str, ...] | None,
    task: str | None,
    outputs_of: Mapping[str, NDArray[Any]],
    ops: Mapping[str, str] | None = None,
    decoder: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Recognised:
    """The decoder for a network, from its outputs' names, shapes, types and numbers.

    Args:
        session: the network.
        size: width and height in pixels of the input tensor that gave ``outputs_of``.
        labels: the class or plane names, where they are known; much depends on how many.
        task: as in a manifest, where it is known.
        outputs_of: every output of one run on an image, a real one if there is one.
        ops: the operator that makes each output, from ``last_ops``; more is seen with it.
        decoder: the one that shall read it, where that is known; its options are found out.
        options: those of its options that are known; the others are found out.

    Raises:
        RecogniseError: none fits, or several do; then with the key of the manifest that settles it.
    """
    tensors = tuple(
        Tensor(name, outputs_of[name], (ops or {}).get(name, "")) for name in session.outputs
    )
    seen = Seen(size, labels, tensors, decoder, options or {})
    fits: list[tuple[Fit, type[Found]]] = []
    misfits: list[tuple[str, Misfit]] = []
    for readings in (WHOLE, READINGS):
        if not fits:
            fits, missed = fits_of(seen, readings, task)
            misfits = missed + misfits  # those of the most common networks come first
    if len(fits) == 1:
        fit, gives = fits[0]
        return Recognised(
            fit.decoder, fit.options, gives.task, fit.labels, fit.reasons, fit.family, fit.points
        )
    if fits:
        raise _several([fit for fit, _ in fits])
    raise _none(seen, misfits)


def fits_of(
    seen: Seen, readings: Readings, task: str | None
) -> tuple[list[tuple[Fit, type[Found]]], list[tuple[str, Misfit]]]:
    """The fits of some readings with what they give, and why the others are none."""
    fits: list[tuple[Fit, type[Found]]] = []
    misfits: list[tuple[str, Misfit]] = []
    decoder = seen.decoder
    for names, (gives, reading) in readings.items():
        if task not in (None, gives.task) or not (decoder is None or decoder in names.split(", ")):
            continue
        if gives in _WHERE_ASKED and task is None and decoder is None:
            continue
        try:
            found = [fit for fit in reading(seen) if decoder in (None, fit.decoder)]
            fits += [(_tried(fit, gives, seen), gives) for fit in _agreeing(found, seen.options)]
        except Misfit as misfit:
            misfits.append((names, misfit))
        except OptionError as error:
            misfits.append((names, Misfit(str(error), "another value in --option")))
    return fits, misfits


def _agreeing(fits: list[Fit], options: Mapping[str, Any]) -> list[Fit]:
    """The fits that these options are not against, with the options.

    Raises:
        Misfit: they are against each.
    """
    told = {key for fit in fits for key in fit.options}
    found = []
    for fit in fits:
        parameters = inspect.signature(resolve("decoder", fit.decoder, DECODERS)).parameters
        own = {key: fit.options.get(key, parameters[key].default) for key in told & set(parameters)}
        if all(own[key] == value for key, value in options.items() if key in own):
            found.append(replace(fit, options={**fit.options, **options}))
    if fits and not found:
        said = f"fits {_listed(fits[0].options)}, but not with {_listed(options)}"
        raise Misfit(said, "another value in --option")
    return found


def _tried(fit: Fit, gives: type[Found], seen: Seen) -> Fit:
    """Return the fit, after its decoder has read the outputs with thresholds that nothing reaches.

    A decoder that needs no thresholds is not tried.

    Raises:
        OptionError: it cannot.
    """
    labels = seen.labels or tuple(f"class_{i}" for i in range(fit.labels or 1))
    points = tuple(f"point_{i}" for i in range(fit.points))
    spec = Spec(labels, np.full(len(labels), 2, np.float32), 0.5, seen.size, points)
    if gives.needs_threshold:
        bind(fit.decoder, fit.options)({t.name: t.value for t in seen.tensors}, spec)
    return fit


def _listed(options: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in options.items()) + "}"


def _none(seen: Seen, misfits: list[tuple[str, Misfit]]) -> RecogniseError:
    """No decoder fits: the reasons of those whose layout it nearly is, and what would help."""
    why = [f"  not {names}: {misfit}" for names, misfit in misfits]
    near = [(names, misfit) for names, misfit in misfits if misfit.helps] or misfits
    lines = [f"decoder: none fits; {_few([str(tensor) for tensor in seen.tensors])}"]
    lines += [f"  not {names}: {misfit}" for names, misfit in near[:_MOST]]
    helps = list(dict.fromkeys(misfit.helps for _, misfit in near[:_MOST] if misfit.helps))
    helps = helps or ["--decoder with --option, or one of your own (docs/models.md)"]
    lines.append(f"  what helps: {'; or '.join(helps)}")
    lines.append("  --why says of every decoder why not")
    return RecogniseError(lines, why)


def _few(words: list[str]) -> str:
    more = f"; and {len(words) - _MOST} more" if len(words) > _MOST else ""
    return "; ".join(words[:_MOST]) + more


def _several(fits: list[Fit]) -> RecogniseError:
    why = [f"  {fit.decoder} {_listed(fit.options)}: {'; '.join(fit.reasons)}" for fit in fits]
    keys = sorted({key for fit in fits for key in fit.key.split(", ")})
    decoders = {fit.decoder for fit in fits}
    settles = [key for key in keys if key != "decoder" or len(decoders) > 1]
    more = [f"  and {len(why) - _MOST} more; --why lists them"] if len(why) > _MOST else []
    return RecogniseError(
        [
            "decoder: several fit; say which in the manifest",
            *why[:_MOST],
            *more,
            f"  what settles it: {', '.join(settles) or 'labels'}",
        ],
        why,
    )
