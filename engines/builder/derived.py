"""The manifest of an engine: its source's, but for the file and what is fed to it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import yaml

from engines.manifest import Input, Manifest

# Of a file that is not the engine's.
_OF_THE_SOURCE = {"url", "aliases", "obtain", "server", "ms"}


def derive(source: Manifest, fed: Input, runtime: str, file: Path) -> dict[str, Any]:
    """The keys of the manifest of an engine that lies beside it."""
    keys = source.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude=_OF_THE_SOURCE)
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    keys |= {"file": file.name, "sha256": digest, "bytes": file.stat().st_size}
    keys |= {"runtime": runtime, "input": fed.model_dump(mode="json", exclude_defaults=True)}
    keys["source"] = f"{source.source or source.name}; mirante engines build"
    return keys


def as_text(keys: dict[str, Any]) -> str:
    """YAML."""
    return yaml.safe_dump(keys, sort_keys=False, width=100, allow_unicode=True)


def write(folder: Path, keys: dict[str, Any], name: str = "manifest.yaml") -> Path:
    """Writes it."""
    path = folder / name
    path.write_text(as_text(keys), encoding="utf-8")
    return path
