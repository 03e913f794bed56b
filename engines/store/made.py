"""The networks made of published files, each whole or not there.

They lie in ``$MIRANTE_HOME/models/made/<key>``. The key is a digest of the source and of all that
was asked of it, so that whoever asks the same finds the same.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.files import digest_of
from engines.store.engines import locked, to_disk
from engines.store.models import store

ABOUT = "made.json"
NETWORK = "network.onnx"


@dataclass(frozen=True, slots=True)
class Kept:
    """A network in the store.

    Attributes:
        path: its file; None where its source is used as it is.
        about: what was noted when it was made.
    """

    path: Path | None
    about: Mapping[str, Any]


def made() -> Path:
    """Return the folder of made networks."""
    return store() / "made"


def key_of(stem: str, facts: Mapping[str, Any]) -> str:
    """Return the key of what is made by ``facts``, JSON, of the file named ``stem``."""
    text = json.dumps(facts, sort_keys=True)
    return f"{stem}-{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def get(key: str, shelf: Path) -> Kept | None:
    """Return what was made under that key, if it is on the shelf and is what was made."""
    folder = shelf / key
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        if about["sha256"] is None:
            return Kept(None, about)
        if digest_of(folder / NETWORK) == about["sha256"]:
            return Kept(folder / NETWORK, about)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None


def keep(key: str, content: bytes | None, about: Mapping[str, Any], shelf: Path) -> Kept:
    """Put a network under its key, at once and for good; to be used under ``locked``."""
    digest = None if content is None else hashlib.sha256(content).hexdigest()
    about = {**about, "sha256": digest}
    for left in shelf.glob(f".{key}.*"):  # of processes that were killed
        shutil.rmtree(left, ignore_errors=True)
    part = Path(tempfile.mkdtemp(prefix=f".{key}.", dir=shelf))
    try:
        if content is not None:
            (part / NETWORK).write_bytes(content)
        (part / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        part.chmod(0o755)
        for path in (*part.iterdir(), part):
            to_disk(path)
        final = shelf / key
        shutil.rmtree(final, ignore_errors=True)  # damaged, else it had been found
        part.replace(final)
        to_disk(shelf)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Kept(None if content is None else final / NETWORK, about)


def under_lock(key: str, shelf: Path) -> Any:
    """Wait for whoever makes this network; then this process is the one that does."""
    return locked(key, shelf)
