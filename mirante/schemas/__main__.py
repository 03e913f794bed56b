"""Writes the schemas."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import msgspec

from mirante.schemas import documents


def main() -> None:
    """Writes every document beside the package's code."""
    folder = Path(str(files("mirante.schemas")))
    for name, document in documents().items():
        (folder / name).write_bytes(msgspec.json.format(msgspec.json.encode(document)) + b"\n")


if __name__ == "__main__":
    main()
