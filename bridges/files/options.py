"""Options of ``mirante bridge files``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from bridges.item_kinds import KindsOption


@dataclass(frozen=True, kw_only=True)
class Files:
    """Where files are written, and when they are finished."""

    folder: Annotated[Path, typer.Argument(help="Folder; each kind has one in it.")]
    format: Annotated[
        Literal["jsonl", "parquet"], typer.Option(help="Of finished files: JSON Lines or Parquet.")
    ] = "jsonl"
    kinds: KindsOption = ("events",)
    most_mib: Annotated[float, typer.Option(help="Finish a file at N MiB of lines.", min=0.001)] = (
        64.0
    )
    most_s: Annotated[
        float, typer.Option(help="Finish a file N seconds after its first line.", min=0.1)
    ] = 300.0
