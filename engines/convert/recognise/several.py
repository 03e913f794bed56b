"""Networks with several tasks: some outputs are planes, others are read by another decoder."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from engines.convert.recognise import READINGS, WHOLE, Recognised, RecogniseError, fits_of
from engines.convert.recognise.evidence import Fit, Seen, Tensor
from engines.convert.recognise.planes import is_plane
from engines.decoders import DECODERS
from engines.found import Found, Planes
from engines.names import resolve

Head = tuple[Recognised, tuple[str, ...] | None]  # with its labels, where they are known
_OF_PLANES = {names: row for names, row in READINGS.items() if row[0] is Planes}
_OF_OTHERS = {names: row for names, row in READINGS.items() if row[0] is not Planes}


def parted(seen: Seen) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Return the outputs that are planes, and the others."""
    planes = tuple(tensor for tensor in seen.tensors if is_plane(tensor, seen))
    return planes, tuple(tensor for tensor in seen.tensors if tensor not in planes)


def several(seen: Seen) -> tuple[Head, ...]:
    """The heads of a network: first that of the other outputs, then that of the planes.

    Where labels are named, the first are those of the other outputs, as many as these tell.

    Returns:
        None of them where all outputs are of one kind, one decoder reads all of them, or the parts
        fit no decoders.

    Raises:
        RecogniseError: both parts fit, in more ways than one.
    """
    planes, others = parted(seen)
    if not planes or not others or fits_of(seen, WHOLE, None)[0]:
        return ()
    found = [
        pair for labels in _splits(seen.labels) for pair in _pairs(seen, others, planes, labels)
    ]
    if len(found) > 1:
        raise _ambiguous(found)
    return found[0] if found else ()


def _splits(
    labels: tuple[str, ...] | None,
) -> Iterator[tuple[tuple[str, ...] | None, tuple[str, ...] | None]]:
    if labels is None:
        yield None, None
        return
    for count in range(1, len(labels)):
        yield labels[:count], labels[count:]


def _pairs(
    seen: Seen,
    others: tuple[Tensor, ...],
    planes: tuple[Tensor, ...],
    labels: tuple[tuple[str, ...] | None, tuple[str, ...] | None],
) -> Iterator[tuple[Head, Head]]:
    of_planes, _ = fits_of(replace(seen, labels=labels[1], tensors=planes), _OF_PLANES, None)
    if not of_planes:
        return
    of_others, _ = fits_of(replace(seen, labels=labels[0], tensors=others), _OF_OTHERS, None)
    for other in of_others:
        for plane in of_planes:
            yield (_head(other, others), labels[0]), (_head(plane, planes), labels[1])


def _head(found: tuple[Fit, type[Found]], tensors: tuple[Tensor, ...]) -> Recognised:
    fit, gives = found
    options = with_output(fit.decoder, fit.options, tensors)
    return Recognised(
        fit.decoder, options, gives.task, fit.labels, fit.reasons, fit.family, fit.points
    )


def with_output(
    decoder: str, options: Mapping[str, Any], tensors: tuple[Tensor, ...]
) -> dict[str, Any]:
    """Return the options with the output's name, which a decoder needs beside other heads."""
    parameters = inspect.signature(resolve("decoder", decoder, DECODERS)).parameters
    if "output" not in parameters or len(tensors) != 1:
        return dict(options)
    return {"output": tensors[0].name, **options}


def _ambiguous(found: list[tuple[Head, Head]]) -> RecogniseError:
    why = [
        "  " + "; and ".join(f"{head.decoder} {head.options}" for head, _ in pair) for pair in found
    ]
    return RecogniseError(
        [
            "heads: the network has several tasks, and several decoders fit",
            *why[:4],
            "  what helps: --labels with the names of boxes first and of planes behind them; "
            "or --heads FILE, which has each head as a manifest does",
        ],
        why,
    )
