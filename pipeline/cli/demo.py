"""``mirante demo``."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(
    seconds: Annotated[
        float | None, typer.Option(help="Stop after N seconds; else at Ctrl-C.", min=1)
    ] = None,
) -> None:
    """Run four live cameras; print an account of their frames at the end."""
    from engines.store.models import use_default_mirror
    from pipeline.cli.demo_run import run_demo

    use_default_mirror()
    raise typer.Exit(run_demo(seconds))
