"""Labels from models that already know: any detector of the zoo names boxes in any image."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import engines
from engines.decoders import Spec
from engines.decoders.candidates import suppress
from engines.files import digest_of, read_rgb, write_whole
from engines.found import Boxes, Found
from engines.manifest import ManifestError, find
from engines.store.models import resolve_file
from training.datasets import DatasetError

log = logging.getLogger(__name__)

EVERY = 100  # images
SAME_OBJECT_IOU = 0.6  # two teachers' boxes of one class that overlap more are one object


def boxes_by_teacher(
    teacher: str, pictures: Sequence[Path], cache: Path, threshold: float, enlarge: float = 1.0
) -> dict[Path, list[list[float]]]:
    """Return a detector's boxes in each image: rows of left, top, right, bottom, class, score.

    Args:
        teacher: a zoo model, or the path of a manifest.
        images: each is looked at once; the answers are kept in ``cache``.
        cache: folder for one JSON file per teacher, by the contents of the images.
        threshold: least score that is kept; low ones are soft labels.
        enlarge: the image is shown to the teacher this many times larger, for small objects.

    Raises:
        ModelUnavailableError: the teacher's file is not available anywhere.
    """
    kept = cache / f"{signature(teacher)}-{enlarge:g}x-{threshold:g}.json"
    known: dict[str, list[list[float]]] = {}
    if kept.is_file():
        known = json.loads(kept.read_text(encoding="utf-8"))
    digests = {path: digest_of(path) for path in pictures}
    new = [path for path in pictures if digests[path] not in known]
    if new:
        model = engines.load(teacher, threads=2, threshold=threshold)
        for path in watched(new, teacher, lambda: _keep(kept, known)):
            known[digests[path]] = _look(model, path, enlarge)
    return {path: known[digests[path]] for path in pictures}


def _keep(path: Path, known: Mapping[str, list[list[float]]]) -> None:
    write_whole(path, json.dumps(known).encode())


def signature(teacher: str) -> str:
    """A teacher's name, and digits that change with its weights or its manifest.

    Raises:
        ModelUnavailableError: the teacher's file is not available anywhere.
    """
    manifest = find(teacher)
    parts = manifest.model_dump_json() + digest_of(resolve_file(manifest))
    return f"{manifest.name}-{hashlib.sha256(parts.encode()).hexdigest()[:16]}"


def watched(
    pictures: Sequence[Path], teacher: str, keep: Callable[[], None] = lambda: None
) -> Iterator[Path]:
    """The images one after the other; calls ``keep`` and says how far it is now and then."""
    for done, path in enumerate(pictures, 1):
        yield path
        if done % EVERY == 0 or done == len(pictures):
            keep()
            log.info("%s labels images: %d of %d", teacher, done, len(pictures))


def labels_to_learn(
    own: tuple[str, ...], asked: tuple[str, ...], teachers: Sequence[str], kind: type[Found]
) -> tuple[str, ...]:
    """A folder's own labels and, behind them, those that only teachers know.

    Args:
        own: what people drew.
        asked: what is to be learnt besides.
        teachers: zoo models or manifests.
        kind: what they must give.

    Raises:
        DatasetError: a label is asked for that no teacher knows, or a teacher knows none.
        ManifestError: a teacher gives another kind.
    """
    manifests = {teacher: find(teacher) for teacher in teachers}
    for teacher, manifest in manifests.items():
        if not issubclass(manifest.kind, kind):
            raise ManifestError(
                f"teacher {teacher}: expected {kind.maker}, it is {manifest.kind.maker}"
            )
    known = {label for manifest in manifests.values() for label in manifest.labels}
    new = tuple(label for label in asked if label not in own)
    if lost := [label for label in new if label not in known]:
        raise DatasetError(f"classes: {', '.join(lost)} need a teacher that knows them")
    labels = own + new
    for teacher, manifest in manifests.items():
        if not set(manifest.labels) & set(labels):
            raise DatasetError(f"teacher {teacher}: knows none of {', '.join(labels)}")
    return labels


def _look(model: engines.Model, path: Path, enlarge: float) -> list[list[float]]:
    rgb = read_rgb(path)
    size = (rgb.shape[1], rgb.shape[0])
    if enlarge != 1:
        rgb = np.asarray(cv2.resize(rgb, None, fx=enlarge, fy=enlarge), np.uint8)
    found = model(rgb, source=size).detections
    columns = np.column_stack([found.xyxy, found.class_id, found.score])
    return [[round(float(value), 3) for value in row] for row in columns]


def chosen(
    rows: Iterable[Sequence[float]], labels: Sequence[str], wanted: Sequence[str]
) -> NDArray[np.float32]:
    """(n, 6) rows of the classes in ``wanted``, numbered as there; ``labels`` are the teacher's."""
    number: Mapping[int, int] = {
        i: wanted.index(label) for i, label in enumerate(labels) if label in wanted
    }
    kept = [[*row[:4], number[int(row[4])], row[5]] for row in rows if int(row[4]) in number]
    return np.array(kept, np.float32).reshape(-1, 6)


def merge(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Several teachers' (n, 6) rows as one: of boxes that are one object the surest stays."""
    rows = np.concatenate([np.zeros((0, 6), np.float32), *parts])
    boxes = Boxes(rows[:, :4], rows[:, 5], rows[:, 4].astype(np.int32))
    spec = Spec((), np.zeros(0, np.float32), SAME_OBJECT_IOU, (0, 0))
    best = suppress(boxes, spec)
    return np.column_stack([best.xyxy, best.class_id, best.score]).astype(np.float32)
