"""Lines about what just happened, on a terminal or in a file."""

from __future__ import annotations

import time

import typer

from engines.console import is_fancy


def say(text: str, style: str = "", markup: bool = False) -> None:
    """Print a line, styled where standard output is a terminal."""
    if not is_fancy():
        typer.echo(text)
        return
    from rich import get_console

    get_console().print(text, style=style, markup=markup, highlight=not markup, soft_wrap=True)


def clock(unix_s: float) -> str:
    """Return the local time of day, to the millisecond."""
    unix_ms = round(unix_s * 1e6) // 1000
    return f"{time.strftime('%H:%M:%S', time.localtime(unix_ms // 1000))}.{unix_ms % 1000:03d}"
