"""``mirante bridge``: carry results and events to where others listen."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="Carry results and events to where others listen.")


@app.callback()
def _bridge() -> None:
    """Carry results and events to where others listen."""
