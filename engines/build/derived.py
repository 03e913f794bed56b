"""The manifest of an engine: its source's, but for the file and what is fed to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from engines.manifest import Input, Manifest

# Of a file that is not the engine's.
_OF_THE_SOURCE = {"url", "aliases", "obtain", "server"}


def derive(source: Manifest, fed: Input, runtime: str, file: str) -> dict[str, Any]:
    """The keys of the manifest of an engine; its checksum is in ``build.json``."""
    keys = source.model_dump(mode="json", exclude_unset=True, exclude=_OF_THE_SOURCE)
    keys |= {"file": file, "runtime": runtime, "input": fed.model_dump(mode="json")}
    keys["source"] = f"{source.source or source.name}; mirante engines build"
    for key in ("sha256", "bytes"):
        keys.pop(key, None)
    return keys


def as_text(keys: dict[str, Any]) -> str:
    """YAML."""
    return yaml.safe_dump(keys, sort_keys=False, width=100, allow_unicode=True)


def write(folder: Path, keys: dict[str, Any], name: str = "manifest.yaml") -> Path:
    """Writes it."""
    path = folder / name
    path.write_text(as_text(keys), encoding="utf-8")
    return path
