"""The manifest of a converted model: what is asked, what the file says, what its outputs tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engines.builder.derived import as_text
from engines.convert.asked import Asked
from engines.convert.families import FAMILIES
from engines.convert.origins import ASSUMED, OPTION, Known, commented
from engines.convert.recognise import Recognised, RecogniseError, recognise
from engines.convert.tidy import Picture
from engines.decoders import DECODERS
from engines.files import digest_of
from engines.found import kind_of
from engines.manifest import Manifest, read
from engines.refusal import RefusalError
from engines.runtimes import Session, Tensors

# By how many key points there are: the table that they are taken for, and whose they are.
POINTS = {17: ("coco17", "person")}
# Leads label files of TensorFlow's detectors, whose networks count from the one behind it.
_NOTHING = "???"
_COMPETING = ("argmax", "class_ids")  # decoders that need no threshold


@dataclass(frozen=True, slots=True)
class Reading:
    """The decoder chosen for a network's outputs, and why.

    Attributes:
        task, decoder, options, labels: as in a manifest.
        reasons: why, in words.
        family: a key of ``FAMILIES``, or empty.
        origin: where the labels came from.
        keypoints: as in a manifest; empty where it has none.
        more: further keys of the manifest, as they are asked for this head.
        heads: of a network with several tasks; then ``task`` and ``options`` are empty.
    """

    task: str
    decoder: str
    options: dict[str, Any]
    labels: tuple[str, ...]
    reasons: tuple[str, ...]
    family: str = ""
    origin: str = OPTION
    keypoints: tuple[str, ...] | str = ()
    more: Mapping[str, Any] = field(default_factory=dict)
    heads: tuple[Reading, ...] = ()


def reading(
    session: Session, ops: Mapping[str, str], picture: Picture, known: Known, feeds: Tensors
) -> Reading:
    """The one decoder that fits the outputs of one run; or what is asked, where that is all of it.

    Args:
        session: the network.
        ops: the operator that makes each output, where that is known.
        picture: its input.
        known: the request, with what the file says.
        feeds: what it is fed for one image.

    Of a decoder that is named the options are found out, unless they are given or it is a user's
    own.

    Raises:
        RecogniseError: none fits, or several; what was considered.
        RefusalError: the outputs have another number of labels than are named.
        ValueError: there is no telling how many labels there are, or what the task is.
    """
    asked = known.asked
    named = None if asked.decoder == "auto" else asked.decoder
    if named is not None and named not in DECODERS:
        return _as_asked(known)
    outputs = session.run(feeds)

    def found(labels: tuple[str, ...] | None) -> Recognised:
        return recognise(
            session, picture.size, labels, asked.task, outputs, ops, named, asked.options
        )

    try:
        read = found(asked.labels)
    except RecogniseError as error:
        if asked.options and asked.task and asked.labels:
            return _as_asked(known)
        raise _named_otherwise(error, known, found) from None
    read = _counted(read, known.points)
    labels, origin = _labels(read, known)
    keypoints, why = _points(read, asked)
    reasons = (*read.reasons, *why)
    return Reading(
        read.task, read.decoder, read.options, labels, reasons, read.family, origin, keypoints
    )


def _counted(read: Recognised, points: int | None) -> Recognised:
    """Return the reading with as many key points as the file says, of two numbers or of three.

    Their columns alone do not tell six points of x and y from four of x, y and score.
    """
    columns = {2 * read.points, 3 * read.points}
    if not points or points == read.points or not columns & {2 * points, 3 * points}:
        return read
    why = f"{points} key points: file's metadata (kpt_shape)"
    return replace(read, points=points, reasons=(why, *read.reasons[1:]))


def _labels(read: Recognised, known: Known) -> tuple[tuple[str, ...], str]:
    """The labels, and where they came from."""
    if (named := known.asked.labels) is not None:
        is_shifted = read.labels is None and named[0] == _NOTHING and len(named) > 1
        if is_shifted and known.labels != OPTION:
            return named[1:], f"{known.labels}, without its first, {_NOTHING}"
        return named, known.labels
    if read.labels is None:
        raise ValueError(
            f"labels: missing, and the outputs of decoder {read.decoder} do not tell how many; "
            "give them by --labels"
        )
    family = FAMILIES.get(read.family)
    if family is not None and len(family.labels) == read.labels:
        return family.labels, f"family {family.says}"
    if read.labels == 1 and read.points in POINTS:
        return (POINTS[read.points][1],), f"{ASSUMED}, as {read.points} key points are of it"
    return tuple(f"class_{i}" for i in range(read.labels)), ASSUMED


def _points(read: Recognised, asked: Asked) -> tuple[tuple[str, ...] | str, tuple[str, ...]]:
    """The manifest's key points, and why where nothing names them."""
    if (names := asked.keypoint_names) is not None:
        if len(names) != read.points:
            raise ValueError(
                f"keypoints: the outputs have {read.points} of each object, got {len(names)} names"
            )
        return asked.keypoints or (), ()
    family = FAMILIES.get(read.family)
    if family is not None and family.keypoints and read.points:
        return family.keypoints, (f"key points {family.keypoints}: family {family.says}",)
    if read.points in POINTS:
        table, _ = POINTS[read.points]
        return table, (f"key points {table}: {ASSUMED}, as there are {read.points}",)
    return tuple(f"point_{i}" for i in range(read.points)), ()


