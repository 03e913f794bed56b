"""``mirante demo`` and ``mirante bench``."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(
    seconds: Annotated[
        float | None, typer.Option(help="End after so many seconds; else at Ctrl-C.", min=1)
    ] = None,
) -> None:
    """Three cameras, live: detections and masks by our own models, and an account at the end."""
    from engines.store import use_default_mirror
    from pipeline.demo import run_demo

    use_default_mirror()
    raise typer.Exit(run_demo(seconds))


def bench(context: typer.Context) -> None:
    """Measure the line on this machine: mirante bench --help."""
    from engines.store import use_default_mirror
    from pipeline.bench import app

    use_default_mirror()
    app(context.args, prog_name="mirante bench")
