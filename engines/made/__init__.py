"""Cheaper networks, made locally of published files: fewer classes, free height and width.

A manifest says what it wants with ``classes``, ``input.size`` and ``input.multiple``. The network
is made when it is first used, proved against its source, and kept in the store.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.files import digest_of, writing
from engines.made import proto
from engines.made.wish import RECIPE, Wish, wish
from engines.manifest import Manifest, find
from engines.store import made as store
from engines.store import models
from engines.store.engines import shelf
from engines.store.made import Kept
from engines.store.models import ModelUnavailableError, Progress, of_process

log = logging.getLogger(__name__)


def network_of(manifest: Manifest, progress: Progress | None = None) -> tuple[Manifest, Path]:
    """Return the manifest that fits the network that runs, and that network's file.

    They are the manifest and its own file where the manifest asks nothing else of it.

    Args:
        manifest: of a model with a file.
        progress: as of ``engines.load``.

    Raises:
        ModelUnavailableError: its file is not available anywhere, or the network cannot be kept.
        ManifestError: the network cannot have the size or multiple.
    """
    path = models.resolve_file(manifest, progress)
    kept = _kept(manifest, path)
    if kept is None:
        return manifest, path
    return manifest.with_classes_cut(kept.about["cut"]), kept.path or path


def pull(name: str, progress: Progress | None = None) -> Path:
    """Put a model's file into the store, and make the network that its manifest asks for.

    Returns:
        The file that runs.

    Raises:
        ManifestError, ModelUnavailableError: as ``network_of``.
    """
    models.pull(name, progress)
    return network_of(find(name))[1]


def told(manifest: Manifest, path: Path) -> str:
    """Return in words which network runs, of a model whose file is here."""
    asked = _asked(manifest, path)
    if asked is None:
        return "as published"
    kept = store.get(asked.key, store.made())
    if kept is None:
        return f"made when it is first used: mirante models pull {manifest.name}"
    reasons = "; ".join(kept.about["reasons"])
    cut = f"; classes are cut when its outputs are decoded: {reasons}" if reasons else ""
    return f"{kept.path or 'as published'}{cut}"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked of a file, the ``ModelProto``, and all that the answer hangs on."""

    model: Any
    wish: Wish
    facts: dict[str, Any]
    key: str


def _asked(manifest: Manifest, path: Path) -> _Asked | None:
    """Return what the manifest asks for; None where that is the file as it is."""
    if path.suffix != ".onnx" or manifest.input.frame or path.parent.parent == shelf():
        return None
    try:
        model = proto.parse(path.read_bytes())
    except proto.ProtoError:
        return None  # its runtime says what is wrong with it
    wanted = wish(manifest, model)
    if not any(wanted.classes) and not wanted.frees_size:
        return None
    facts = {
        "recipe": RECIPE,
        "source": manifest.sha256 or digest_of(path),
        "classes": wanted.classes,
        "frees_size": wanted.frees_size,
        "input": manifest.input.model_dump(mode="json"),
        "parts": [
            {
                "decoder": part.decoder,
                "options": part.options,
                "labels": len(part.network_labels),
            }
            for part in manifest.parts
        ],
    }
    return _Asked(model, wanted, facts, store.key_of(path.stem, facts))


def _kept(manifest: Manifest, path: Path) -> Kept | None:
    """Return the network that is made of the file; None where the file itself is asked for."""
    asked = _asked(manifest, path)
    if asked is None:
        return None
    try:
        return _on(store.made(), manifest, asked)
    except OSError as error:
        cannot = f"model {manifest.name}: the network that it asks for cannot be kept: {error}"
    try:
        if store.get(asked.key, of_process()) is None:
            log.warning("%s; it is made for this process alone", cannot)
        return _on(of_process(), manifest, asked)
    except OSError as error:
        raise ModelUnavailableError(f"{cannot}, nor for this process: {error}") from error


def _on(shelf: Path, manifest: Manifest, asked: _Asked) -> Kept:
    """Return the network from a shelf, made first where it is not there.

    Raises:
        OSError: it cannot be kept there.
    """
    if (kept := store.get(asked.key, shelf)) is not None:
        return kept
    with writing(shelf), store.under_lock(asked.key, shelf):
        if (kept := store.get(asked.key, shelf)) is not None:
            return kept
        from engines.made.make import make

        made = make(manifest, asked.model, asked.wish)
        about = {**asked.facts, "cut": made.cut, "reasons": made.reasons}
        return store.keep(asked.key, made.content, about, shelf)