def _named_otherwise(
    error: RecogniseError, known: Known, found: Callable[[None], Recognised]
) -> RefusalError:
    """The same refusal; or that the outputs have another number of labels, or are of text."""
    named = known.asked.labels
    if named is None:
        return error
    if known.is_text:
        said = f"it reads text, of {len(named)} characters by the {known.labels}"
        return RefusalError([f"decoder: none reads text; {said}", error.lines[0]], error.why)
    few = ", ".join(named[:3]) + (", …" if len(named) > 3 else "")
    counted = f"labels: {len(named)} by the {known.labels} ({few})"
    try:
        read = found(None)
    except RecogniseError:
        return RefusalError([*error.lines[:-1], f"  {counted}", error.lines[-1]], error.why)
    if read.labels in (None, len(named)):
        return error
    return RefusalError(
        [
            f"{counted}, but {read.labels} by the outputs",
            f"  {read.decoder}: {'; '.join(read.reasons)}",
            f"  what helps: {read.labels} names in --labels",
        ],
        error.why,
    )


def _as_asked(known: Known) -> Reading:
    asked = known.asked
    words = "missing, and required with the options of a decoder"
    if asked.task is None:
        raise ValueError(f"task: {words}")
    if asked.labels is None and kind_of(asked.task).needs_labels:
        raise ValueError(f"labels: {words}")
    return Reading(
        asked.task,
        asked.decoder,
        dict(asked.options),
        asked.labels or (),
        ("as asked",),
        origin=known.labels,
        keypoints=asked.keypoints or (),
    )


def write_manifest(
    file: Path,
    asked: Asked,
    fed: Mapping[str, Any],
    how: Reading,
    source: str,
    origins: Mapping[str, str],
) -> Manifest:
    """Writes the manifest of a file beside it, with its stem, and reads it back.

    Comments beside ``labels`` and the keys of ``input`` say where each came from.

    Raises:
        ManifestError: a key is wrong.
    """
    keys: dict[str, Any] = {"name": asked.name}
    if asked.summary:
        keys["summary"] = asked.summary
    read_keys = {} if how.heads else _keys_of(how, asked)
    if how.task:
        keys["task"] = read_keys.pop("task")
    keys |= {
        "file": file.name,
        "sha256": digest_of(file),
        "bytes": file.stat().st_size,
        "licence": asked.licence,
        "source": source,
        "input": dict(fed),
        **read_keys,
    }
    if how.heads:
        keys["heads"] = [_keys_of(head, asked) for head in how.heads]
    path = file.with_name(f"{file.stem}.yaml")
    path.write_text(commented(as_text(keys), origins), encoding="utf-8")
    return read(path)


def _keys_of(how: Reading, asked: Asked) -> dict[str, Any]:
    """The keys of a manifest that say how outputs are read."""
    keys: dict[str, Any] = {"task": how.task, "decoder": how.decoder}
    if how.options:
        keys["options"] = how.options
    if how.labels:
        keys["labels"] = list(how.labels)
    if how.keypoints:
        keys["keypoints"] = how.keypoints if isinstance(how.keypoints, str) else list(how.keypoints)
    if asked.skeleton is not None:
        keys["skeleton"] = [list(edge) for edge in asked.skeleton]
    if asked.keypoint_threshold is not None:
        keys["keypoint_threshold"] = asked.keypoint_threshold
    threshold = asked.threshold
    if threshold is None and how.decoder not in _COMPETING:
        threshold = kind_of(how.task).usual_threshold
    if threshold is not None:
        keys["threshold"] = threshold
    if asked.iou is not None:
        keys["iou"] = asked.iou
    return {**keys, **how.more}
