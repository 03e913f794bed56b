"""Lists of names in options; tables and colours in a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer


def is_fancy() -> bool:
    """True when standard output is a terminal that wants colours (``NO_COLOR`` is not set)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table; outside a terminal aligned columns without frames, for ``grep`` and ``awk``."""
    if is_fancy():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(*headings)
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        Console().print(table)
        return
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    for row in [headings, *rows]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())
